from __future__ import annotations

import math
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from charlstm.text.ids import Ids
from charlstm.training import ngram
from charlstm.training.ngram import DISCOUNT, KINDS, ORDERS, SPANS, NGrams

V = 4
Entries = dict[tuple[int, int], list[float]]


def text(length: int, seed: int = 0) -> Ids:
    """A text in which some things come again and again."""
    random = np.random.default_rng(seed)
    words = [random.integers(V, size=n) for n in (1, 3, 5, 9, 12)]
    return np.concatenate([words[i] for i in random.integers(5, size=length)])[:length].astype(np.uint8)


def uniform(places: int) -> npt.NDArray[np.float64]:
    return np.full((places, V), 1 / V)


def entries(ngrams: NGrams, places: int, begin: int = 0) -> Entries:
    """The ratios of the next places, by place, counted from `begin`, and character; those of short contexts first."""
    found: Entries = {}
    cells, ratios, _ = ngrams.evidence(uniform(places))
    for cell, ratio in zip(cells.tolist(), ratios.tolist(), strict=True):
        found.setdefault((begin + cell // V, cell % V), []).append(ratio)
    return found


def counted(history: list[int], p: list[float]) -> tuple[Entries, list[float]]:
    """The equations of `NGrams.evidence` a second time, for the character after a history that was counted whole."""
    found: Entries = {}
    for length in range(1, min(ORDERS, len(history)) + 1):
        context = history[-length:]
        ends = range(length, len(history))
        followers = Counter(history[end] for end in ends if history[end - length : end] == context)
        n, different, before = followers.total(), len(followers), p[:]
        for i in range(V):
            left = max(0, followers[i] - DISCOUNT)
            if followers[i]:
                found.setdefault((0, i), []).append(math.log1p(left / (DISCOUNT * different * before[i])))
            p[i] = (left + DISCOUNT * different * before[i]) / n if n else before[i]
    return found, p


@pytest.mark.parametrize("length", [1, 2, 9, 60])
def test_the_counts_are_those_of_all_that_was_read(length: int) -> None:
    """Both spans are the same when nothing was read before."""
    ids = text(length + 1)
    ngrams = NGrams(ids[:0], ids, V)
    ngrams.read(length - 1)
    expected, estimate = counted(ids[:-1].tolist(), [1 / V] * V)
    assert sum(estimate) == pytest.approx(1)
    found = entries(ngrams, 1)
    assert found.keys() == expected.keys()
    for key, ratios in expected.items():
        np.testing.assert_allclose(found[key], np.repeat(ratios, SPANS))


def test_a_text_before_counts_in_one_of_the_two_spans() -> None:
    before, ids = text(50, seed=1), text(41)
    ngrams = NGrams(before, ids, V)
    ngrams.read(39)
    everything, _ = counted([*before.tolist(), *ids[:-1].tolist()], [1 / V] * V)
    own, _ = counted(ids[:-1].tolist(), [1 / V] * V)
    cells, ratios, kinds = ngrams.evidence(uniform(1))
    for span, expected in enumerate((everything, own)):
        of_span = kinds // (KINDS // SPANS) == span
        for i in range(V):
            np.testing.assert_allclose(ratios[of_span & (cells == i)], expected.get((0, i), []))


def test_nothing_of_the_future_is_used() -> None:
    ids, other = text(200), text(200)
    other[101:] = text(99, seed=5)
    found = []
    for each in (ids, other):
        ngrams = NGrams(text(50, seed=1), each, V)
        ngrams.read(80)
        found.append(entries(ngrams, 20))  # the characters before them are 80 to 99, and the last of them is 100
    assert found[0] == found[1]


def test_places_are_predicted_together_as_one_by_one() -> None:
    ids = text(100)
    together, single = (NGrams(text(50, seed=1), ids, V) for _ in range(2))
    together.read(60)
    found: Entries = {}
    for place in range(10):
        single = NGrams(text(50, seed=1), ids, V)
        single.read(60)
        single.place += place  # without having counted the places before it
        found |= entries(single, 1, place)
    assert entries(together, 10) == found


def test_it_makes_no_difference_how_the_reading_is_cut() -> None:
    ids = text(100)
    whole, parts = (NGrams(ids[:0], ids, V) for _ in range(2))
    whole.read(70)
    for count in (1, 29, 40):
        parts.read(count)
    assert entries(whole, 5) == entries(parts, 5)


def test_of_a_long_text_before_the_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before, ids = text(300, seed=1), text(20)
    monkeypatch.setattr(ngram, "MOST_BEFORE", 30)
    assert entries(NGrams(before, ids, V), 5) == entries(NGrams(before[-30:], ids, V), 5)


def test_the_kinds_tell_sure_contexts_from_unsure_ones() -> None:
    sure, unsure = (NGrams(np.array(ids * 50), np.array([0]), V) for ids in ([0, 1], [0, 1, 0, 2, 0, 3, 0, 0]))
    for each in (sure, unsure):
        each.orders = each.orders[:1]
    kinds = [set(each.evidence(uniform(1)).kinds.tolist()) for each in (sure, unsure)]
    assert kinds[0].isdisjoint(kinds[1])


def test_what_another_model_rules_out_is_no_error() -> None:
    ids = np.array([0, 1] * 20, np.uint8)
    ngrams = NGrams(ids, ids, V)
    evidence = ngrams.evidence(np.array([[1.0, 0, 0, 0]] * 3))
    assert np.isfinite(evidence.ratios).all()
    assert len(evidence.ratios)
