from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.errors import InputError
from charlstm.text.mostly_ascii import mostly_ascii
from charlstm.text.vocab import UNKNOWN, UnknownCharacters, Vocab, code_points


def vocab_of(text: str) -> Vocab:
    return Vocab("".join(sorted(set(text))))


@given(st.text(min_size=1))
def test_a_text_survives_its_ids(text: str) -> None:
    vocab = vocab_of(text)
    assert vocab.decode(vocab.encode(text)) == text


def test_ids_are_places_among_the_sorted_characters() -> None:
    assert Vocab("abc").encode("cab").tolist() == [2, 0, 1]


def test_characters_outside_the_basic_plane_are_one_id_each() -> None:
    assert vocab_of("𝔸🦉雨").encode("🦉𝔸").tolist() == [2, 1]


@pytest.mark.parametrize(
    ("text", "bits"), [("ab", 8), ("é’", 16), ("河\ud800\uffff", 16), ("a\U0001f600", 32), ("\ud83d\ude00", 16)]
)
def test_code_points_take_as_few_bytes_as_they_can(text: str, bits: int) -> None:
    points = code_points(text)
    assert points.tolist() == list(map(ord, text))
    assert 8 * points.itemsize == bits


def test_unknown_characters_are_named_once_with_what_to_do() -> None:
    with pytest.raises(UnknownCharacters, match="'月' .U.6708. 'x' .*: do this") as caught:
        Vocab("abc").encode("a月x月", remedy="do this")
    assert caught.value.characters == "月x"


def test_many_unknown_characters_are_not_all_listed() -> None:
    with pytest.raises(UnknownCharacters, match="and 12 more"):
        Vocab("a").encode("bcdefghijklmnopqrstu")


def test_folding_reads_unknown_characters_as_replacement_characters() -> None:
    vocab = vocab_of("ab" + UNKNOWN)
    assert vocab.decode(vocab.encode_folded("aXb")) == f"a{UNKNOWN}b"


def test_folding_needs_room_for_unknown_characters() -> None:
    with pytest.raises(UnknownCharacters, match="--min-count"):
        Vocab("ab").encode_folded("aXb")


@pytest.mark.parametrize("characters", ["", "ba", "aa"])
def test_a_vocabulary_is_sorted_and_without_repeats(characters: str) -> None:
    with pytest.raises(InputError, match="sorted"):
        Vocab(characters)


@pytest.mark.parametrize(("size", "dtype"), [(2, np.uint8), (256, np.uint8), (257, np.uint16), (70_000, np.uint32)])
def test_ids_take_the_smallest_type_that_fits(size: int, dtype: type) -> None:
    assert Vocab("".join(map(chr, range(0x20000, 0x20000 + size)))).dtype == dtype


def test_membership_is_of_single_characters() -> None:
    vocab = Vocab("ab")
    assert "a" in vocab
    assert "c" not in vocab
    assert "ab" not in vocab


@pytest.mark.parametrize(("known", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_read_in_either_form(known: str, other: str) -> None:
    text = "café Zoë 한글 phở"
    vocab = Vocab("".join(sorted(set(unicodedata.normalize(known, text)))))
    assert vocab.fitted(unicodedata.normalize(other, text)) == unicodedata.normalize(known, text)
    assert vocab.fitted(unicodedata.normalize(known, text)) == unicodedata.normalize(known, text)


def test_a_text_that_is_known_is_left_as_it_is() -> None:
    odd = "\uf900\u212b e\u0301é"  # each has another form
    assert Vocab("".join(sorted(set(odd)))).fitted(odd) == odd
    assert Vocab("abc").fitted("Ω é") == "Ω é"  # no form helps


def test_a_vocabulary_is_a_string() -> None:
    for wrong in (None, 3, ["a"], b"ab"):
        with pytest.raises(InputError, match="a vocabulary holds"):
            Vocab(wrong)  # type: ignore[arg-type]


def test_only_what_is_unknown_gets_another_form() -> None:
    vocab = Vocab("".join(sorted({*"cafe xé\u0301"})))
    assert vocab.fitted("café cafe\u0301 xa\u0301 á") == "café cafe\u0301 xa\u0301 a\u0301"


@pytest.mark.parametrize("more", ["", "".join(map(chr, range(0x4E00, 0x4E00 + 300))), UNKNOWN])
def test_a_text_in_its_bytes_has_the_same_ids(more: str) -> None:
    text = "the rain’s on the river, \x7f and the 🦉’s not in the rain; nobody but the owl is in the barn, alone\n"
    known, some = vocab_of(text + more), vocab_of(text.translate({ord(c): None for c in "t🦉"}) + more)
    simple = mostly_ascii(3 * text.encode())
    assert simple is not None
    assert known.encode(simple).tolist() == known.encode(3 * text).tolist()
    assert known.fitted(simple) is simple
    with pytest.raises(UnknownCharacters, match="'t' .U.0074. '🦉'"):
        some.encode(simple)
    if more == UNKNOWN:
        assert some.encode_folded(simple).tolist() == some.encode_folded(3 * text).tolist()


def test_a_text_in_its_bytes_is_fitted_where_that_helps() -> None:
    simple = mostly_ascii("the rain on the river and the caf\u00e9\n".encode())
    assert simple is not None
    assert vocab_of("the rain on the river and cafe\u0301\n").fitted(simple).endswith("the cafe\u0301\n")
