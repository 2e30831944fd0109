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
from charlstm.sampling.filters import draw, likelihoods

scores = st.lists(st.floats(-20, 20), min_size=1, max_size=12).map(torch.tensor)


def probabilities_of(scores: Any, *how: Any, **more: Any) -> Any:
    likely = likelihoods(scores, *how, **more)
    return likely / likely.sum(-1, keepdims=True)


def filtered(logits: Tensor, **settings: Any) -> Tensor:
    """The probabilities by some settings, at temperature 1 where none is given."""
    probabilities = probabilities_of(logits.numpy()[None], SampleConfig(**{"temperature": 1.0, **settings}))
    return torch.from_numpy(probabilities[0])


@given(scores)
def test_temperature_zero_is_the_likeliest(logits: Tensor) -> None:
    probabilities = filtered(logits, temperature=0)
    assert probabilities[logits.argmax()] == 1
    assert probabilities.sum() == 1


@given(scores, st.floats(1e-300, 1e3))
def test_any_temperature_gives_probabilities(logits: Tensor, temperature: float) -> None:
    probabilities = filtered(logits, temperature=temperature)
    assert torch.isfinite(probabilities).all()
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0, dtype=torch.float64))


@given(scores, st.integers(1, 15))
def test_top_k_keeps_the_k_likeliest(logits: Tensor, k: int) -> None:
    plain, kept = (
        filtered(logits),
        filtered(logits, top_k=k),
    )
    chosen = kept > 0
    assert chosen.sum() == min(k, len(logits))
    if not chosen.all():
        assert plain[chosen].min() >= plain[~chosen].max()
    torch.testing.assert_close(kept[chosen], plain[chosen] / plain[chosen].sum())


@given(scores, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Tensor, p: float) -> None:
    plain, kept = (
        filtered(logits),
        filtered(logits, top_p=p),
    )
    chosen = plain[kept > 0]
    assert chosen.sum() >= p - 1e-9
    assert len(chosen) == 1 or chosen.sum() - chosen.min() < p + 1e-9


@given(scores, st.integers(1, 15), st.floats(0.01, 1))
def test_top_p_is_of_what_top_k_left(logits: Tensor, k: int, p: float) -> None:
    kept = filtered(logits, top_k=k)
    both = filtered(logits, top_k=k, top_p=p)
    again = filtered(kept.log().clamp(min=-1e9), top_p=p)
    torch.testing.assert_close(both, again)


@given(scores, st.floats(0.01, 1))
def test_min_p_keeps_what_is_nearly_as_likely_as_the_likeliest(logits: Tensor, p: float) -> None:
    plain, kept = (
        filtered(logits),
        filtered(logits, min_p=p),
    )
    assert torch.equal(kept > 0, (plain >= p * plain.max()) & (plain > 0))


@pytest.mark.parametrize("settings", [{}, {"temperature": 0}, {"top_k": 1}, {"top_p": 0.5}, {"min_p": 0.5}])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_scores_that_are_not_finite_are_told(settings: dict[str, Any], bad: float) -> None:
    with pytest.raises(RunError, match="not finite numbers"):
        likelihoods(np.array([[1.0, 2.0], [1.0, bad]]), SampleConfig(**settings))


def test_what_has_no_likelihood_is_not_drawn() -> None:
    class Extreme(np.random.Generator):
        def __init__(self, number: float) -> None:
            super().__init__(np.random.PCG64(0))
            self.number = number

        def random(self, *how: Any, **more: Any) -> Any:
            return self.number

    likely = np.array([[0.0, 0.1, 0.0, 0.7, 0.0]])
    assert draw(likely, [Extreme(0.0)]) == [3]
    assert draw(likely, [Extreme(1 - 2**-53)]) == [1]
    assert draw(likely.repeat(2, 0), [Extreme(0.5), Extreme(0.99)]) == [3, 1]


def test_an_id_that_is_never_to_be_drawn_has_no_probability() -> None:
    scores = np.array([[1.0, 50.0, 1.0], [0.0, 0.0, 0.0]])
    probabilities = probabilities_of(scores, SampleConfig(), never=[[1], [0, 2]])
    assert probabilities.tolist() == [[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]


def test_of_equal_scores_the_lower_ids_are_kept() -> None:
    for settings in ({"top_k": 2}, {"top_p": 0.5}, {"top_k": 3, "top_p": 0.6}):
        assert filtered(torch.ones(4), **settings).tolist() == [0.5, 0.5, 0.0, 0.0]


def test_rows_are_filtered_each_by_itself() -> None:
    rows = torch.randn(3, 9)
    for settings in ({}, {"top_k": 3}, {"top_p": 0.7}, {"min_p": 0.2, "temperature": 0.5}, {"temperature": 0.0}):
        config = SampleConfig(**{"temperature": 1.0, **settings})
        together = probabilities_of(rows.numpy(), config)
        assert together.tolist() == [filtered(row, **settings).tolist() for row in rows]
