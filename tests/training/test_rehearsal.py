from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from charlstm.training.folder import RunFolder
from charlstm.training.rehearsal import plan_seconds
from tests.training.test_trainer import assert_equal, trainer, weights


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only the test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_steps_fill_the_time_that_reports_leave(
    folder: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(folder)
    train_step, validate = run.train_step, run.validate

    def slow_step() -> None:
        clock[0] += 0.1
        train_step()

    def slow_validation() -> float | None:
        clock[0] += 1.0
        return validate()

    monkeypatch.setattr(run, "train_step", slow_step)
    monkeypatch.setattr(run, "validate", slow_validation)
    run.plan = plan_seconds(run, 100.0)
    clock[0] = 0.0
    run.train()
    assert clock[0] == pytest.approx(100.0 - 2.0 - 0.5 - 2.0, abs=1.5)  # what the rehearsal itself took


def test_reports_that_take_long_are_fewer(
    folder: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(folder)
    train_step, validate = run.train_step, run.validate
    monkeypatch.setattr(run, "train_step", lambda: (train_step(), clock.__setitem__(0, clock[0] + 0.1)))
    monkeypatch.setattr(run, "validate", lambda: (validate(), clock.__setitem__(0, clock[0] + 8.0))[0])
    run.plan = plan_seconds(run, 100.0)
    assert run.plan.steps == pytest.approx((100.0 - 2.0 - 0.5 - 16.0 - 2 * 8.0) / 0.1, abs=5)
    assert -(-run.plan.steps // run.plan.report_every) == 2


def test_it_leaves_no_trace(folder: RunFolder) -> None:
    run = trainer(folder)
    for _ in range(3):
        run.train_step()
    before, random = weights(run), torch.get_rng_state()
    state, optimizer = run.state, run.optimizer.state_dict()["state"][0]["exp_avg"].clone()
    plan_seconds(run, 1.0)
    assert_equal(weights(run), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(run.state.c, state.c)
    assert torch.equal(run.optimizer.state_dict()["state"][0]["exp_avg"], optimizer)
    assert run.progress.step == 3
    assert {path.name for path in Path("run").iterdir()} == {".lock"}
