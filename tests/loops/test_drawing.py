from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.loops.compiling import machine_code
from charlstm.loops.team import Loop

pytest.importorskip("numba")


def drawn(
    scores: list[float],
    noisy: list[float] | None = None,
    barred: list[int] | None = None,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 0.0,
    min_p: float = 0.0,
) -> int:
    """The id that the loop draws for one text."""
    ids, result = len(scores), np.zeros(1, np.int64)
    arrays: list[Any] = [np.array([temperature, top_p, min_p])]
    arrays += [np.array([row], np.float32) for row in (scores, noisy or scores)]
    arrays += [np.array(barred or [0] * ids, np.uint8), result, np.zeros(ids), np.zeros(ids, np.int64)]
    Loop(machine_code("drawing", "draw", "float32"), np.array([1, ids, top_k]), *arrays, threads=1)()
    return int(result[0])


rows = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=20)
"""Whole numbers, so that many are equal."""


@given(rows, st.integers(1, 25))
def test_top_k_keeps_the_k_highest_and_of_equal_ones_the_first(scores: list[float], k: int) -> None:
    kept = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    for wanted in range(len(scores)):  # by noise that has it drawn, if it is kept
        noisy = [9.0 if i == wanted else score for i, score in enumerate(scores)]
        assert drawn(scores, noisy, top_k=k) == (wanted if wanted in kept else drawn(scores))


@given(rows, st.floats(0.01, 0.99), st.integers(0, 5))
def test_top_p_keeps_the_fewest_of_those_of_top_k_that_reach_p(scores: list[float], p: float, k: int) -> None:
    likely = np.exp(np.array(scores))
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[: k or None]
    before = np.concatenate([[0], likely[order].cumsum()[:-1]]) / likely[order].sum()
    if np.abs(before - p).min() < 1e-9:  # the last bit of a sum decides
        return
    for place, wanted in enumerate(order):
        noisy = [9.0 if i == wanted else score for i, score in enumerate(scores)]
        assert (drawn(scores, noisy, top_p=p, top_k=k) == wanted) == (before[place] < p or wanted == drawn(scores))


@given(rows, st.floats(0.2, 3.0))
def test_min_p_keeps_what_is_nearly_as_likely(scores: list[float], temperature: float) -> None:
    highest = max(scores)
    for wanted, score in enumerate(scores):
        noisy = [9.0 if i == wanted else each for i, each in enumerate(scores)]
        is_kept = score >= highest - 1
        least = float(np.exp(-1.5 / temperature))
        assert (drawn(scores, noisy, min_p=least, temperature=temperature) == wanted) == (
            is_kept or wanted == drawn(scores)
        )


def test_what_is_barred_is_never_drawn_and_counts_for_nothing() -> None:
    assert drawn([1, 5, 3], barred=[0, 1, 0], top_k=3) == 2
    assert drawn([1, 5, 3], [9, 9, 3], barred=[0, 1, 0], top_k=1) == 2
    assert drawn([np.nan, 1, 2], barred=[1, 0, 0], min_p=0.1) == 2
    assert drawn([1, 2], barred=[1, 1], top_k=1) == -1


@pytest.mark.parametrize("settings", [{"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.1}, {"top_k": 2, "top_p": 0.5}])
def test_scores_that_are_not_finite_draw_nothing(settings: dict[str, Any]) -> None:
    for scores in ([1, np.nan, 2], [np.nan, 1, 2], [1, np.inf], [-np.inf, -np.inf]):
        assert drawn(scores, **settings) == -1
    assert drawn([1, 2, 3], [1, 2, np.inf], **settings) == -1
    assert drawn([-np.inf, 2, -np.inf], **settings) == 1


@pytest.mark.parametrize("temperature", [1e-300, 1e3])
def test_any_temperature_keeps_the_likeliest(temperature: float) -> None:
    for settings in ({"top_k": 1}, {"top_p": 0.1}, {"min_p": 1.0}):
        assert drawn([1, 3, 2], [0, 1, 0], temperature=temperature, **settings) == 1
