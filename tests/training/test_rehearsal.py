from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.config import TrainConfig
from charlstm.errors import RunError
from charlstm.training import rehearsal
from charlstm.training.folder import RunFolder
from charlstm.training.plan import PROBE_BATCH, PROBE_LEN, Choice, choose
from charlstm.training.rehearsal import choose_here, plan_seconds
from charlstm.training.trainer import Trainer
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
        clock[0] += 0.25
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


def test_a_preview_that_fails_is_left_to_the_run_itself(folder: RunFolder) -> None:
    run = trainer(folder)

    def fails(seed: int) -> str:
        raise RunError("the model's scores are not finite numbers")

    run.preview = fails
    assert plan_seconds(run, 0.5).steps > 0


def test_what_is_chosen_follows_from_how_fast_this_machine_learns_this_text(
    folder: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = trainer(folder), []
    per_step = []

    def step(probe: Trainer) -> None:
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
    choices = choose_here(run.vocab, run.parts, config, folder, given)
    assert asked == [(len(run.parts.train), len(run.vocab), 120.0, pytest.approx(per_step[0] / 0.05), given)]
    assert per_step[0] <= PROBE_BATCH * PROBE_LEN
    assert len(choices) == 7
    assert "dropout" not in {choice.setting for choice in choices}
    assert 120 * 0.02 <= len(per_step) * 0.05 <= 120 * 0.04
    assert choose_here(run.vocab, run.parts, config, folder, {each.setting: 1 for each in choices} | given) == []
    assert list(folder.path.iterdir()) == [folder.path / ".lock"]
