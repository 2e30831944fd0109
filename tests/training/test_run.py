from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.clock import Clock
from charlstm.config import TextConfig, TrainConfig
from charlstm.errors import RunError
from charlstm.saved import checkpoint
from charlstm.saved.folder import RunFolder
from charlstm.saved.record import RunRecord
from charlstm.text.opening import TextRecord
from charlstm.text.vocab import Vocab
from charlstm.training.plan import plan_steps
from charlstm.training.run import MOST_BAD_STEPS, Run
from tests.training.test_trainer import CONFIG, assert_equal, of_text_and_documents, trainer, weights

CHARACTERS = "\n abcde"
TEXT = TextRecord(places=("a.txt",), config=TextConfig(), given_vocab=False, digest="0", length=200)


def a_run(
    folder: RunFolder, config: TrainConfig = CONFIG, val_fraction: float = 0.1, characters: str = "\n abcde"
) -> Run:
    record = RunRecord(id="1", text=TEXT, train_config=config, plan=plan_steps(config.steps or 24, 15))
    return Run(trainer(config, val_fraction, characters), Vocab(characters), record, folder, Clock())


def restored(run: Run, path: Path) -> Run:
    """The run as it stood at a checkpoint."""
    saved = checkpoint.load(path)
    assert saved.learning
    assert saved.progress
    run.trainer.model.load_state_dict(saved.weights)
    run.trainer.restore(saved.progress, saved.learning)
    return run


@of_text_and_documents
@pytest.mark.parametrize(
    "stop", [pytest.param(1, marks=pytest.mark.slow), 7, pytest.param(12, marks=pytest.mark.slow), 23]
)
def test_a_run_stopped_anywhere_and_resumed_ends_with_the_same_weights(
    folder: RunFolder, stop: int, characters: str
) -> None:
    """24 steps are two epochs of 12, so that the stops are inside, at the end and after the start of one."""
    whole = a_run(folder, characters=characters)
    assert whole.trainer.lanes.batches == 12
    whole.train()
    first = a_run(folder, characters=characters)
    first.train(lambda: first.trainer.progress.step == stop)
    assert first.trainer.progress.step == stop
    torch.manual_seed(99)
    second = restored(a_run(folder, characters=characters), folder.last)
    second.train()
    assert_equal(weights(second.trainer), weights(whole.trainer))
    assert second.trainer.progress.best == whole.trainer.progress.best


@pytest.mark.usefixtures("with_and_without_loops")
def test_a_run_is_the_same_bit_for_bit_however_often_it_is_begun_and_resumed(folder: RunFolder) -> None:
    """With the compiled loops, and without them."""
    config = TrainConfig(**{**vars(CONFIG), "steps": 6})
    whole, parted = a_run(folder, config), a_run(folder, config)
    whole.train()
    parted.train(lambda: parted.trainer.progress.step == 3)
    resumed = restored(a_run(folder, config), folder.last)
    resumed.train()
    assert_equal(weights(resumed.trainer), weights(whole.trainer))


def test_equal_commands_give_equal_weights_whatever_is_reported_and_saved(folder: RunFolder) -> None:
    quiet = a_run(folder)
    quiet.train()
    chatty = a_run(folder, TrainConfig(**{**vars(CONFIG), "checkpoint_every": 1}))
    chatty.preview = lambda seed: "text"
    chatty.train()
    assert_equal(weights(quiet.trainer), weights(chatty.trainer))


def test_metrics_have_a_line_a_report(folder: RunFolder) -> None:
    run = a_run(folder)
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
        "grad_norm",
        "sample",
    ]
    assert min(line["val_bits_per_char"] for line in lines) == run.trainer.progress.best


