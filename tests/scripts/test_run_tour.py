from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

BAR = "from tqdm.auto import tqdm\nprint('one')\nfor _ in tqdm(range(2)):\n    pass\nprint('two')"
PLACE = "import sys, os\nprint(sys.executable, os.path.basename(os.getcwd()))"


@pytest.fixture
def command(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("run_tour")


def notebook(*cells: str, name: str = "tour.ipynb") -> Path:
    """A file with a title and these cells of code."""
    made = nbformat.v4.new_notebook(metadata={"widgets": {"of": "before"}})
    made.cells = [nbformat.v4.new_markdown_cell("# A title"), *map(nbformat.v4.new_code_cell, cells)]
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    nbformat.write(made, path)
    return path


def stored(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def test_what_was_shown_is_kept_but_for_widgets(
    command: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoy = Path("jupyter/kernels/python3/kernel.json")
    decoy.parent.mkdir(parents=True)
    decoy.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "no Python", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(Path("jupyter").absolute()))
    path = notebook(PLACE, BAR, name="folder/tour.ipynb")
    assert command.main(["--save", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("folder/tour.ipynb: 3 cells, ")
    assert said.err.count("\n") == 1
    kept = stored(path)
    place, bar = ([dict(output) for output in cell.outputs] for cell in kept.cells[1:])
    assert place == [{"output_type": "stream", "name": "stdout", "text": f"{sys.executable} folder\n"}]
    assert bar == [{"output_type": "stream", "name": "stdout", "text": "one\ntwo\n"}]
    assert [cell.execution_count for cell in kept.cells[1:]] == [1, 2]
    assert kept.metadata == command.METADATA


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("before = 1\n1 / 0", "(before = 1): ZeroDivisionError: division by zero\n"),
        ("import warnings\nwarnings.warn('old')", "(import warnings): it wrote to stderr: "),
        ("import os\nos._exit(1)", "(import os): Kernel died"),
    ],
)
def test_an_error_names_its_cell_in_one_line_and_nothing_is_kept(
    command: ModuleType, capsys: pytest.CaptureFixture[str], cell: str, why: str
) -> None:
    path = notebook("1 + 1", cell, "print(2)")
    before = path.read_bytes()
    assert command.main(["--save", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"run_tour: tour.ipynb, cell 3 {why}")
    assert said.count("\n") == 1
    assert path.read_bytes() == before


def test_what_is_no_notebook_is_told_before_any_runs(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    path = notebook("open('trace', 'w')")
    for contents in ("{}", "no JSON", '{"nbformat": 4, "nbformat_minor": 5, "cells": 3, "metadata": {}}'):
        Path("other.ipynb").write_text(contents)
        assert command.main([str(path), "other.ipynb"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("run_tour: other.ipynb: no notebook: ")
        assert said.count("\n") == 1
    assert command.main([str(path), "missing.ipynb"]) == 2
    assert "missing.ipynb: no such file" in capsys.readouterr().err
    assert not Path("trace").exists()


@pytest.mark.parametrize("name", ["nbclient", "ipykernel", "ipywidgets", "matplotlib"])
def test_what_is_missing_is_named_with_its_extra(
    command: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    assert command.main(["tour.ipynb"]) == 2
    line = f"run_tour: notebooks need {name}: python -m pip install -e '.[notebook]'\n"
    assert capsys.readouterr().err == line
