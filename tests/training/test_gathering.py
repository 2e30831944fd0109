from __future__ import annotations

import pytest
import torch

from charlstm.training.gathering import part_of_state
from charlstm.training.processes import Processes
from tests.several import together
from tests.training.test_trainer import CONFIG, PLAN, assert_equal, trainer, weights


def gathered(processes: Processes) -> tuple[bool, list[bool], dict[str, torch.Tensor], list[float]]:
    """Whether the weights of another's members are old before they are brought; and what the first process has then."""
    run = trainer(processes=processes)
    begin = weights(run)
    for _ in range(3):
        run.train_step(PLAN)
    mine = weights(run)
    run.bring_weights()
    learning = run.learning()
    own = part_of_state(learning.state, run.share)
    kept = [torch.equal(ours, theirs) for ours, theirs in zip(own, run.state, strict=True)]
    foreign = [name for name in begin if int(name.split(".")[1]) not in run.share.members]
    was_old = all(torch.equal(begin[name], mine[name]) for name in foreign)
    steps = [float(averages["step"]) for averages in learning.optimizer.values()]
    return was_old, kept, weights(run), steps


@pytest.mark.parametrize("count", [2, 4])
def test_what_each_has_is_brought_together(count: int) -> None:
    told = together(count, gathered)
    for was_old, kept, after, steps in told:
        assert was_old
        assert kept == [True, True]
        assert_equal(after, told[0][2])
        assert steps == [3.0] * len(after)


def test_one_process_has_the_whole_already() -> None:
    run = trainer()
    assert run.learning().optimizer == {}
    run.train_step(PLAN)
    assert run.learning().state is run.state
    other = trainer(CONFIG)
    other.restore(run.progress, run.learning())
    assert torch.equal(other.state.h, run.state.h)
