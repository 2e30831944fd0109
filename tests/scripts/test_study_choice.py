from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest


def test_what_is_chosen_is_held_beside_what_is_made_by_hand(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = script("study_choice")
    trained = []

    def charlstm(command: str, *arguments: object) -> str:
        if command == "train":
            trained.append(arguments)
            return ""
        return '{"nats_per_char": %s}' % (1.5 if "--hidden-size" in trained[-1] else 1.53)

    monkeypatch.setattr(study, "charlstm", charlstm)
    monkeypatch.setattr(sys, "argv", ["study_choice.py", "text.txt", "--minutes", "3", "--seeds", "2"])
    study.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 8 + 1
    assert lines[0] == "1.5300 nats  (chosen)"
    assert lines[-1].startswith("chosen 1.5300, best by hand 1.5000 with --hidden-size 256")
    assert lines[-1].endswith(": +2.0%")
    assert len(trained) == 18
    assert all(arguments[:3] == ("text.txt", "--minutes", "3") for arguments in trained)
    assert [arguments[4] for arguments in trained[:2]] == [1, 2]
    assert all(arguments.count("--num-layers") == 1 for arguments in trained[2:])
