from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charlstm import page
from charlstm.page import main


def data_in(file: Path) -> Any:
    found = re.search('<script type="application/json" id="data">(.*?)</script>', file.read_text("utf-8"), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_page_of_the_newest_run_lies_in_its_folder(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "4")
    Path("verse.txt").write_text("The rain is on the river.\n" * 9, "utf-8")
    assert main(["--text", "verse.txt"]) == 0
    data = data_in(folder / "page.html")
    assert data["name"] == folder.name
    assert data["texts"] == [{"name": "verse.txt", "text": "The rain is on the river.\n" * 9}]
    assert data["runs"][0]["reports"][-1]["step"] == 4
    assert f"{folder / 'page.html'}: " in capsys.readouterr().err


def test_several_runs_are_compared_and_the_first_ones_model_writes(run: Callable[..., Path]) -> None:
    run("--steps", "2", "--name", "one")
    run("--steps", "2", "--name", "two", "--cell", "gru")
    assert main(["checkpoints/one", "checkpoints/two/last.pt", "--out", "both.html", "--precision", "float16"]) == 0
    data = data_in(Path("both.html"))
    assert data["precision"] == "float16"
    assert data["model"]["cell"] == "lstm"
    assert len(data["runs"]) == 2


def test_of_a_long_text_the_beginning_is_shown(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import charlstm.web.contents

    monkeypatch.setattr(charlstm.web.contents, "LONGEST", 100)
    Path("long.txt").write_text("rain " * 100, "utf-8")
    assert page.beginning(Path("long.txt"), "utf-8") == "rain " * 20
    assert "long.txt: the page has its first 100 characters" in capsys.readouterr().err


def test_what_is_wrong_is_told_in_a_line(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(run("--steps", "2"))
    Path("empty.txt").write_text("")
    Path("latin.txt").write_bytes("é".encode("latin-1"))
    for arguments, told in [
        (["missing"], "missing: no such checkpoint or run's folder"),
        ([folder, "--text", "missing.txt"], "missing.txt: no such text file"),
        ([folder, "--text", "empty.txt"], "empty.txt: there is nothing in it"),
        ([folder, "--text", "latin.txt"], "latin.txt"),
        ([folder, "--text", "empty.txt", "--encoding", "martian"], "martian"),
        ([folder, "--out", "page.txt"], "page.txt: a page is a file that ends in .html"),
        ([folder, "--out", "nowhere/page.html"], "nowhere: no such folder"),
        ([folder, "--precision", "int4"], "int4"),
    ]:
        capsys.readouterr()
        assert main(arguments) == 2, arguments
        assert told in capsys.readouterr().err.splitlines()[-1]
    assert not Path("page.html").exists()


def test_texts_with_one_name_are_all_there(run: Callable[..., Path]) -> None:
    run("--steps", "2")
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, "a.txt").write_text(f"rain {folder}", "utf-8")
    assert main(["--text", "one/a.txt", "--text", "two/a.txt", "--out", "a.html"]) == 0
    expected = [{"name": "a.txt", "text": "rain one"}, {"name": "a.txt (2)", "text": "rain two"}]
    assert data_in(Path("a.html"))["texts"] == expected


def test_a_model_without_a_run_has_a_page(run: Callable[..., Path]) -> None:
    from charlstm.saved import checkpoint

    saved = checkpoint.load(run("--steps", "2") / "last.pt")
    checkpoint.save(Path("alone.pt"), checkpoint.Checkpoint(saved.model_config, saved.vocab, saved.weights))
    assert main(["alone.pt"]) == 0
    assert data_in(Path("alone.html"))["runs"] == []
