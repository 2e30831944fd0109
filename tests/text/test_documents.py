from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlstm.errors import InputError
from charlstm.text import documents
from charlstm.text.documents import Documents, Epoch, closed
from charlstm.text.ids import Ids
from charlstm.text.vocab import END

TEXT = "\n \n  one\ntwo \n\n  three\n \t\n\n\nfour\nfive  \n\n"


def read(*pieces: str, kind: str) -> list[str]:
    text = "".join(closed(pieces, kind))
    assert not text or text.endswith(END)
    return text.split(END)[:-1]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("lines", ["  one", "two", "  three", "four", "five"]),
        ("paragraphs", ["  one\ntwo", "  three", "four\nfive"]),
        ("files", ["  one\ntwo \n\n  three\n \t\n\n\nfour\nfive"]),
    ],
)
def test_documents_keep_their_indentation_and_lose_the_blank_around_them(kind: str, expected: list[str]) -> None:
    assert read(TEXT, kind=kind) == expected


@given(text=st.text(" \n\tab", max_size=40), cuts=st.lists(st.integers(0, 40)))
@pytest.mark.parametrize("kind", ["lines", "paragraphs", "files"])
def test_pieces_may_be_cut_anywhere(kind: str, text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    parts = [text[a:b] for a, b in pairwise(places)]
    assert read(*parts, kind=kind) == read(text, kind=kind)


@given(st.text(" \n\u3000ab雨", max_size=60))
def test_lines_are_the_lines_that_are_not_blank(text: str) -> None:
    assert read(text, kind="lines") == [line.rstrip() for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("kind", ["lines", "paragraphs", "files"])
def test_nothing_is_no_document(kind: str) -> None:
    assert read("\n  ", "\n", kind=kind) == []


FENCE = 0
"""What closes a document of numbers."""


def text_of(lengths: list[int]) -> Ids:
    """Documents of consecutive numbers, so that each is told from all others."""
    text, number = [FENCE], 1
    for length in lengths:
        text += [*range(number, number + length), FENCE]
        number += length
    return np.array(text, dtype=np.uint16)


def documents_in(text: Ids) -> list[tuple[int, ...]]:
    assert text[0] == FENCE
    assert text[-1] == FENCE
    bounds = np.flatnonzero(text == FENCE)
    return [tuple(text[a + 1 : b].tolist()) for a, b in pairwise(bounds)]


@pytest.fixture(params=[1, 4, 30, 10_000])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(documents, "BLOCK", request.param)
    return int(request.param)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=30), cuts=st.lists(st.integers(0, 700)))
def test_an_epoch_has_every_document_once_however_it_is_sliced(block: int, lengths: list[int], cuts: list[int]) -> None:
    text = text_of(lengths)
    epoch = Epoch(Documents(text, FENCE, seed=1), 3, readers=2)
    whole = epoch[0 : len(text)]
    assert sorted(documents_in(whole)) == sorted(documents_in(text))
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    assert np.array_equal(np.concatenate([epoch[a:b] for a, b in pairwise(places)]), whole)


def test_the_order_is_new_in_every_epoch_and_the_same_for_the_same_seed(block: int) -> None:
    text = text_of([3] * 50)
    orders = [
        tuple(Epoch(Documents(text, FENCE, seed), epoch, readers=1)[0 : len(text)].tolist())
        for seed, epoch in [(1, 0), (1, 1), (2, 0), (1, 0)]
    ]
    assert orders[0] == orders[3]
    assert len(set(orders)) == 3


def test_a_text_of_one_block_is_shuffled_evenly() -> None:
    text = text_of([1, 1, 1])
    counts: dict[tuple[int, ...], int] = {}
    for epoch in range(600):
        order = tuple(Epoch(Documents(text, FENCE, seed=1), epoch, readers=1)[0:7].tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert min(counts.values()) > 70


def test_a_block_is_short_or_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "BLOCK", 10)
    cuts = Documents(text_of([2, 3, 200, 1, 1, 4, 50]), FENCE, seed=1).cuts
    assert np.diff(cuts).tolist() == [7, 201, 2, 7, 51]


@pytest.mark.parametrize("kind", ["lines", "paragraphs", "files"])
@pytest.mark.parametrize("opening", ["", "a"])
def test_white_space_without_end_is_looked_at_once(kind: str, opening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    class Counted(str):
        __slots__ = ()

        def rstrip(self, *_: object) -> str:  # type: ignore[override]
            nonlocal looked_at
            looked_at += len(self)
            return str(self).rstrip()

        def __radd__(self, held: str) -> Counted:
            nonlocal looked_at
            looked_at += len(held)
            return Counted(held + str(self))

    pieces = [Counted(" " * 1000)] * 500
    made = "".join(closed([*opening, *pieces, "b"], kind))
    assert made == opening + " " * 500_000 + "b" + END
    assert looked_at < 4 * 500_000


def test_white_space_that_fills_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_WHITE", 1000)
    with pytest.raises(InputError, match="more than 1,000 characters of white space in a row"):
        list(closed(["a", *[" " * 100] * 11, "b"], "lines"))