def reports_of(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


def test_the_norm_of_the_gradient_is_the_mean_of_steps_and_members_before_clipping(folder: RunFolder) -> None:
    run, norms = a_run(folder), []
    clip = run.trainer.members.clip

    def measured(limit: float) -> torch.Tensor:
        gradients = [
            [p.grad.double() for p in member.parameters() if p.grad is not None] for member in run.trainer.model.each
        ]
        norms.append([math.sqrt(sum((each**2).sum().item() for each in of_member)) for of_member in gradients])
        return clip(limit)

    run.trainer.members.clip = measured
    run.train()
    means = [sum(sum(two) / 2 for two in norms[step : step + 3]) / 3 for step in range(0, 24, 3)]
    assert [report["grad_norm"] for report in reports_of(folder)] == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("stop", [1, 2, 3, 7])
def test_a_run_stopped_between_two_reports_reports_what_the_whole_one_does(folder: RunFolder, stop: int) -> None:
    timed = ("seconds", "chars_per_second")
    first = a_run(folder)
    first.train(lambda: first.trainer.progress.step == stop)
    restored(a_run(folder), folder.last).train()
    parts = reports_of(folder)
    a_run(folder).train()
    for part, whole in zip(parts, reports_of(folder), strict=True):
        assert {k: v for k, v in part.items() if k not in timed} == {k: v for k, v in whole.items() if k not in timed}


def test_of_steps_whose_norm_was_not_kept_the_mean_is_not_made(folder: RunFolder) -> None:
    """As where an earlier version saved the run between two reports."""
    first = a_run(folder)
    first.train(lambda: first.trainer.progress.step == 2)
    run = restored(a_run(folder), folder.last)
    run.trainer.progress.norms, run.trainer.progress.normed = 0.0, 0
    run.train(lambda: run.trainer.progress.step == 3)
    norm = reports_of(folder)[0]["grad_norm"]
    whole = a_run(folder)
    whole.train(lambda: whole.trainer.progress.step == 2)
    before = whole.trainer.progress.norms
    whole.trainer.train_step(whole.record.plan)
    assert norm == pytest.approx(whole.trainer.progress.norms - before)


def test_a_report_keeps_its_sample_or_none_where_none_could_be_made(folder: RunFolder) -> None:
    run = a_run(folder)

    def preview(seed: int) -> str:
        if seed == 6:
            raise RunError("not finite")
        return f"text {seed}\n雨"

    run.preview = preview
    run.train()
    assert [report["sample"] for report in reports_of(folder)][:3] == ["text 3\n雨", None, "text 9\n雨"]


def test_whoever_watches_is_told_when_a_report_is_there_to_be_read(folder: RunFolder) -> None:
    run, seen = a_run(folder), []
    run.on_report = lambda report: seen.append((report.step, reports_of(folder)[-1]["step"]))
    run.train()
    assert seen == [(step, step) for step in range(3, 25, 3)]


def test_the_best_is_kept_whole(folder: RunFolder) -> None:
    run = a_run(folder)
    scores = iter([5.0, 3.0, 4.0, 3.5] + [9.0] * 9)
    run.trainer.validate = lambda characters: next(scores)
    run.train()
    best = checkpoint.load(folder.best)
    assert best.progress
    assert best.progress.step == 6
    assert best.progress.best == 3.0
    assert (checkpoint.load(folder.last).progress or best.progress).step == 24
    resumed = restored(a_run(folder), folder.best)
    resumed.train()
    assert_equal(weights(resumed.trainer), weights(run.trainer))


def test_patience_ends_a_run_and_survives_a_resume(folder: RunFolder) -> None:
    run = a_run(folder, TrainConfig(**{**vars(CONFIG), "patience": 3}))
    scores = iter([3.0] + [4.0] * 20)
    run.trainer.validate = lambda characters: next(scores)
    run.train()
    assert run.is_finished
    assert run.trainer.progress.step == 12
    assert restored(run, folder.last).is_finished


def test_without_validation_there_is_no_best_and_no_patience(folder: RunFolder) -> None:
    run = a_run(folder, TrainConfig(**{**vars(CONFIG), "patience": 1}), val_fraction=0.0)
    run.train()
    assert run.trainer.progress.step == 24
    assert folder.last.exists()
    assert not folder.best.exists()
    assert json.loads(folder.metrics.read_text().splitlines()[0])["val_bits_per_char"] is None


def test_a_validation_that_is_not_finite_is_never_the_best(folder: RunFolder) -> None:
    run = a_run(folder)
    scores = iter([float("nan"), 3.0] + [4.0] * 20)
    run.trainer.validate = lambda characters: next(scores)
    run.train()
    assert run.trainer.progress.best == 3.0
    assert json.loads(folder.metrics.read_text().splitlines()[0])["val_bits_per_char"] is None


def test_a_run_whose_last_step_was_skipped_is_finished_all_the_same(folder: RunFolder) -> None:
    run = a_run(folder)

    def spoil() -> bool:
        if run.trainer.progress.step == 23:
            state = run.trainer.state
            run.trainer.state = state._replace(h=torch.full_like(state.h, torch.nan))
        return False

    run.train(spoil)
    assert run.trainer.progress.bad_steps == 1
    assert restored(run, folder.last).is_finished


def test_many_of_them_end_the_run_with_the_last_good_checkpoint(folder: RunFolder) -> None:
    run = a_run(folder, TrainConfig(**{**vars(CONFIG), "steps": 100, "checkpoint_every": 1}))

    def spoil() -> bool:
        if run.trainer.progress.step == 5:
            with torch.no_grad():
                run.trainer.model.members[0].head.bias.fill_(torch.inf)
        return False

    with pytest.raises(RunError, match="lower --learning-rate than 0.007"):
        run.train(spoil)
    assert run.trainer.progress.step == 5 + MOST_BAD_STEPS
    saved = checkpoint.load(folder.last)
    assert saved.progress
    assert saved.progress.step == 5
    assert torch.isfinite(saved.weights["members.0.head.bias"]).all()


def test_bfloat16_trains_and_keeps_full_precision_weights(folder: RunFolder) -> None:
    run = a_run(folder, TrainConfig(**{**vars(CONFIG), "dtype": "bfloat16"}))
    run.train()
    assert {p.dtype for p in run.trainer.model.parameters()} == {torch.float32}
    assert run.trainer.progress.best
    assert run.trainer.progress.best < 3.5
