from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from charlstm import train
from tests.conftest import TINY

FEW = ["--characters=8", "--bytes=20000", "--rounds=1"]


@pytest.fixture
def bench(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for contests in ("sampling_contests", "reading_contests"):
        script(contests)
    module = script("bench")
    for shape in module.SHAPES:
        monkeypatch.setitem(module.SHAPES, shape, module.SHAPES[shape]._replace(size=8, embedding=4))
    return module


@pytest.mark.slow
def test_every_contestant_has_a_figure(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = type("Done", (), {"stdout": "0.25"})
    monkeypatch.setattr(bench.reading_contests.subprocess, "run", lambda *command, **how: done)
    for name in bench.CONTESTANTS:
        if bench.sampling_contests.KERAS not in name:
            monkeypatch.setattr(sys, "argv", ["bench.py", *FEW, "--only", name])
            bench.main()
            assert json.loads(capsys.readouterr().out) >= 0


def in_own_process(python: str, file: str, arguments: list[str]) -> float:
    """Stands for a run of a contestant."""
    name = arguments[-1]
    if "limit" in name or "products" in name:
        return 500.0
    return 100.0 if "loop" in name else 200.0 if "without" in name else 400.0


def test_the_figures_are_told_with_what_they_are_to_one_another(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("turns.in_own_process", in_own_process)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "numba" or None)
    monkeypatch.setattr(sys, "argv", ["bench.py", *FEW, "--json", "figures.json"])
    bench.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert " ".join(lines[0]) == "1 x 384, characters per second charlstm to it without numba to it"
    assert lines[1:3] == [["charlstm", "400"], ["charlstm,", "without", "numba", "200"]]
    assert [line[-3:] for line in lines if "nn.LSTMCell" in line] == [["100", "4.00", "2.00"]] * 4
    assert [line[-3:] for line in lines if "limit:" in line] == [["500", "0.80", "0.40"]] * 5
    assert [line[-2:] for line in lines if "dictionary" in line] == [["100", "4.00"]] * 3
    figures = json.loads(Path("figures.json").read_text())
    assert figures["charlstm to 1 x 512: a loop with nn.LSTM"] == 4.0
    assert figures["without numba to 2 of 1 x 384: its products alone, 64 at once"] == 0.4
    measured = {name for name in figures if not name.startswith(tuple(bench.RATIOS))}
    assert measured == {name for name in bench.CONTESTANTS if bench.sampling_contests.KERAS not in name}


def test_where_numba_is_missing_nobody_runs_twice(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("turns.in_own_process", in_own_process)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["bench.py", *FEW])
    bench.main()
    said = capsys.readouterr()
    assert "without numba" not in said.out
    assert "charlstm runs without compiled loops" in said.err


def test_what_a_precision_costs_is_measured_on_held_out_text(
    bench: ModuleType, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main([str(text), *TINY, "--steps", "5"])
    costs = dict(bench.costs(Path("checkpoints/verse")))
    assert len(costs) == 6
    for name, cost in costs.items():
        assert abs(cost) < (1e-4 if name.endswith("float32") else 0.02)
    assert capsys.readouterr().out.startswith("1 at once, the model itself: ")


def test_texts_are_as_long_as_was_asked(bench: ModuleType) -> None:
    for language in bench.TEXTS:
        text = bench.reading_contests.text_of(language, 300_000)
        assert len(text.encode()) >= 300_000
        assert text.isascii() == (language == "ASCII")
