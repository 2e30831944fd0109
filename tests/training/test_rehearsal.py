from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.clock import Clock
from charlstm.config import TrainConfig
from charlstm.errors import RunError
from charlstm.saved.folder import RunFolder
from charlstm.saved.record import Plan
from charlstm.text.vocab import Vocab
from charlstm.training import rehearsal
from charlstm.training.plan import PROBE_BATCH, PROBE_LEN, Choice, choose
from charlstm.training.rehearsal import choose_here, plan_until
from charlstm.training.trainer import Trainer
from tests.training.test_run import a_run
from tests.training.test_trainer import PLAN, assert_equal, trainer, weights


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only the test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def planned(made: Trainer, seconds: float, folder: RunFolder, preview: Callable[[int], object] = str) -> Plan:
    return plan_until(made, Clock(), seconds, Vocab("\n abcde"), folder.path, preview)


def slowed(made: Trainer, clock: list[float], monkeypatch: pytest.MonkeyPatch, step: float, validation: float) -> None:
    """Steps and validations take this long."""
    train_step, validate = made.train_step, made.validate

    def slow_step(plan: Plan) -> None:
        clock[0] += step
        train_step(plan)

    def slow_validation(characters: int) -> float | None:
        clock[0] += validation
        return validate(characters)

    monkeypatch.setattr(made, "train_step", slow_step)
    monkeypatch.setattr(made, "validate", slow_validation)


def test_steps_fill_the_time_that_reports_leave(
    folder: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(folder)
    slowed(run.trainer, clock, monkeypatch, step=0.25, validation=1.0)
    run.record = replace(run.record, plan=planned(run.trainer, 100.0, folder))
    clock[0] = 0.0
    run.clock = Clock()
    run.train()
    assert clock[0] == pytest.approx(100.0 - 2.0 - 0.5 - 2.0, abs=1.5)  # what the rehearsal itself took


def test_reports_that_take_long_are_fewer(
    folder: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer()
    slowed(made, clock, monkeypatch, step=0.1, validation=8.0)
    plan = planned(made, 100.0, folder)
    assert plan.steps == pytest.approx((100.0 - 1.0 - 0.25 - 16.0 - 2 * 8.0) / 0.1, abs=5)
    assert -(-plan.steps // plan.report_every) == 2


def test_it_leaves_no_trace(folder: RunFolder) -> None:
    made = trainer()
    for _ in range(3):
        made.train_step(PLAN)
    before, random = weights(made), torch.get_rng_state()
    learning, progress = copy.deepcopy(made.learning()), replace(made.progress)
    planned(made, 1.0, folder)
    assert_equal(weights(made), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(made.state.c, learning.state.c)
    for name, averages in made.learning().optimizer.items():
        assert_equal(averages, learning.optimizer[name])
    assert made.progress == progress
    assert {path.name for path in Path("run").iterdir()} == {".lock"}


def test_a_preview_that_fails_is_left_to_the_run_itself(folder: RunFolder) -> None:
    def fails(seed: int) -> str:
        raise RunError("the model's scores are not finite numbers")

    assert planned(trainer(), 0.5, folder, fails).steps > 0


def test_what_is_chosen_follows_from_how_fast_this_machine_learns_this_text(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, vocab, asked = trainer(), Vocab("\n abcde"), []
    per_step = []

    def step(probe: Trainer, plan: Plan) -> None:
        clock[0] += 0.05
        probe.progress.step += 1
        probe.progress.characters += probe.lanes.batch_size * probe.lanes.seq_len
        per_step.append(probe.lanes.batch_size * probe.lanes.seq_len)

    def choose_and_tell(*arguments: Any) -> list[Choice]:
        asked.append(arguments)
        return choose(*arguments)

    monkeypatch.setattr(Trainer, "train_step", step)
    monkeypatch.setattr(rehearsal, "choose", choose_and_tell)
    config = TrainConfig(minutes=2, device="cpu", dtype="float32", threads=1)
    given: Mapping[str, Any] = {"dropout": 0.3}
    choices = choose_here(vocab, made.parts, config, given)
    assert asked == [(len(made.parts.train), len(vocab), 120.0, pytest.approx(per_step[0] / 0.05), given)]
    assert per_step[0] <= PROBE_BATCH * PROBE_LEN
    assert len(choices) == 7
    assert "dropout" not in {choice.setting for choice in choices}
    assert 120 * 0.01 <= len(per_step) * 0.05 <= 120 * 0.02
    assert choose_here(vocab, made.parts, config, {each.setting: 1 for each in choices} | given) == []
    assert not list(Path().iterdir())
