from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.text.mostly_ascii import BEYOND, FEW, mostly_ascii

WORDS = "the rain is on the river "


@given(st.lists(st.sampled_from([WORDS, "’", "é", "🦉", "\u0301", "\n"]), min_size=1))
def test_the_characters_beyond_ascii_are_found(parts: list[str]) -> None:
    text = WORDS + "".join(parts)
    data = text.encode()
    found = mostly_ascii(data)
    kept = data.rstrip(BEYOND)
    if FEW * sum(byte > 0x7F for byte in kept) > len(kept):
        assert found is None
        return
    assert found is not None
    assert str(found) == text[: len(kept.decode())]
    assert {place: chr(point) for place, point in zip(found.places, found.others, strict=True)} == {
        place: c for place, c in enumerate(str(found)) if not c.isascii()
    }


def test_a_byte_is_given_for_each_character() -> None:
    found = mostly_ascii(f"{WORDS}’{WORDS}é{WORDS}".encode())
    assert found is not None
    table = bytes(range(0x80)) + b"?" * 0x80
    assert found.translated(table).decode() == f"{WORDS}?{WORDS}?{WORDS}"
    assert found.endswith("river ")
    assert not found.endswith("\n")


@pytest.mark.parametrize("wrong", ["’".encode()[:2], "’".encode()[1:], b"\xe2a\x80\x99", b"\xed\xa0\x80", b"\xff"])
def test_bytes_that_are_not_utf_8_are_left_to_others(wrong: bytes) -> None:
    words = WORDS.encode()
    assert mostly_ascii(2 * words + wrong + 2 * words) is None


def test_what_begins_beyond_ascii_or_has_much_of_it_is_left_to_others() -> None:
    assert mostly_ascii(("\u0301" + 100 * WORDS).encode()) is None
    assert mostly_ascii(("a雨" * 1000 + "a").encode()) is None
    assert mostly_ascii("雨".encode()) is None
