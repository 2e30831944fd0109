"""What the README tells people to type, typed."""

from __future__ import annotations

import importlib
import io
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm import sample

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def commands(section: str) -> list[list[str]]:
    """The command lines of a section, cut into words."""
    text = README.split(f"\n## {section}\n")[1].split("\n#")[0]
    found = re.findall(r"^    python -m charlstm\.(.*)$", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def test_the_everyday_commands_and_the_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("novel.txt").write_text("It was a dark and stormy night. " * 100)
    everyday = commands("Every day")
    assert [command[0] for command in everyday] == ["train", "train", "sample", "sample"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("It is\n"))
    for name, *arguments in everyday:
        quick = ["0.02" if word == "10" else word for word in arguments]
        assert importlib.import_module(f"charlstm.{name}").main(quick) == 0
    text = capsys.readouterr().out
    assert text.startswith("It was")
    assert len(text) == len("It was") + 500 + 1 + len("It is") + 500 + 1

    snippet = README.split("### From Python, and in a notebook\n")[1].split("\n`charlstm.")[0]
    exec(re.sub("^    ", "", snippet, flags=re.MULTILINE).replace("minutes=10", "minutes=0.02, quiet=True"), {})
    printed = capsys.readouterr().out
    assert len(printed) > 300
    assert re.search(r"\d\.\d+\n$", printed)


def test_every_need_has_its_answer() -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", (ROOT / "docs" / "needs.md").read_text("utf-8"), flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 22))
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py"))
    for _, row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named
        assert all(f"def {name}(" in tests for name in named)


@pytest.mark.parametrize("name", ["docs/CODE.md", "docs/CODE.zh.md"])
def test_every_file_is_in_the_picture_and_no_other(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")
    files = [*(ROOT / "charlstm").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")]
    files += [file for file in (ROOT / "scripts").iterdir() if file.is_file()]
    files = [file for file in files if file.name != "__init__.py"]
    names = {file.name for file in files} | {"__init__.py"}
    assert [file for file in map(str, files) if file.rpartition("/")[2] not in page] == []
    assert {name for name in re.findall(r"\b\w+\.py\b", page) if not name.startswith("test_")} <= names


@pytest.mark.parametrize("name", ["README", "docs/GUIDE", "docs/LSTM", "docs/CODE", "docs/OTHER_USES"])
def test_both_languages_know_the_same_flags(name: str) -> None:
    def flags(ending: str) -> set[str]:
        return set(re.findall(r"--[a-z][a-z-]+", (ROOT / f"{name}{ending}").read_text("utf-8")))

    assert flags(".md") == flags(".zh.md")


def test_links_lead_somewhere() -> None:
    pages = {page: page.read_text("utf-8") for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]}
    prose = {page: re.sub(r"```.*?```", "", text, flags=re.S) for page, text in pages.items()}
    links = [(page, link) for page, text in prose.items() for link in re.findall(r"\]\((?!https)([^)#]+)", text)]
    assert len(links) > 20
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_guide_reads_a_checkpoint_without_charlstm(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run("--steps", "60")
    capsys.readouterr()
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/GUIDE.md").read_text("utf-8"), re.S)
    assert "charlstm" not in re.sub(r'"checkpoints/.*?"', "", program)
    exec(program, {})
    character, probability = capsys.readouterr().out.removesuffix("\n").split(" ", 1)
    flags = ["--prime", "T", "--temperature", "0", "--length", "1", "--json", "--precision", "float32"]
    assert sample.main(["checkpoints/verse", *flags]) == 0
    (expected,) = json.loads(capsys.readouterr().out)["characters"]
    assert [character, float(probability)] == [expected[0], pytest.approx(expected[1], rel=1e-4)]
