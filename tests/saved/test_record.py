from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from charlstm.config import from_plain
from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.record import Plan, Progress, RunRecord


@pytest.fixture
def record(run: Callable[..., Path]) -> RunRecord:
    return checkpoint.load(run("--steps", "4", "--test-fraction", "0.1") / "last.pt").trained()[0]


def test_a_record_is_its_plain_values(record: RunRecord) -> None:
    assert record.text.length == 2600
    assert record.train_config.steps == 4
    assert record.chosen == ()
    assert from_plain(RunRecord, asdict(record)) == record


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"report_every": 0}, "report_every must be at least 1"),
        ({"report_every": "x"}, "report_every must be of type int"),
        ({"beta1": 1.0}, "beta1 must be below 1"),
        ({"pace": 1}, "Plan has no 'pace'"),
    ],
)
def test_a_plan_checks_itself(wrong: dict[str, object], told: str) -> None:
    plain = asdict(Plan(steps=1, report_every=1, val_characters=0))
    with pytest.raises(InputError, match=told):
        from_plain(Plan, {**plain, **wrong})
    del plain["steps"]
    with pytest.raises(InputError, match="steps of Plan is missing"):
        from_plain(Plan, plain)


@pytest.mark.parametrize(
    "wrong", [{"step": -1}, {"step": None}, {"seconds": float("nan")}, {"best": "x"}, {"stale": True}]
)
def test_progress_checks_itself(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be"):
        from_plain(Progress, {**asdict(Progress()), **wrong})
    with pytest.raises(InputError, match="Progress must be a dictionary"):
        from_plain(Progress, [3])


def test_speed_and_loss_are_those_since_the_last_report() -> None:
    progress = Progress(nats=70.0, characters=100, seconds=30.0, reported=20.0)
    assert progress.bits_per_char == pytest.approx(1.0099, abs=1e-4)
    assert progress.chars_per_second == 10
    assert Progress().bits_per_char != Progress().bits_per_char  # nothing was learned yet


def test_the_parts_of_a_runs_text(record: RunRecord, run: Callable[..., Path], text: Path) -> None:
    vocab = checkpoint.load(Path("checkpoints/verse/last.pt")).vocab
    parts = [vocab.decode(record.part(name, vocab)) for name in ("train", "val", "test")]
    assert "".join(parts) == text.read_text("utf-8")
    config = replace(record.text.config, test_fraction=0.0)
    with pytest.raises(InputError, match="kept nothing of its text for test"):
        replace(record, text=replace(record.text, config=config)).part("test", vocab)
