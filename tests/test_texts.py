from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm import checkpoint
from charlstm.errors import InputError
from charlstm.text.vocab import END
from charlstm.texts import part_of_run, text_for

Run = Callable[..., Path]


def test_the_parts_of_a_runs_text(run: Run, text: Path) -> None:
    saved = checkpoint.load(run("--steps", "4", "--test-fraction", "0.1") / "last.pt")
    parts = [saved.vocab.decode(part_of_run(saved, name)) for name in ("train", "val", "test")]
    assert "".join(parts) == text.read_text("utf-8")


def test_a_part_that_was_not_kept(run: Run) -> None:
    saved = checkpoint.load(run("--steps", "4") / "last.pt")
    with pytest.raises(InputError, match="kept nothing of its text for test"):
        part_of_run(saved, "test")


def test_a_text_is_cut_into_documents_as_the_models_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("the hen\nthe vote\n", encoding="utf-8")
    for flags, expected in (
        ((), "the hen\nthe vote\n"),
        (("--documents", "lines"), f"{END}the hen{END}the vote{END}"),
    ):
        name = f"run{len(flags)}"
        run("--steps", "4", *flags, "--name", name)
        saved = checkpoint.load(Path("checkpoints") / name / "last.pt")
        assert saved.vocab.decode(text_for(saved, [str(tmp_path / "other.txt")])) == expected
