"""Imports run one way: each part of the package stands only on those named here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "charlstm"

FOUNDATION = {"errors", "config", "files", "device"}
ALLOWED = {
    "errors": set(),
    "config": {"errors"},
    "files": {"errors"},
    "device": {"errors"},
    "interruption": set(),
    "cli": {"errors", "config", "__init__"},
    "text": FOUNDATION,
    "model": FOUNDATION,
    "sampling": FOUNDATION | {"model"},
    "checkpoint": FOUNDATION | {"text"},
    "training": FOUNDATION | {"text", "model", "checkpoint"},
    "generator": FOUNDATION | {"text", "model", "sampling", "training", "checkpoint"},
    "record": FOUNDATION | {"text", "checkpoint"},
    "runs": FOUNDATION | {"text", "model", "training", "checkpoint", "generator", "record"},
    "texts": FOUNDATION | {"text", "checkpoint", "record"},
    "draft": FOUNDATION | {"text", "model", "sampling", "generator"},
    "play": FOUNDATION | {"cli", "text", "generator", "draft", "interruption"},
    "__init__": {"errors", "generator"},
    "train": None,
    "sample": None,
    "evaluate": None,
    "show": None,
}
"""What each part may import; None: anything, since it is an entry point, which nothing imports."""


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
    found = imported(file) - {part}
    allowed = ALLOWED[part]
    entry_points = {name for name, stands_on in ALLOWED.items() if stands_on is None}
    assert not found & entry_points
    if allowed is not None:
        assert found <= allowed


def test_every_module_has_a_test_module() -> None:
    tests = {path.name for path in Path(__file__).parent.rglob("test_*.py")}
    modules = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert [path.name for path in modules if f"test_{path.name}" not in tests] == []
