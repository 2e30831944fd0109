"""The notebooks of the tour: what is stored, and that they still run."""

from __future__ import annotations

import ast
import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parent.parent
TOURS = ["tour.ipynb", "tour.zh.ipynb"]
LARGEST = 300_000


def read(name: str) -> Any:
    return nbformat.read(ROOT / "docs" / name, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_words(source: str) -> str:
    """A program without its strings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            node.values = [value for value in node.values if isinstance(value, ast.FormattedValue)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


@pytest.mark.parametrize("name", TOURS)
def test_a_stored_notebook_is_valid_short_and_of_no_machine(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert 20 <= len(notebook.cells) <= 30
    assert (ROOT / "docs" / name).stat().st_size < LARGEST
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert all(not cell.metadata for cell in notebook.cells)
    for cell in notebook.cells:
        texts = [cell.source, *(output.get("text", "") for output in cell.get("outputs", []))]
        assert not re.search(r"(?<![\w.])/(home|root|tmp|usr|work|Users|opt|var)\b|\b[A-Z]:\\", "\n".join(texts))


@pytest.mark.parametrize("name", TOURS)
def test_every_picture_is_stored_and_no_warning(name: str) -> None:
    for cell in code(read(name)):
        kinds = [next(iter(output.get("data", {})), output.get("name")) for output in cell.outputs]
        assert set(kinds) <= {"stdout", "image/png"}, cell.source
        assert kinds.count("image/png") == cell.source.count("plt.show()"), cell.source
        assert kinds.count("stdout") == ("print(" in cell.source or "charlstm.fit(text, minutes" in cell.source)
        for output in cell.outputs:
            if "data" in output:
                assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")


def test_both_languages_have_the_same_cells_and_the_same_code_but_for_words() -> None:
    english, chinese = map(read, TOURS)
    one, other = ([(cell.id, cell.cell_type) for cell in notebook.cells] for notebook in (english, chinese))
    assert one == other
    for one, other in zip(code(english), code(chinese), strict=True):
        assert without_words(one.source) == without_words(other.source)


def test_both_texts_have_the_same_sections_and_name_the_same_code() -> None:
    english, chinese = map(read, TOURS)
    for one, other in zip(english.cells, chinese.cells, strict=True):
        if one.cell_type == "markdown":
            named, sections = r"`[^`]+`|^ {4}.*$", r"^#+ \d?"
            assert re.findall(sections, one.source, re.M) == re.findall(sections, other.source, re.M)
            in_english = [each.replace("tour.ipynb", "tour.zh.ipynb") for each in re.findall(named, one.source, re.M)]
            assert sorted(in_english) == sorted(re.findall(named, other.source, re.M))


def test_code_that_differs_is_seen() -> None:
    assert without_words("a = 'x'  # one\nf'{a:.2f} y'") == without_words("a = 'y'\nf'z {a:.2f}'  # other")
    assert without_words("a = 1") != without_words("a = 2")
    assert without_words("print(f'{a}')") != without_words("print(f'{b}')")


@pytest.mark.parametrize("name", TOURS)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https)([^)#]+)", "\n".join(cell.source for cell in read(name).cells))
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", TOURS)
def test_it_runs_from_start_to_end_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for folder, files in (("docs", TOURS), ("corpora", ["harbour.txt", "xiaocheng.txt"])):
        (copy / folder).mkdir(parents=True)
        for file in files:
            shutil.copy(ROOT / folder / file, copy / folder)
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    command = [sys.executable, str(ROOT / "scripts" / "run_tour.py"), str(copy / "docs" / name)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before
