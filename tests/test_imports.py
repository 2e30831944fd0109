"""Imports run one way: each part of the package stands on the floors below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "charlstm"

FLOORS = [
    {"errors"},
    {"terminal", "config", "files", "clock", "randomness", "interruption"},
    {"loops"},
    {"device"},
    {"text", "model", "cli", "screen"},
    {"saved", "inside"},
    {"training", "sampling"},
    {"web", "writer"},
    {"generator", "given", "earlier"},
    {"runs", "draft", "watch", "arguments"},
    {"play", "job"},
    {"fitting"},
    {"__init__"},
    {"train", "sample", "evaluate", "show", "page"},
]
"""The parts of the package from the ground up. Each may import what is on the floors below it, and itself."""


def imported(file: Path) -> set[str]:
    parts = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "charlstm":
            names = node.module.split(".")
            parts |= {names[1]} if len(names) > 1 else {a.name for a in node.names if not a.name.startswith("_")}
        elif isinstance(node, ast.Import):
            parts |= {a.name.split(".")[1] for a in node.names if a.name.startswith("charlstm.")}
    return parts


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: f.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(file: Path) -> None:
    part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    floor = next(number for number, parts in enumerate(FLOORS) if part in parts)
    assert imported(file) <= set().union(*FLOORS[:floor], {part})


def test_every_module_has_a_test_module() -> None:
    tests = {path.name for path in Path(__file__).parent.rglob("test_*.py")}
    modules = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert [path.name for path in modules if f"test_{path.name}" not in tests] == []
