"""Properties of the characters of a text, by name: for each character, whether it has the property.

A mask is the state after the character at that index was read, for that is what a net can know there. So the mark that
opens a stretch is inside it, and the mark that closes it isn't:

    text         He said "no" (twice).
    in-quotes    000000001110000000000
    in-brackets  000000000000011111100

What was read so far decides, as far as possible. These look ahead: `in-tag`, `verse-last`, and the rules for quotation
marks that are apostrophes or were left open. Whether a text has blank lines decides where its paragraphs end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
"""For each character of a text, whether it has a property, [len(text)]."""

LINE_START = 5
"""Characters of the beginning of a line."""

LONG_LINE = 60
"""Characters after which a line is long."""

VERSE = 7
"""Characters of the longest usual verse in Chinese poems."""

PUNCTUATION = ",.!?;:，。！？；：、…"

_HAN = re.compile("[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3040-\u30ff]")
_TAG = re.compile(r"<[A-Za-z/!?][^<>\n]*>")
_BLANK_LINE = re.compile(r"\n[^\S\n]*(?=\n)")
_APOSTROPHE = re.compile(r"(?<=\w)’(?=\w)")
_STRAIGHT_QUOTE = re.compile(r'(?P<opening>(?<!\S)"(?=\w))|"')


def in_quotes(text: str) -> Mask:
    """Inside "…", “…” or ‘…’.

    A straight quotation mark closes if one is open, and opens otherwise. But it always opens after white space and
    before a letter: then the one before was left open. ’ between two letters is an apostrophe. What is still open
    ends where the paragraph ends.
    """
    return np.concatenate([_inside(_curled(part), "“”‘’", nests=False) for part in _paragraphs(text)])


def in_brackets(text: str) -> Mask:
    """Inside (…), […], {…}, or Chinese brackets. They nest; what is still open ends where the paragraph ends."""
    return np.concatenate([_inside(part, "()[]{}（）［］｛｝【】〔〕") for part in _paragraphs(text)])


def in_titles(text: str) -> Mask:
    """Inside 《…》 or 〈…〉; what is still open ends where the paragraph ends."""
    return np.concatenate([_inside(part, "《》〈〉") for part in _paragraphs(text)])


def in_corners(text: str) -> Mask:
    """Inside 「…」 or 『…』; what is still open ends where the paragraph ends."""
    return np.concatenate([_inside(part, "「」『』") for part in _paragraphs(text)])


def in_tag(text: str) -> Mask:
    """Inside <…>, of one line, in which no white space follows the opening mark: `a < b` isn't a tag."""
    mask = np.zeros(len(text), dtype=np.bool_)
    for tag in _TAG.finditer(text):
        mask[tag.start() : tag.end() - 1] = True
    return mask


def line_end(text: str) -> Mask:
    """A line end: what comes next begins a line."""
    return _each(text, "\n".__eq__)


def line_first(text: str) -> Mask:
    """The first character after a line end or at the text's beginning, but no line end."""
    return _between(1, _column(text), 1)


def line_start(text: str) -> Mask:
    """One of the first `LINE_START` characters of a line, but no line end."""
    return _between(1, _column(text), LINE_START)


def line_tail(text: str) -> Mask:
    """Beyond the first `LONG_LINE` characters of a line, but no line end."""
    return _between(LONG_LINE + 1, _column(text), len(text))


def indentation(text: str) -> Mask:
    """White space at the beginning of a line, but no line end."""
    white, line_end = _each(text, str.isspace), _each(text, "\n".__eq__)
    return white & ~line_end & (_since(line_end) <= _since(~white))


def in_word(text: str) -> Mask:
    """A letter or digit after another one. Chinese and Japanese, which have no spaces between words, have none."""
    letter = _each(text, lambda c: c.isalnum() and not (_HAN.match(c) or _KANA.match(c)))
    return _between(2, _since(~letter), len(text))


