"""The parts of a text: training, validation, test, in this order."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from charlstm.errors import InputError, Notice
from charlstm.text.ids import Ids

BLOCK = 1 << 18
"""Ids that are searched at a time for the end of a document."""


@dataclass(frozen=True)
class Parts:
    """Stretches of one text. `val` and `test` are empty when none was asked for or there was no room."""

    train: Ids
    val: Ids
    test: Ids


def split(ids: Ids, val_fraction: float, test_fraction: float, seq_len: int, end: int | None = None) -> Parts:
    """Cut a text into its parts.

    Training needs one step's characters and the one after them, `seq_len + 1`. In a text too small for all that is
    asked, test and validation give way, with a warning.

    Args:
        end: the id that closes a document, in a text of documents. None of them is cut, and each part begins with the
            end of another, so that its first character is guessed from what every other document's is.

    Raises:
        InputError: when the whole text is smaller than what training needs.
    """
    total, needed = len(ids), seq_len + 1
    if total < needed:
        raise InputError(
            f"the text has {total} characters and training needs at least {needed} (seq_len {seq_len} and one more):"
            f" give more text{', or lower --seq-len' if seq_len > 1 else ''}"
        )
    asked = int(total * val_fraction), int(total * test_fraction)
    val = min(asked[0], total - needed)
    test = min(asked[1], total - needed - val)
    # The first character is context: a part of fewer than two has nothing to score.
    val, test = val if val >= 2 else 0, test if test >= 2 else 0
    gave_way = (val, test) != asked
    last, first = total - test, total - test - val
    if end is None:
        parts = Parts(ids[:first], ids[first:last], ids[last:])
    else:
        # Both cuts move to the nearest end of a document, and that end stands in both parts, here with | for it:
        #   the text   | a b | c | d e | f |          asked to cut before e
        #   train      | a b | c | d e |     val  | f |
        first = _document_end(ids, end, first, at_least=needed)
        last = _document_end(ids, end, last, at_least=first) if test else total
        parts = Parts(
            ids[:first], *(part if len(part) > 1 else part[:0] for part in (ids[first - 1 : last], ids[last - 1 :]))
        )
    wanted = (val_fraction, asked[0], parts.val), (test_fraction, asked[1], parts.test)
    is_off = any((fraction and not len(part)) or abs(len(part) - size) > size / 2 for fraction, size, part in wanted)
    if gave_way or is_off:
        cause = f"a small text of {total} characters" if gave_way or end is None else "long documents, which stay whole"
        warnings.warn(
            f"{cause}: {len(parts.train)} for training, {len(parts.val)} for validation, {len(parts.test)} for testing",
            Notice,
            stacklevel=2,
        )
    return parts


def _document_end(ids: Ids, end: int, place: int, at_least: int) -> int:
    """Where the end of a document that is nearest to `place` ends itself, `at_least` ids from the beginning."""
    before = after = None
    for stop in range(place, at_least - 1, -BLOCK):
        begin = max(stop - BLOCK, at_least - 1)
        if len(ends := np.flatnonzero(ids[begin:stop] == end)):
            before = begin + int(ends[-1]) + 1
            break
    for begin in range(max(place, at_least) - 1, len(ids), BLOCK):
        if len(ends := np.flatnonzero(ids[begin : begin + BLOCK] == end)):
            after = begin + int(ends[0]) + 1
            break
    assert after, "the last document has an end"
    return after if before is None or after - place < place - before else before
