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


def test_the_parts_of_a_runs_text(last: Path, text: Path) -> None:
    saved = checkpoint.load(last)
    parts = [saved.vocab.decode(runs.part_of_run(saved, name)) for name in ("train", "val", "test")]
    assert "".join(parts) == text.read_text("utf-8")


def test_a_run_from_another_device_goes_on_here_with_a_warning(
    last: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.warns(Notice, match="began on cuda and goes on on cpu: not bit for bit"):
        trainer = runs.resume(changed(last, device="cuda"), [], NOTHING, folder)
    assert trainer.device.type == "cpu"


def test_a_run_with_more_threads_than_there_are_goes_on_with_a_warning(
    last: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with pytest.warns(Notice, match="began with 640 threads and goes on with 1"):
        trainer = runs.resume(changed(last, threads=640), [], NOTHING, folder)
    assert trainer.config.threads == 1


def test_a_length_given_again_changes_nothing(last: Path, folder: RunFolder) -> None:
    trainer = runs.resume(last, [], replace(NOTHING, train={"steps": 4}), folder)
    assert trainer.is_finished
