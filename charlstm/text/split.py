"""The parts of a text: training, validation, test, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charlstm.errors import InputError, notice
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

    Training needs `seq_len + 1` characters: those of one step, and the one after them. If the text is too small for
    all parts, the test and the validation part are smaller than asked, with a warning.

    Args:
        end: the id that closes a document, in a text of documents. No document is cut, and each part begins with the
            end of the document before: the context in which the first character of every document is predicted.

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
    last, first = total - test, total - test - val
    parts = Parts(ids[:first], ids[first:last], ids[last:])
    if end is not None:
        parts = _whole_documents(ids, end, first, last, needed)
    gave_way = (val, test) != asked
    wanted = (val_fraction, asked[0], parts.val), (test_fraction, asked[1], parts.test)
    is_off = (fraction and (not len(part) or abs(len(part) - size) > size / 2) for fraction, size, part in wanted)
    if gave_way or any(is_off):
        cause = f"a small text of {total} characters" if gave_way or end is None else "long documents, which stay whole"
        notice(
            f"{cause}: {len(parts.train)} for training, {len(parts.val)} for validation, {len(parts.test)} for testing"
        )
    return parts


def _whole_documents(ids: Ids, end: int, first: int, last: int, needed: int) -> Parts:
    """The parts whose cuts, asked for at `first` and `last`, are moved to the nearest end of a document.

    That end stands in both parts. With | for it, and a cut asked for before e:

        the text   | a b | c | d e | f |
        train      | a b | c | d e |
        val                        | f |
    """
    has_test = last < len(ids)
    first = _document_end(ids, end, first, at_least=needed)
    last = _document_end(ids, end, last, at_least=first) if has_test else len(ids)
    val, test = ids[first - 1 : last], ids[last - 1 :]
    return Parts(ids[:first], val if len(val) > 1 else val[:0], test if len(test) > 1 else test[:0])


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
