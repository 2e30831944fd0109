from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from charlstm.config import ModelConfig, TrainConfig
from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.text.split import split
from charlstm.text.vocab import END, Vocab
from charlstm.training.plan import plan_steps
from charlstm.training.processes import ALONE, Processes
from charlstm.training.trainer import Trainer

CONFIG = TrainConfig(batch_size=3, seq_len=5, dtype="float32", device="cpu", steps=24)
PLAN = plan_steps(24, 15)
IDS = np.random.default_rng(0).integers(0, 7, 200)
IDS[[0, -1]] = 6  # which closes documents, where there are any


SHAPE = ModelConfig(
    vocab_size=7, hidden_size=6, num_layers=2, embedding_dim=4, dropout=0.3, recurrent_dropout=0.2, ensemble_size=2
)

of_text_and_documents = pytest.mark.parametrize("characters", ["\n abcde", f"\n abcd{END}"], ids=["text", "documents"])


def trainer(
    config: TrainConfig = CONFIG,
    val_fraction: float = 0.1,
    characters: str = "\n abcde",
    processes: Processes = ALONE,
    shape: ModelConfig = SHAPE,
) -> Trainer:
    """A trainer of an ensemble with dropout, so that random numbers count."""
    torch.manual_seed(3)
    end = Vocab(characters).end_id
    made = Trainer(CharLSTM(shape), split(IDS, val_fraction, 0.0, 5, end), config, end, processes)
    made.model.train()
    return made


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_state_is_carried_through_an_epoch_and_zeroed_at_its_end() -> None:
    run = trainer()
    seen = []
    run.model.members[0].register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    for _ in range(13):
        before, _ = run.state.split(2)
        run.train_step(PLAN)
        assert not seen[-1].h.requires_grad
        assert torch.equal(seen[-1].h, before.h) or not seen[-1].h.any()
    assert [bool(state.h.any()) for state in seen] == [False] + [True] * 11 + [False]


def test_a_step_without_a_finite_gradient_is_skipped() -> None:
    run = trainer()
    run.train_step(PLAN)
    before = weights(run)
    run.state = run.state._replace(h=torch.full_like(run.state.h, torch.nan))
    run.train_step(PLAN)
    assert_equal(weights(run), before)
    assert run.progress.bad_steps == 1
    run.train_step(PLAN)
    assert run.progress.bad_steps == 0
    assert not torch.equal(run.model.members[0].head.weight, before["members.0.head.weight"])


def test_a_step_depends_on_its_number_and_on_nothing_that_happened_before() -> None:
    """A preview, a test of speed, or anything else that draws random numbers can't disturb a training."""
    results = []
    for disturbed in (False, True):
        run = trainer()
        for _ in range(3):
            if disturbed:
                torch.manual_seed(99)
                run.model.train()(torch.zeros(1, 2, dtype=torch.long), run.model.initial_state(1))
            run.train_step(PLAN)
        results.append(weights(run))
    assert_equal(*results)


def test_another_seed_drops_other_units() -> None:
    results = []
    for seed in (1, 1, 2):
        run = trainer(dataclasses.replace(CONFIG, seed=seed))
        run.train_step(PLAN)
        results.append(weights(run)["members.0.head.weight"])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_a_state_of_other_lanes_is_refused() -> None:
    run, other = trainer(), trainer(dataclasses.replace(CONFIG, batch_size=2))
    with pytest.raises(InputError, match="its state has 2 lanes, and its text 3"):
        run.restore(run.progress, other.learning())


@of_text_and_documents
def test_some_lanes_go_on_with_nothing_read_before(characters: str) -> None:
    """All where an epoch begins, each in its turn, and documents at their beginning."""
    run = trainer(characters=characters)
    handed: list[State] = []
    run.model.members[0].register_forward_pre_hook(lambda module, given: handed.append(given[1]))
    fresh = []
    for step in range(24):
        run.train_step(PLAN)
        fresh.append((handed[-1].h == 0).all(dim=2).all(dim=0).tolist())
        begins = (run.lanes.batch(step)[0][:, 0] == 6).tolist()
        turn = [step == 0, step == 21, step == 42]
        expected = [a or b for a, b in zip(turn, begins, strict=True)] if run.end == 6 else turn
        assert fresh[-1] == ([True] * 3 if step % 12 == 0 else expected)
    assert 6 < sum(map(sum, fresh)) < 36


def test_a_run_that_was_planned_without_fresh_beginnings_has_none() -> None:
    run = trainer()
    run.progress.step = 21  # where the second lane would have its turn
    assert not run._begins_afresh(run.lanes.batch(21)[0], dataclasses.replace(PLAN, fresh_every=0)).any()
