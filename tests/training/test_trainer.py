from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from charlstm import checkpoint
from charlstm.config import ModelConfig, TrainConfig
from charlstm.errors import RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.text.split import split
from charlstm.text.vocab import END, Vocab
from charlstm.training.folder import RunFolder
from charlstm.training.plan import plan_steps
from charlstm.training.trainer import MOST_BAD_STEPS, Trainer

CONFIG = TrainConfig(batch_size=3, seq_len=5, dtype="float32", device="cpu", steps=24)
IDS = np.random.default_rng(0).integers(0, 7, 200)
IDS[[0, -1]] = 6  # which closes documents, where there are any


SHAPE = ModelConfig(
    vocab_size=7, hidden_size=6, num_layers=2, embedding_dim=4, dropout=0.3, recurrent_dropout=0.2, ensemble_size=2
)


def trainer(
    folder: RunFolder,
    config: TrainConfig = CONFIG,
    val_fraction: float = 0.1,
    characters: str = "\n abcde",
    shape: ModelConfig = SHAPE,
) -> Trainer:
    """A trainer of an ensemble with dropout, so that the random states count."""
    torch.manual_seed(3)
    model = CharLSTM(shape)
    vocab = Vocab(characters)
    made = Trainer(model, vocab, split(IDS, val_fraction, 0.0, 5, vocab.end_id), config, folder, run={})
    made.plan = plan_steps(config.steps or 24, 15)
    return made


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("characters", ["\n abcde", f"\n abcd{END}"], ids=["text", "documents"])
@pytest.mark.parametrize("stop", [1, 7, 12, 23])
def test_a_run_stopped_anywhere_and_resumed_ends_with_the_same_weights(
    folder: RunFolder, stop: int, characters: str
) -> None:
    """24 steps are two epochs of 12, so that the stops are inside, at the end and after the start of one."""
    whole = trainer(folder, characters=characters)
    assert whole.lanes.batches == 12
    whole.train()
    first = trainer(folder, characters=characters)
    first.stopped = lambda: first.progress.step == stop
    first.train()
    assert first.progress.step == stop
    torch.manual_seed(99)
    second = trainer(folder, characters=characters)
    second.restore(checkpoint.load(folder.last))
    second.train()
    assert_equal(weights(second), weights(whole))
    assert second.progress.best == whole.progress.best


def test_equal_commands_give_equal_weights_whatever_is_reported_and_saved(folder: RunFolder) -> None:
    quiet = trainer(folder)
    quiet.train()
    chatty = trainer(folder, TrainConfig(**{**vars(CONFIG), "checkpoint_every": 1}))
    chatty.preview = lambda seed: "text"
    chatty.train()
    assert_equal(weights(quiet), weights(chatty))


def test_the_state_is_carried_through_an_epoch_and_zeroed_at_its_end(folder: RunFolder) -> None:
    run = trainer(folder)
    seen = []
    run.model.members[0].register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    for _ in range(13):
        before, _ = run.state.parted(2)
        run.train_step()
        assert not seen[-1].h.requires_grad
        assert torch.equal(seen[-1].h, before.h) or not seen[-1].h.any()
    assert [bool(state.h.any()) for state in seen] == [False] + [True] * 11 + [False]


def test_metrics_have_a_line_a_report(folder: RunFolder) -> None:
    run = trainer(folder)
    run.train()
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(3, 25, 3))
    assert list(lines[0]) == [
        "step",
        "epoch",
        "seconds",
        "learning_rate",
        "train_bits_per_char",
        "val_bits_per_char",
        "chars_per_second",
    ]
    assert min(line["val_bits_per_char"] for line in lines) == run.progress.best


def test_the_best_is_kept_whole(folder: RunFolder) -> None:
    run = trainer(folder)
    scores = iter([5.0, 3.0, 4.0, 3.5] + [9.0] * 9)
    run.validate = lambda: next(scores)
    run.train()
    best = checkpoint.load(folder.best)
    assert best.progress["step"] == 6
    assert best.progress["best"] == 3.0
    assert checkpoint.load(folder.last).progress["step"] == 24
    resumed = trainer(folder)
    resumed.restore(best)
    resumed.train()
    assert_equal(weights(resumed), weights(run))


