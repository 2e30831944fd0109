from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import tqdm.auto

from charlstm import screen


def test_a_program_hears_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    shown = screen.here()
    shown.say("one\x1bline")
    with shown.bar(3, 1, "step") as bar:
        assert bar.disable  # stderr is no terminal here
    assert capsys.readouterr() == ("", "one\\u001bline\n")


def test_a_notebook_has_it_in_the_cell_with_a_bar_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    made: list[dict[str, object]] = []
    monkeypatch.setattr(tqdm.auto, "tqdm", lambda **settings: made.append(settings) or tqdm.tqdm(disable=True))
    shown = screen.here()
    shown.say("one\x1bline")
    shown.bar(3, 1, "step").close()
    assert capsys.readouterr() == ("one\\u001bline\n", "")
    assert made[0]["total"] == 3
    shown.progress("looking").close()
    assert made[1]["desc"] == "looking"
    assert not any(each.get("disable") for each in made)  # a cell is no terminal, and shows bars all the same


def test_a_shell_of_ipython_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    assert type(screen.here()) is screen.Screen


def test_silence_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silence = screen.Silence()
    silence.say("a word")
    with silence.bar(3, 0, "step") as bar:
        bar.update()
        bar.set_postfix_str("1 bit/char", False)
    with silence.progress("looking") as bar:
        bar.update(3)
    assert capsys.readouterr() == ("", "")
