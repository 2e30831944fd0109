from __future__ import annotations

import pytest

from charlstm.training.plan import plan_steps


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (9, 1), (25, 3), (4000, 400), (10_000, 1000), (10**7, 1000)])
def test_ten_reports_and_one_every_thousand_steps(steps: int, every: int) -> None:
    plan = plan_steps(steps, characters_per_step=512)
    assert plan.steps == steps
    assert plan.report_every == every
    assert plan.val_characters == every * 512 // 8


def test_reports_can_be_fewer() -> None:
    assert plan_steps(100, 512, reports=2).report_every == 50
