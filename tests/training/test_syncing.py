from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from charlstm.config import TrainConfig
from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.folder import RunFolder
from charlstm.training.plan import plan_steps
from charlstm.training.processes import STOP, Processes
from charlstm.training.trainer import Trainer
from tests.several import commands, together
from tests.training.test_run import a_run, restored
from tests.training.test_trainer import CONFIG, PLAN, assert_equal, trainer, weights

SELDOM = dataclasses.replace(CONFIG, sync_every=3)


def test_an_outer_step_is_the_papers() -> None:
    """Nesterov's momentum, written a second time: the gradient is how far the inner steps came, the other way round."""
    run, inner = trainer(SELDOM), trainer()
    momentum = {name: torch.zeros_like(weight) for name, weight in weights(inner).items()}
    for _ in range(3):
        begin = weights(inner)
        for _ in range(3):
            inner.train_step(PLAN)
            run.train_step(PLAN)
        end = weights(inner)
        for name, weight in begin.items():
            gradient = weight - end[name]
            momentum[name] = 0.9 * momentum[name] + gradient
            end[name] = weight - 0.7 * (gradient + 0.9 * momentum[name])
        inner.model.load_state_dict(end)
        for name, weight in weights(run).items():
            torch.testing.assert_close(weight, end[name])


def test_the_last_step_is_followed_by_one_too() -> None:
    run, other = trainer(SELDOM), trainer(SELDOM)
    plan = dataclasses.replace(PLAN, steps=4)
    for _ in range(4):
        run.train_step(plan)
        other.train_step(dataclasses.replace(PLAN, steps=5))
    name = "members.0.head.weight"
    assert not torch.equal(weights(run)[name], weights(other)[name])


def test_a_run_that_was_stopped_goes_on_exactly(folder: RunFolder) -> None:
    whole = a_run(folder, SELDOM)
    whole.train()
    first = a_run(folder, SELDOM)
    first.train(lambda: first.trainer.progress.step >= 7)
    assert first.trainer.progress.step == 9  # between two outer steps it wouldn't be the same
    second = restored(a_run(folder, SELDOM), folder.last)
    second.train()
    assert_equal(weights(second.trainer), weights(whole.trainer))
    saved = checkpoint.load(folder.last)
    assert saved.learning
    assert all("momentum" in kept for kept in saved.learning.optimizer.values())


def test_bad_steps_from_the_first_on_do_no_harm() -> None:
    run = trainer(SELDOM)
    before = weights(run)
    for _ in range(3):
        run.state = run.state._replace(h=torch.full_like(run.state.h, torch.nan))
        run._begins_afresh = lambda x, plan: torch.zeros(len(x), dtype=torch.bool)  # type: ignore[method-assign]
        run.train_step(PLAN)
    assert run.progress.bad_steps == 3
    assert_equal(weights(run), before)


def alone_and_together(processes: Processes) -> tuple[list[dict[str, torch.Tensor]], list[int]]:
    """The weights between two outer steps and after the second, and where the run heard that it should stop."""
    run: Trainer = trainer(SELDOM, processes=processes)
    found, heard = [], []
    for step in range(6):
        run.train_step(PLAN)
        if processes.heard(STOP, processes.is_first and step <= 2):
            heard.append(step)
        if step in (4, 5):
            found.append(weights(run))
    return found, heard


def test_between_two_outer_steps_each_process_learns_alone() -> None:
    (first, heard), (second, heard_too), (third, _) = together(3, alone_and_together)
    name = "members.0.head.weight"
    assert not torch.equal(first[0][name], second[0][name])
    assert_equal(first[1], second[1])
    assert_equal(first[1], third[1])
    assert heard == heard_too == [2]  # a step at which all know the same


def test_reports_and_saves_are_at_steps_at_which_all_know_the_same(text: Path) -> None:
    assert plan_steps(1000, 1, sync_every=30).report_every == 120
    with pytest.raises(InputError, match="multiple of sync_every 10"):
        TrainConfig(checkpoint_every=25, sync_every=10)
    size = ["--hidden-size", "8", "--embedding-dim", "4", "--batch-size", "4", "--seq-len", "8", "--dtype", "float32"]
    ended = commands(2, "train", [str(text), *size, "--steps", "31", "--sync-every", "4", "--name", "seldom"])
    assert [each.status for each in ended] == [0, 0], ended
    assert checkpoint.load(Path("checkpoints/seldom/last.pt")).trained()[1].step == 31
