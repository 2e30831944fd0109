from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm.earlier import began_with, check_resumable, loaded, refuse_taken, run_of
from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.folder import RunFolder
from charlstm.training.processes import ALONE


def test_what_a_run_has_left_is_known(run: Callable[..., Path]) -> None:
    folder = RunFolder(run("--steps", "3"))
    record, progress, learning = check_resumable(loaded(folder.last, ALONE), folder.last)
    assert progress.step == 3
    assert learning.optimizer
    assert began_with(folder, record.command)
    assert not began_with(folder, f"{record.command} --seed 2")
    with pytest.raises(InputError, match="a run is here already"):
        refuse_taken(folder)


def test_where_nothing_was_left_a_run_can_begin(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert not began_with(folder, "python -m charlstm.train")
    refuse_taken(folder)
    (tmp_path / "last.pt").write_bytes(b"no checkpoint")
    assert run_of(folder.last) is None
    assert not began_with(folder, "python -m charlstm.train")


def test_a_model_that_was_loaded_cannot_go_on(run: Callable[..., Path]) -> None:
    from dataclasses import replace

    saved = replace(checkpoint.load(run("--steps", "2") / "last.pt"), learning=None)
    with pytest.raises(InputError, match=r"somewhere: has the weights, and not what a training needs"):
        check_resumable(saved, "somewhere")
