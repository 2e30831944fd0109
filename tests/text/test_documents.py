from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.text.documents import closed
from charlstm.text.vocab import END

TEXT = "\n \n  one\ntwo \n\n  three\n \t\n\n\nfour\nfive  \n\n"


def read(*pieces: str, kind: str) -> list[str]:
    text = "".join(closed(pieces, kind))
    assert not text or text.endswith(END)
    return text.split(END)[:-1]


@pytest.mark.parametrize(
    ("kind", "documents"),
    [
        ("lines", ["  one", "two", "  three", "four", "five"]),
        ("paragraphs", ["  one\ntwo", "  three", "four\nfive"]),
        ("files", ["  one\ntwo \n\n  three\n \t\n\n\nfour\nfive"]),
    ],
)
def test_documents_keep_their_indentation_and_lose_the_blank_around_them(kind: str, documents: list[str]) -> None:
    assert read(TEXT, kind=kind) == documents


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