def test_patience_ends_a_run_and_survives_a_resume(folder: RunFolder) -> None:
    run = trainer(folder, TrainConfig(**{**vars(CONFIG), "patience": 3}))
    scores = iter([3.0] + [4.0] * 20)
    run.validate = lambda: next(scores)
    run.train()
    assert run.is_finished
    assert run.progress.step == 12
    run.restore(checkpoint.load(folder.last))
    assert run.is_finished


def test_without_validation_there_is_no_best_and_no_patience(folder: RunFolder) -> None:
    run = trainer(folder, TrainConfig(**{**vars(CONFIG), "patience": 1}), val_fraction=0.0)
    run.train()
    assert run.progress.step == 24
    assert folder.last.exists()
    assert not folder.best.exists()
    assert json.loads(folder.metrics.read_text().splitlines()[0])["val_bits_per_char"] is None


def test_a_step_without_a_finite_gradient_is_skipped(folder: RunFolder) -> None:
    run = trainer(folder)
    run.train_step()
    before = weights(run)
    run.state = run.state._replace(h=torch.full_like(run.state.h, torch.nan))
    run.train_step()
    assert_equal(weights(run), before)
    assert run.progress.bad_steps == 1
    run.train_step()
    assert run.progress.bad_steps == 0
    assert not torch.equal(run.model.members[0].head.weight, before["members.0.head.weight"])


def test_a_validation_that_is_not_finite_is_never_the_best(folder: RunFolder) -> None:
    run = trainer(folder)
    scores = iter([float("nan"), 3.0] + [4.0] * 20)
    run.validate = lambda: next(scores)
    run.train()
    assert run.progress.best == 3.0
    assert json.loads(folder.metrics.read_text().splitlines()[0])["val_bits_per_char"] is None


def test_a_run_whose_last_step_was_skipped_is_finished_all_the_same(folder: RunFolder) -> None:
    run = trainer(folder)

    def spoil() -> bool:
        if run.progress.step == 23:
            run.state = run.state._replace(h=torch.full_like(run.state.h, torch.nan))
        return False

    run.stopped = spoil
    run.train()
    assert run.progress.bad_steps == 1
    run.restore(checkpoint.load(folder.last))
    assert run.is_finished


def test_many_of_them_end_the_run_with_the_last_good_checkpoint(folder: RunFolder) -> None:
    run = trainer(folder, TrainConfig(**{**vars(CONFIG), "steps": 100, "checkpoint_every": 1}))

    def spoil() -> bool:
        if run.progress.step == 5:
            with torch.no_grad():
                run.model.members[0].head.bias.fill_(torch.inf)
        return False

    run.stopped = spoil
    with pytest.raises(RunError, match="lower --learning-rate than 0.007"):
        run.train()
    assert run.progress.step == 5 + MOST_BAD_STEPS
    saved = checkpoint.load(folder.last)
    assert saved.progress["step"] == 5
    assert torch.isfinite(saved.weights["members.0.head.bias"]).all()


def test_bfloat16_trains_and_keeps_full_precision_weights(folder: RunFolder) -> None:
    run = trainer(folder, TrainConfig(**{**vars(CONFIG), "dtype": "bfloat16"}))
    run.train()
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert run.progress.best
    assert run.progress.best < 3.5


@pytest.mark.parametrize("characters", ["\n abcde", f"\n abcd{END}"], ids=["text", "documents"])
def test_some_lanes_go_on_with_nothing_read_before(folder: RunFolder, characters: str) -> None:
    """All where an epoch begins, each in its turn, and documents at their beginning."""
    run = trainer(folder, characters=characters)
    handed: list[State] = []
    run.model.members[0].register_forward_pre_hook(lambda module, given: handed.append(given[1]))
    fresh = []
    for step in range(24):
        run.train_step()
        fresh.append((handed[-1].h == 0).all(dim=2).all(dim=0).tolist())
        begins = (run.lanes.batch(step)[0][:, 0] == 6).tolist()
        turn = [step == 0, step == 21, step == 42]
        expected = [a or b for a, b in zip(turn, begins, strict=True)] if run.end == 6 else turn
        assert fresh[-1] == ([True] * 3 if step % 12 == 0 else expected)
    assert 6 < sum(map(sum, fresh)) < 36


def test_a_run_that_was_planned_without_fresh_beginnings_has_none(folder: RunFolder) -> None:
    run = trainer(folder)
    run.plan = dataclasses.replace(run.plan, fresh_every=0)
    run.progress.step = 21  # where the second lane would have its turn
    assert not run._fresh(run.lanes.batch(21)[0]).any()
