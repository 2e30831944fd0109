from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def test_they_take_turns_and_the_median_counts(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, figures = script("turns"), iter([5.0, 1.0, 3.0, 2.0, 4.0, 9.0])
    asked = []

    def in_own_process(*how: object) -> float:
        asked.append(how)
        return next(figures)

    monkeypatch.setattr(turns, "in_own_process", in_own_process)
    assert turns.take_turns("bench.py", ["--fast"], {"a": "python", "b": "other"}, rounds=3) == {"a": 4.0, "b": 2.0}
    assert asked == [(p, "bench.py", ["--fast", "--only", n]) for p, n in [("python", "a"), ("other", "b")] * 3]


def test_who_cannot_run_here_is_left_out(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns, asked = script("turns"), []

    def in_own_process(python: str, file: str, arguments: list[str]) -> float:
        asked.append(arguments[-1])
        if arguments[-1] == "b":
            raise turns.LeftOut("it lacks an instruction")
        return 1.0

    monkeypatch.setattr(turns, "in_own_process", in_own_process)
    assert turns.take_turns("bench.py", [], dict.fromkeys("abc", "python"), rounds=2) == {"a": 1.0, "c": 1.0}
    assert asked == ["a", "b", "c", "a", "c"]
    assert "b is left out: it lacks an instruction\n" in capsys.readouterr().err


def test_a_process_tells_its_figure_or_why_there_is_none(
    script: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    turns = script("turns")

    def refuse() -> float:
        raise turns.LeftOut("it lacks an instruction")

    turns.tell(lambda: 2.5, "a")
    turns.tell(refuse, "a")
    figure, why = capsys.readouterr().out.splitlines()
    for told in (figure, why):
        Path(f"{told[1]}.py").write_text(f"print({told!r})")
    assert turns.in_own_process(sys.executable, f"{figure[1]}.py", ["a"]) == 2.5
    with pytest.raises(turns.LeftOut, match="it lacks an instruction"):
        turns.in_own_process(sys.executable, f"{why[1]}.py", ["a"])


def test_a_contestant_without_numba_switches_it_off(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = script("turns")
    monkeypatch.setenv("CHARLSTM_FAST", "1")
    for name in ("charlstm", "charlstm" + turns.WITHOUT):
        turns.tell(lambda: int(os.environ["CHARLSTM_FAST"]), name)
    assert capsys.readouterr().out.split() == ["1", "0"]


def test_without_numba_takes_part_where_numba_is(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = script("turns")
    for found in (None, True):
        monkeypatch.setattr(turns.importlib.util, "find_spec", lambda name, found=found: found)
        assert len(turns.pythons_of(["ours", "ours" + turns.WITHOUT], None)) == (2 if found else 1)


def test_keras_takes_part_where_it_is(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    turns = script("turns")
    for found, given, expected in [(None, None, None), (True, None, sys.executable), (None, "other", "other")]:
        monkeypatch.setattr(turns.importlib.util, "find_spec", lambda name, found=found: found)
        pythons = turns.pythons_of(["ours", "big: Keras"], given)
        assert pythons["ours"] == sys.executable
        assert pythons.get("big: Keras") == expected


def test_what_a_process_prints_last_is_its_figure(script: Callable[[str], ModuleType]) -> None:
    Path("said.py").write_text("import sys; print('chatter'); print(len(sys.argv))")
    assert script("turns").in_own_process(sys.executable, "said.py", ["x", "y"]) == 3.0


def test_the_first_steps_do_not_count(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    turns, clock = script("turns"), [0.0]
    takes = iter([100.0, 100.0, 2.0, 1.0, 3.0])

    def step() -> None:
        clock[0] += next(takes)

    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock[0])
    assert turns.seconds_each(step, 3, first=2) == 2.0
