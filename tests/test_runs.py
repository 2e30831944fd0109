from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charlstm import checkpoint, runs
from charlstm.errors import Notice
from charlstm.training.folder import RunFolder

NOTHING = runs.Given({}, {}, {})


@pytest.fixture
def last(run: Callable[..., Path]) -> Path:
    return run("--steps", "4", "--test-fraction", "0.1") / "last.pt"


@pytest.fixture
def folder(last: Path) -> Iterator[RunFolder]:
    with RunFolder(last.parent) as entered:
        yield entered


def changed(path: Path, **settings: object) -> Path:
    saved = checkpoint.load(path)
    saved.run["train_config"].update(settings)
    checkpoint.save(path, saved)
    return path


def test_what_is_recorded_is_what_was_done(last: Path) -> None:
    config = checkpoint.load(last).run["train_config"]
    assert config["device"] in ("cpu", "cuda", "mps")
    assert config["dtype"] == "float32"
    assert config["threads"] == torch.get_num_threads()


def test_a_run_from_another_device_goes_on_here_with_a_warning(
    last: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.warns(Notice, match="began on cuda and goes on on cpu: not bit for bit"):
        trainer = runs.resume(changed(last, device="cuda"), [], NOTHING, folder)
    assert trainer.device.type == "cpu"


def test_a_run_with_more_threads_than_processors_keeps_them_unless_told_otherwise(
    last: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with pytest.warns(Notice, match="6 threads on 1 processors: --threads 1 is faster"):
        trainer = runs.resume(changed(last, threads=6), [], NOTHING, folder)
    assert trainer.config.threads == torch.get_num_threads() == 6
    with pytest.warns(Notice, match="began with 6 threads and goes on with 1"):
        trainer = runs.resume(last, [], replace(NOTHING, train={"threads": 1}), folder)
    assert trainer.config.threads == torch.get_num_threads() == 1


def test_a_length_given_again_changes_nothing(last: Path, folder: RunFolder) -> None:
    trainer = runs.resume(last, [], replace(NOTHING, train={"steps": 4}), folder)
    assert trainer.is_finished


@pytest.mark.parametrize("longer", [{"steps": 90}, {"epochs": 3.0}, {"minutes": 0.02}])
def test_a_run_that_patience_ended_goes_on_when_it_is_made_longer(
    longer: dict[str, float], last: Path, folder: RunFolder
) -> None:
    saved = checkpoint.load(changed(last, patience=1))
    saved.progress["stale"] = 1
    checkpoint.save(last, saved)
    assert runs.resume(last, [], NOTHING, folder).is_finished
    trainer = runs.resume(last, [], replace(NOTHING, train=longer), folder)
    assert trainer.progress.stale == 0
    assert not trainer.is_finished


def test_the_best_is_read_again_when_a_longer_run_reads_more_to_validate(last: Path, folder: RunFolder) -> None:
    before = checkpoint.load(last)
    trainer = runs.resume(last, [], replace(NOTHING, train={"steps": 4000}), folder)
    assert trainer.plan.val_characters > before.run["plan"]["val_characters"]
    best = trainer.progress.best
    trainer.model.load_state_dict(checkpoint.load(folder.best).weights)
    assert trainer.validate() == best != before.progress["best"]


def test_a_damaged_checkpoint_does_not_block_another(last: Path, folder: RunFolder) -> None:
    longer = replace(NOTHING, train={"steps": 4000})
    whole = folder.best.read_bytes()
    folder.best.write_text("damaged")
    assert runs.resume(last, [], longer, folder).progress.best is None
    folder.best.write_bytes(whole)
    last.write_text("damaged")
    assert runs.resume(folder.best, [], longer, folder).plan.steps == 4000
