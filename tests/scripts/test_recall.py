from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def recall(script: Callable[[str], ModuleType]) -> ModuleType:
    script("commands")
    return script("recall")


def test_what_was_shown_just_before_is_learned(
    recall: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recall, "DISTANCES", (1, 2))
    monkeypatch.setattr(recall, "LEARNED", 2)
    monkeypatch.setattr(recall, "LEAD", 3)
    monkeypatch.setattr(recall, "WORD", 1)
    flags = ["--cell", "gru", "--hidden-size", "24", "--num-layers", "1", "--steps", "100", "--learning-rate", "0.03"]
    monkeypatch.setattr(sys, "argv", ["recall.py", *flags])
    recall.main()
    shares = json.loads(capsys.readouterr().out)
    assert list(shares) == ["1", "2"]
    assert min(shares.values()) > 0.9


def test_the_question_is_so_far_from_what_it_asks_for(recall: ModuleType) -> None:
    seen = []

    class Model:
        def initial_state(self, batch_size: int) -> int:
            return 0

        def __call__(self, ids: recall.torch.Tensor, state: int) -> tuple[object, int]:  # type: ignore[name-defined]
            seen.append((ids, state, recall.torch.is_grad_enabled()))
            return recall.torch.zeros(recall.BATCH, ids.shape[1], 17), state + ids.shape[1]

    answers, asked = recall.answered(Model(), 3, 5)
    (lead, before, learns), (ids, state, learns_then) = seen
    assert (before, state) == (0, 5)
    assert (learns, learns_then) == (False, True)
    assert (lead < recall.SYMBOLS).all()
    assert ids.shape == (recall.BATCH, 1 + recall.WORD + 2 + recall.WORD)
    assert (ids[:, 0] == recall.MARK).all()
    assert (ids[:, 1 : 1 + recall.WORD] == asked).all()
    assert (ids[:, 1 : -recall.WORD] < recall.SYMBOLS).all()
    assert (ids[:, -recall.WORD :] == recall.ASK).all()
    assert answers.shape == (recall.BATCH, recall.SYMBOLS, recall.WORD)
    recall.answered(Model(), 1, 0)
    assert len(seen) == 3
