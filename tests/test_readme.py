"""What the README tells people to type, typed."""

from __future__ import annotations

import importlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

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

    snippet = README.split("### As a library\n")[1].split("\n`charlstm.")[0]
    exec(re.sub("^    ", "", snippet, flags=re.MULTILINE), {})
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


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_file_is_in_the_picture(name: str) -> None:
    readme = (ROOT / name).read_text("utf-8")
    files = [*(ROOT / "charlstm").rglob("*.py"), *(ROOT / "scripts").iterdir()]
    missing = [file.name for file in files if file.name not in readme and file.name != "__init__.py" and file.is_file()]
    assert missing == []


def test_the_two_readmes_know_the_same_flags() -> None:
    def flags(name: str) -> set[str]:
        return set(re.findall(r"--[a-z][a-z-]+", (ROOT / name).read_text("utf-8")))

    assert flags("README.md") <= flags("README.zh.md")
