from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from charlstm import runs, train
from charlstm.clock import Clock
from charlstm.errors import InputError, Notice
from charlstm.given import Given
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint
from charlstm.saved.folder import RunFolder, read_metrics
from charlstm.training.run import Run
from tests.conftest import TINY

NOTHING = Given({}, {}, {})


@pytest.fixture
def last(run: Callable[..., Path]) -> Path:
    return run("--steps", "4", "--test-fraction", "0.1") / "last.pt"


@pytest.fixture
def folder(last: Path) -> Iterator[RunFolder]:
    with RunFolder(last.parent) as entered:
        yield entered


def changed(path: Path, **settings: object) -> Path:
    saved = checkpoint.load(path)
    record, _ = saved.trained()
    record = replace(record, train_config=replace(record.train_config, **settings))
    checkpoint.save(path, replace(saved, run=record))
    return path


def resumed(path: Path, folder: RunFolder, given: Given = NOTHING) -> Run:
    return runs.resume(path, [], given, folder, Clock())


def test_what_is_recorded_is_what_was_done(last: Path) -> None:
    config = checkpoint.load(last).trained()[0].train_config
    assert config.device in ("cpu", "cuda", "mps")
    assert config.dtype == "float32"
    assert config.threads == torch.get_num_threads()


def test_a_run_from_another_device_goes_on_here_with_a_warning(
    last: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.warns(Notice, match="began on cuda, and continues on cpu: not bit for bit"):
        run = resumed(changed(last, device="cuda"), folder)
    assert run.trainer.device.type == "cpu"


def test_a_run_with_more_threads_than_processors_keeps_them_unless_told_otherwise(
    last: Path, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with pytest.warns(Notice, match="6 threads on 1 processors: --threads 1 is faster"):
        run = resumed(changed(last, threads=6), folder)
    assert run.trainer.config.threads == torch.get_num_threads() == 6
    with pytest.warns(Notice, match="began with 6 threads, and continues with 1"):
        run = resumed(last, folder, replace(NOTHING, train={"threads": 1}))
    assert run.trainer.config.threads == torch.get_num_threads() == 1


def test_a_length_given_again_changes_nothing(last: Path, folder: RunFolder) -> None:
    assert resumed(last, folder, replace(NOTHING, train={"steps": 4})).is_finished


@pytest.mark.parametrize("longer", [{"steps": 90}, {"epochs": 3.0}, {"minutes": 0.2}])
def test_a_run_that_patience_ended_goes_on_when_it_is_made_longer(
    longer: dict[str, float], last: Path, folder: RunFolder
) -> None:
    saved = checkpoint.load(changed(last, patience=1))
    saved.trained()[1].stale = 1
    checkpoint.save(last, saved)
    assert resumed(last, folder).is_finished
    run = resumed(last, folder, replace(NOTHING, train=longer))
    assert run.trainer.progress.stale == 0
    assert not run.is_finished


def test_the_best_is_read_again_when_a_longer_run_reads_more_to_validate(last: Path, folder: RunFolder) -> None:
    record, before = checkpoint.load(last).trained()
    run = resumed(last, folder, replace(NOTHING, train={"steps": 4000}))
    assert run.record.plan.val_characters > record.plan.val_characters
    best = run.trainer.progress.best
    run.trainer.model.load_state_dict(checkpoint.load(folder.best).weights)
    assert run.trainer.validate(run.record.plan.val_characters) == best != before.best


def test_a_damaged_checkpoint_does_not_block_another(last: Path, folder: RunFolder) -> None:
    longer = replace(NOTHING, train={"steps": 4000})
    whole = folder.best.read_bytes()
    folder.best.write_text("damaged")
    assert resumed(last, folder, longer).trainer.progress.best is None
    folder.best.write_bytes(whole)
    last.write_text("damaged")
    assert resumed(folder.best, folder, longer).record.plan.steps == 4000


def test_a_checkpoint_in_a_folder_of_other_files_is_given_its_own(last: Path) -> None:
    """Whose `metrics.jsonl` would be written over, as it is a common name."""
    foreign = Path("elsewhere/metrics.jsonl")
    foreign.parent.mkdir()
    foreign.write_text('{"step": 1000, "val_bits_per_char": 1.0}\\nnotes\\n')
    shutil.copy(last, "elsewhere/model.pt")
    before = foreign.read_bytes()
    with RunFolder(foreign.parent) as other, pytest.raises(InputError, match="has files that may be of another run"):
        resumed(Path("elsewhere/model.pt"), other)
    assert foreign.read_bytes() == before


def test_the_new_place_of_the_text_is_remembered(last: Path, folder: RunFolder, text: Path, tmp_path: Path) -> None:
    text.rename(tmp_path / "moved.txt")
    runs.resume(last, [str(tmp_path / "moved.txt")], NOTHING, folder, Clock())
    assert checkpoint.load(last).trained()[0].text.places == (str(tmp_path / "moved.txt"),)


def test_an_earlier_checkpoint_keeps_the_reports_until_their_steps_come_again(last: Path, folder: RunFolder) -> None:
    shutil.copy(last, folder.best)
    folder.append_metrics({"step": 9, "val_bits_per_char": 1.0})
    before = folder.metrics.read_bytes()
    resumed(folder.best, folder, replace(NOTHING, train={"steps": 8})).train(lambda: True)
    assert folder.metrics.read_bytes() == before
    resumed(folder.best, folder, replace(NOTHING, train={"steps": 10})).train()
    assert [report["step"] for report in read_metrics(folder.metrics, 100)] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


def test_a_best_of_another_shape_is_no_best(last: Path, folder: RunFolder) -> None:
    saved = checkpoint.load(last)
    config = replace(saved.model_config, hidden_size=8)
    weights = CharLSTM(config).state_dict()
    checkpoint.save(folder.best, replace(saved, model_config=config, weights=weights, learning=None))
    run = resumed(last, folder, replace(NOTHING, train={"steps": 4000}))
    assert run.trainer.progress.best is None


def test_two_trainings_in_two_threads_have_the_weights_of_their_seeds(text: Path) -> None:
    def weights(name: str) -> dict[str, torch.Tensor]:
        assert train.main([str(text), "--name", name, *TINY, "--steps", "3"]) == 0
        return checkpoint.load(Path("checkpoints") / name / "last.pt").weights

    alone = weights("alone")
    with ThreadPoolExecutor(2) as pool:
        for each in pool.map(weights, ["one", "other", "third", "fourth"]):
            assert all(torch.equal(each[name], alone[name]) for name in alone)
