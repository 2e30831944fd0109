from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest


def test_what_was_shown_just_before_is_learned(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recall = script("recall")
    flags = ["--cell", "gru", "--distance", "1", "--hidden-size", "24", "--steps", "80", "--learning-rate", "0.03"]
    monkeypatch.setattr(sys, "argv", ["recall.py", *flags])
    recall.main()
    assert float(capsys.readouterr().out) > 0.95


def test_the_question_is_so_far_from_what_it_asks_for(script: Callable[[str], ModuleType]) -> None:
    recall = script("recall")
    seen = []

    class Model:
        def initial_state(self, batch_size: int) -> None:
            return None

        def __call__(self, ids: object, state: None) -> tuple[object, None]:
            seen.append(ids)
            return recall.torch.zeros(recall.BATCH, 4, 17), None

    _, asked = recall.answered(Model(), 3)
    (ids,) = seen
    assert ids.shape == (recall.BATCH, 4)
    assert (ids[:, 0] == asked).all()
    assert (ids[:, 1:3] >= recall.SYMBOLS).all()
    assert (ids[:, 3] == recall.ASK).all()
