from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from charlstm.config import CELLS


def test_every_cell_is_in_the_table(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = script("bench_cells")
    flags = ["--hidden-size", "8", "--num-layers", "2", "--batch-size", "2", "--seq-len", "4", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["bench_cells.py", *flags])
    bench.main()
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "2 x 8, 2 x 4 a step"
    assert [line.split()[0] for line in lines] == list(CELLS)
    assert lines[0].endswith("1.00 times the LSTM's")
