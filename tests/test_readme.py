"""What the README tells people to type, typed."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def commands(section: str) -> list[list[str]]:
    """The command lines of a section, cut into words."""
    text = README.split(f"\n## {section}\n")[1].split("\n#")[0]
    found = re.findall(r"^    python -m charlstm\.(.*)$", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def test_the_everyday_commands_and_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    Path("novel.txt").write_text("It was a dark and stormy night. " * 100)
    everyday = commands("Every day")
    assert [command[0] for command in everyday] == ["train", "train", "sample"]
    for name, *arguments in everyday:
        quick = ["0.02" if word == "10" else word for word in arguments]
        assert importlib.import_module(f"charlstm.{name}").main(quick) == 0
    text = capsys.readouterr().out
    assert text.startswith("It was")
    assert len(text) == len("It was") + 500 + 1

    snippet = README.split("### As a library\n")[1].split("\n`charlstm.")[0]
    exec(re.sub("^    ", "", snippet, flags=re.MULTILINE), {})
    printed = capsys.readouterr().out
    assert len(printed) > 300
    assert re.search(r"\d\.\d+\n$", printed)


def test_every_file_is_in_the_picture() -> None:
    files = [*(ROOT / "charlstm").rglob("*.py"), *(ROOT / "scripts").iterdir()]
    missing = [file.name for file in files if file.name not in README and file.name != "__init__.py" and file.is_file()]
    assert missing == []
