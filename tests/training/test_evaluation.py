from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from charlstm.config import ModelConfig
from charlstm.errors import RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.text.lanes import Lanes
from charlstm.training import evaluation
from charlstm.training.evaluation import Score, characters_at_once, score, score_lanes, score_lines

torch.manual_seed(0)
MODEL = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, embedding_dim=5)).eval()


def by_hand(ids: np.ndarray, context: int | None) -> float:
    """Nats of ids[1:], a character at a time."""
    state, nats = MODEL.initial_state(1), 0.0
    for place, (now, following) in enumerate(zip(ids[:-1], ids[1:], strict=True)):
        if context and place % context == 0:
            state = MODEL.initial_state(1)
        with torch.no_grad():
            logits, state = MODEL(torch.tensor([[int(now)]]), state)
        nats -= logits[0, 0].log_softmax(0)[int(following)].item()
    return nats


@settings(max_examples=40)
@given(
    total=st.integers(2, 60),
    context=st.none() | st.integers(1, 70),
    rows=st.integers(1, 5),
    at_once=st.integers(1, 500),
)
def test_the_score_is_that_of_a_character_at_a_time_whatever_the_batch_shape(
    total: int, context: int | None, rows: int, at_once: int
) -> None:
    ids = np.random.default_rng(0).integers(0, 7, total)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "ROWS_AT_ONCE", rows)
        patch.setattr(evaluation, "LOGITS_AT_ONCE", at_once)
        result = score(MODEL, ids, context)
    assert result.characters == total - 1
    assert result.nats == pytest.approx(by_hand(ids, context), rel=1e-5)


def test_bits_are_nats_to_the_base_of_two() -> None:
    total = Score(math.log(2) * 3, 1) + Score(math.log(2), 1)
    assert total.bits_per_char == pytest.approx(2)
    assert total.nats_per_char == pytest.approx(2 * math.log(2))


def test_it_leaves_a_model_in_training_and_the_random_numbers_alone() -> None:
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, dropout=0.5)).train()
    before = torch.get_rng_state()
    first, second = (score_lanes(model, Lanes(np.arange(7), 2, 3), 1) for _ in range(2))
    assert first == second
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_is_told() -> None:
    told: list[int] = []
    score(MODEL, np.zeros(700, dtype=np.int64), on_characters=told.append)
    assert sum(told) == 699
    assert len(told) > 1


def test_a_large_vocabulary_is_read_in_smaller_pieces() -> None:
    model = CharLSTM(ModelConfig(vocab_size=50_000, hidden_size=2, embedding_dim=2))
    assert characters_at_once(model, rows=8) == evaluation.LOGITS_AT_ONCE // (8 * 50_000)
    assert characters_at_once(model, rows=10_000) == 1


@settings(max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(1, 300))
def test_lines_are_the_text_and_add_up_to_its_score(numbers: list[int], at_once: int) -> None:
    ids = np.array(numbers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "LOGITS_AT_ONCE", at_once)
        lines = list(score_lines(MODEL, ids, line_ends={0}))
    assert [line.begin for line in lines] == [0, *(place + 1 for place in np.flatnonzero(ids[:-1] == 0))]
    assert [line.end for line in lines] == [*(line.begin for line in lines[1:]), len(ids)]
    whole = score(MODEL, ids)
    assert sum(line.score.characters for line in lines) == whole.characters
    assert sum(line.score.nats for line in lines) == pytest.approx(whole.nats)


def test_a_text_without_line_ends_is_one_line() -> None:
    ids = np.arange(7)
    (line,) = score_lines(MODEL, ids, line_ends={})
    assert line.score.nats == pytest.approx(score(MODEL, ids).nats)


def test_scores_that_are_not_finite_are_told() -> None:
    broken = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6))
    torch.nn.init.constant_(broken.members[0].head.bias, torch.nan)
    with pytest.raises(RunError, match="not finite"):
        score(broken, np.arange(7))
