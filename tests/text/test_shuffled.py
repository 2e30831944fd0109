from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlstm.text import shuffled
from charlstm.text.ids import Ids
from charlstm.text.shuffled import Documents

END = 0


def text_of(lengths: list[int]) -> Ids:
    """Documents of consecutive numbers, so that each is told from all others."""
    text, number = [END], 1
    for length in lengths:
        text += [*range(number, number + length), END]
        number += length
    return np.array(text, dtype=np.uint16)


def documents_in(text: Ids) -> list[tuple[int, ...]]:
    assert text[0] == END
    assert text[-1] == END
    bounds = np.flatnonzero(text == END)
    return [tuple(text[a + 1 : b].tolist()) for a, b in pairwise(bounds)]


@pytest.fixture(params=[1, 4, 30, 10_000])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(shuffled, "BLOCK", request.param)
    return int(request.param)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=30), cuts=st.lists(st.integers(0, 700)))
def test_an_epoch_has_every_document_once_however_it_is_sliced(block: int, lengths: list[int], cuts: list[int]) -> None:
    text = text_of(lengths)
    epoch = Documents(text, END, seed=1).epoch(3, readers=2)
    whole = epoch[0 : len(text)]
    assert sorted(documents_in(whole)) == sorted(documents_in(text))
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    assert np.array_equal(np.concatenate([epoch[a:b] for a, b in pairwise(places)]), whole)


def test_the_order_is_new_in_every_epoch_and_the_same_for_the_same_seed(block: int) -> None:
    text = text_of([3] * 50)
    orders = [
        tuple(Documents(text, END, seed).epoch(epoch, 1)[0 : len(text)].tolist())
        for seed, epoch in [(1, 0), (1, 1), (2, 0), (1, 0)]
    ]
    assert orders[0] == orders[3]
    assert len(set(orders)) == 3


def test_a_text_of_one_block_is_shuffled_evenly() -> None:
    text = text_of([1, 1, 1])
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(600):
        order = tuple(Documents(text, END, seed=1).epoch(epoch, 1)[0:7].tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert min(counts.values()) > 70


def test_a_block_is_short_or_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffled, "BLOCK", 10)
    cuts = Documents(text_of([2, 3, 200, 1, 1, 4, 50]), END, seed=1).cuts
    assert np.diff(cuts).tolist() == [7, 201, 2, 7, 51]
