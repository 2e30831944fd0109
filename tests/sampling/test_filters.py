from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.errors import RunError
from charlstm.sampling.filters import filtered

scores = st.lists(st.floats(-20, 20), min_size=1, max_size=12).map(lambda row: torch.tensor(row, dtype=torch.float32))


def probabilities(logits: Tensor, **settings: Any) -> Tensor:
    """By some settings, at temperature 1 where none is given."""
    config = SampleConfig(**{"temperature": 1.0, **settings})
    (kept,) = filtered(logits.numpy()[None], config)
    return (torch.from_numpy(kept).double() / config.temperature).softmax(-1)


@given(scores, st.integers(1, 15))
def test_top_k_keeps_the_k_likeliest(logits: Tensor, k: int) -> None:
    plain, kept = (
        probabilities(logits),
        probabilities(logits, top_k=k),
    )
    chosen = kept > 0
    assert chosen.sum() == min(k, len(logits))
    if not chosen.all():
        assert plain[chosen].min() >= plain[~chosen].max()
    torch.testing.assert_close(kept[chosen], plain[chosen] / plain[chosen].sum())


@given(scores, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Tensor, p: float) -> None:
    plain, kept = (
        probabilities(logits),
        probabilities(logits, top_p=p),
    )
    chosen = plain[kept > 0]
    assert chosen.sum() >= p - 1e-9
    assert len(chosen) == 1 or chosen.sum() - chosen.min() < p + 1e-9


@given(scores, st.integers(1, 15), st.floats(0.01, 1))
def test_top_p_is_of_what_top_k_left(logits: Tensor, k: int, p: float) -> None:
    (kept,) = filtered(logits.numpy()[None], SampleConfig(top_k=k))
    both = probabilities(logits, top_k=k, top_p=p)
    again = probabilities(torch.from_numpy(kept), top_p=p)
    torch.testing.assert_close(both, again)


@given(scores, st.floats(0.01, 1))
def test_min_p_keeps_what_is_nearly_as_likely_as_the_likeliest(logits: Tensor, p: float) -> None:
    plain, kept = (
        probabilities(logits),
        probabilities(logits, min_p=p),
    )
    assert torch.equal(kept > 0, (plain >= p * plain.max()) & (plain > 0))


@given(scores, st.floats(1e-300, 1e3), st.floats(0.01, 1))
def test_any_temperature_keeps_the_likeliest(logits: Tensor, temperature: float, p: float) -> None:
    for settings in ({"top_k": 3}, {"top_p": p}, {"min_p": p}):
        kept = filtered(logits.numpy()[None], SampleConfig(temperature=temperature, **settings))
        assert kept.max() == pytest.approx(logits.max().item(), abs=1e-6)  # which two probabilities may have in common


def test_a_higher_temperature_keeps_more() -> None:
    logits = torch.arange(20.0)
    kept = [int((probabilities(logits, temperature=t, top_p=0.9) > 0).sum()) for t in (0.1, 1, 5, 100)]
    assert kept == [1, 3, 11, 18]


@pytest.mark.parametrize("settings", [{"top_k": 1}, {"top_p": 0.5}, {"min_p": 0.5}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_told(settings: dict[str, Any], bad: float) -> None:
    with pytest.raises(RunError, match="not finite numbers"):
        filtered(np.array([[1.0, 2.0], [1.0, bad]], np.float32), SampleConfig(**settings))


def test_an_id_that_is_never_to_be_drawn_is_taken_out() -> None:
    scores = np.array([[1.0, 50.0, 1.0], [0.0, 0.0, 0.0]], np.float32)
    kept = filtered(scores, SampleConfig(), never=[[1], [0, 2]])
    assert kept.tolist() == [[1.0, -np.inf, 1.0], [-np.inf, 0.0, -np.inf]]
    assert scores.max() == 50  # which are the model's own, and stay


def test_where_all_may_be_drawn_nothing_is_copied() -> None:
    scores = np.zeros((2, 3), np.float32)
    assert filtered(scores, SampleConfig(), never=[(), ()]) is scores
    assert filtered(scores, SampleConfig(temperature=0, top_k=1)) is scores


def test_of_equal_scores_the_lower_ids_are_kept() -> None:
    for settings in ({"top_k": 2}, {"top_p": 0.5}, {"top_k": 3, "top_p": 0.6}):
        assert probabilities(torch.ones(4), **settings).tolist() == [0.5, 0.5, 0.0, 0.0]


def test_scores_that_float32_hardly_tells_apart_are_told_apart() -> None:
    kept = probabilities(torch.tensor([20.0, 1e-7, 2e-7]), top_k=2) > 0
    assert kept.tolist() == [True, False, True]


def test_rows_are_filtered_each_by_itself() -> None:
    rows = torch.randn(3, 9)
    for settings in ({"top_k": 3}, {"top_p": 0.7}, {"min_p": 0.2, "temperature": 0.5}):
        together = filtered(rows.numpy(), SampleConfig(**settings))
        assert together.tolist() == [filtered(row.numpy()[None], SampleConfig(**settings))[0].tolist() for row in rows]
        assert not np.isfinite(together).all()
