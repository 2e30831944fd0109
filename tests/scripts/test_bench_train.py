from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

SIZES = ["--hidden-size=8", "--embedding-dim=4", "--batch-size=2", "--seq-len=8", "--steps=1", "--rounds=2"]


@pytest.fixture
def bench(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr("charlstm.device.keep_freed_memory", lambda: None)
    module = script("bench_train")
    del module.CONTESTANTS["Keras"]
    return module


def test_every_contestant_trains(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in bench.CONTESTANTS:
        monkeypatch.setattr(sys, "argv", ["bench_train.py", *SIZES, "--only", name])
        bench.main()
        assert json.loads(capsys.readouterr().out) > 0


def test_they_take_turns_and_the_shares_are_told(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = []

    def in_own_process(python: str, file: str, arguments: list[str]) -> float:
        turns.append(name := arguments[-1])
        return {bench.PACKAGE: 0.002, bench.PRODUCTS: 0.001}.get(name, 0.008)

    monkeypatch.setattr("turns.in_own_process", in_own_process)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["bench_train.py", *SIZES])
    monkeypatch.setitem(bench.CONTESTANTS, "Keras", None)
    bench.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 x 8, embedding 4, 2 x 8 a step"
    assert lines[1].split() == ["charlstm", "8,000", "chars/s", "2.0", "ms", "a", "step"]
    assert lines[2].endswith("charlstm is 4.00 times as fast")
    assert lines[-1] == "charlstm runs at 50% of the rate of its matrix products"
    assert turns == 2 * [name for name in bench.CONTESTANTS if name != "Keras"]