def upper_case(text: str) -> Mask:
    """A capital letter."""
    return _each(text, str.isupper)


def digit(text: str) -> Mask:
    """A decimal digit."""
    return _each(text, str.isdecimal)


def punctuation(text: str) -> Mask:
    """A punctuation mark, Western or Chinese: what comes next stands after it."""
    return _each(text, PUNCTUATION.__contains__)


def verse(text: str, number: int) -> Mask:
    """The Chinese character of this number, from 1, since the last character that isn't one."""
    return _between(number, _since(~_is_han(text)), number)


def verse_last(text: str) -> Mask:
    """A Chinese character before one that isn't one. In a poem, the metre tells the reader that it is the last."""
    han = _is_han(text)
    last = np.zeros_like(han)
    last[:-1] = han[:-1] & ~han[1:]
    return last


PROPERTIES: dict[str, Callable[[str], Mask]] = {
    "in-quotes": in_quotes,
    "in-brackets": in_brackets,
    "in-tag": in_tag,
    "in-titles": in_titles,
    "in-corners": in_corners,
    "line-end": line_end,
    "line-first": line_first,
    "line-start": line_start,
    "line-tail": line_tail,
    "indentation": indentation,
    "in-word": in_word,
    "upper-case": upper_case,
    "digit": digit,
    "punctuation": punctuation,
    **{f"verse-{number}": partial(verse, number=number) for number in range(1, VERSE + 1)},
    "verse-last": verse_last,
}
"""By their names: text → mask."""


def _each(text: str, has_it: Callable[[str], object]) -> Mask:
    """A property of each character by itself."""
    having = {character for character in set(text) if has_it(character)}
    return np.fromiter((character in having for character in text), np.bool_, len(text))


def _since(last: Mask) -> npt.NDArray[np.intp]:
    """How many characters have come since the last one in a mask, which has 0 itself. One stands before the text."""
    place = np.arange(len(last))
    return place - np.maximum.accumulate(np.where(last, place, -1))


def _between(least: int, counts: npt.NDArray[np.intp], largest: int) -> Mask:
    return (least <= counts) & (counts <= largest)


def _column(text: str) -> npt.NDArray[np.intp]:
    """Which character of its line each one is, from 1. A line end has 0: when it is read, the line is over."""
    return _since(_each(text, "\n".__eq__))


def _is_han(text: str) -> Mask:
    return _each(text, _HAN.match)


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, which end before the last line end of a blank line or, without blank lines, any."""
    ends = [found.end() for found in _BLANK_LINE.finditer(text)]
    if not ends:
        ends = [place for place, character in enumerate(text) if character == "\n"]
    return [text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _inside(paragraph: str, pairs: str, *, nests: bool = True) -> Mask:
    """Inside one of some pairs of marks.

    Args:
        pairs: an opening mark and its closing mark, and so on.
        nests: whether a mark closes the last one of its kind that is open, or all of them.
    """
    opening_of = dict(zip(pairs[1::2], pairs[::2], strict=True))
    opening = set(pairs[::2])
    waiting: list[str] = []
    mask = np.zeros(len(paragraph), dtype=np.bool_)
    for place, character in enumerate(paragraph):
        if character in opening:
            waiting.append(character)
        elif (wanted := opening_of.get(character)) in waiting:
            last = len(waiting) - 1 - waiting[::-1].index(wanted)
            del waiting[last if nests else waiting.index(wanted) :]
        mask[place] = bool(waiting)
    return mask


def _curled(paragraph: str) -> str:
    """A paragraph of the same length, with “ and ” for straight quotation marks, and ' for an apostrophe."""
    is_open = False

    def curled(mark: re.Match[str]) -> str:
        nonlocal is_open
        is_open = not is_open or mark["opening"] is not None
        return "“" if is_open else "”"

    return _STRAIGHT_QUOTE.sub(curled, _APOSTROPHE.sub("'", paragraph))
