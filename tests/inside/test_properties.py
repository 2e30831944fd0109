from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.inside.properties import LINE_START, LONG_LINE, PROPERTIES

TEXTS = st.text(alphabet="ab1A \n\"“”‘’'([{<>}])（）《》「」『』，。雨河", max_size=60)

MASKS = [
    ("in-quotes", 'He said "no" (twice).', "000000001110000000000"),
    ("in-quotes", "“a ‘b’ c” d", "11111111000"),
    ("in-quotes", "‘It’s’ don’t", "111110000000"),
    ("in-quotes", '"a" "b" ""c""', "1100110010010"),
    ("in-quotes", 'say:"a","b".', "000011001100"),
    ("in-quotes", 'x "a\n\ny "b" z', "0011100011000"),
    ("in-quotes", 'x "a\n \ny "b" z', "00111100011000"),
    ("in-quotes", 'x "a\ny "b" z', "001100011000"),
    ("in-quotes", 'x "a\ny "b" z\n\n', "00111111100000"),
    ("in-quotes", "“a\n“b” c\n\nd", "11111000000"),
    ("in-quotes", "a” b", "0000"),
    ("in-brackets", "a(b[c]d)e", "011111100"),
    ("in-brackets", "（甲【乙】丙）丁", "11111100"),
    ("in-brackets", "{a)b}c", "111100"),
    ("in-brackets", "(a[b)c]d", "11110000"),
    ("in-brackets", "((a)b)c", "1111100"),
    ("in-brackets", "(a\n\n(b)c", "11101100"),
    ("in-brackets", "(a\nb", "1100"),
    ("in-tag", "<a>b</a> 1 < 2 > 0", "110011100000000000"),
    ("in-tag", "<a\n><b", "000000"),
    ("in-titles", "读《红楼梦》了", "0111100"),
    ("in-titles", "《a〈b〉c》d", "11111100"),
    ("in-corners", "「a『b』c」d", "11111100"),
    ("line-end", "ab\n\n c", "001100"),
    ("line-first", "ab\n\n c\n", "1000100"),
    ("line-start", "abcdefg\nhi\n", "11111000110"),
    ("line-tail", "-" * LONG_LINE + "ab\ncd", "0" * LONG_LINE + "11000"),
    ("indentation", "  a b\n\t \u3000c\n \n", "1100001110010"),
    ("in-word", "It's 42b, 雨河 été", "0100001100000011"),
    ("upper-case", "aBÉ1 Я雨", "0110010"),
    ("digit", "a1²٣ b22", "01010011"),
    ("punctuation", "a, b. 雨，河。！？；：、", "010010010111111"),
    ("verse-1", "雨在河上，河。a中", "100001001"),
    ("verse-2", "雨在河上，河。a中", "010000000"),
    ("verse-4", "雨在河上\n雨在河上", "000100001"),
    ("verse-7", "一二三四五六七八，", "000000100"),
    ("verse-last", "雨在河上，河。a中", "000101000"),
]


@pytest.mark.parametrize(("name", "text", "mask"), MASKS)
def test_a_mask(name: str, text: str, mask: str) -> None:
    found = "".join("01"[has_it] for has_it in PROPERTIES[name](text).tolist())
    assert (found, len(mask)) == (mask, len(text))


@given(TEXTS)
def test_a_mask_has_a_value_for_each_character(text: str) -> None:
    for mask_of in PROPERTIES.values():
        mask = mask_of(text)
        assert (mask.dtype, mask.shape) == (np.bool_, (len(text),))


LOOK_AHEAD = {"in-quotes", "in-tag", "verse-last"}


@given(TEXTS, st.integers(0, 60))
def test_what_was_read_so_far_decides(text: str, length: int) -> None:
    text, length = "\n\n" + text, length + 2  # paragraphs end at blank lines
    for name in PROPERTIES.keys() - LOOK_AHEAD:
        np.testing.assert_array_equal(PROPERTIES[name](text[:length]), PROPERTIES[name](text)[:length])


@given(TEXTS)
def test_a_paragraph_leaves_nothing_open(text: str) -> None:
    for name in ("in-quotes", "in-brackets", "in-titles", "in-corners"):
        alone, after = PROPERTIES[name]("\n\n" + text), PROPERTIES[name]('(“‘"《「\n\n' + text)
        np.testing.assert_array_equal(after[-len(text) - 1 :], alone[1:])


@given(TEXTS)
def test_the_parts_of_a_line_and_of_a_verse(text: str) -> None:
    masks = {name: mask_of(text) for name, mask_of in PROPERTIES.items()}
    line_ends = np.array([character == "\n" for character in text], dtype=np.bool_)
    assert not (
        line_ends & (masks["line-first"] | masks["line-start"] | masks["line-tail"] | masks["indentation"])
    ).any()
    assert not (masks["line-first"] & ~masks["line-start"]).any()
    lines = [line for line in text.split("\n") if line]
    assert masks["line-first"].sum() == len(lines)
    assert masks["line-start"].sum() == sum(min(LINE_START, len(line)) for line in lines)
    verses = sum(masks[f"verse-{number}"].astype(int) for number in range(1, 8))
    assert np.max(verses, initial=0) <= 1
    assert masks["verse-1"].sum() - masks["verse-last"].sum() == (text[-1:] in ("雨", "河"))
