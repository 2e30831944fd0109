"""The parts of a text: training, validation, test, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from charlstm.errors import InputError, notice
from charlstm.text.ids import Ids

BLOCK = 1 << 18
"""How many ids are searched at a time for the end of a document."""


@dataclass(frozen=True)
class Parts:
    """Sections of one text. `val` or `test` is empty if its fraction is 0, or if the text is too small for it."""

    train: Ids
    val: Ids
    test: Ids


def split(ids: Ids, val_fraction: float, test_fraction: float, seq_len: int, end: int | None = None) -> Parts:
    """Cut a text into its parts.

    Training needs `seq_len + 1` characters: those of one step, and the one after them. If the text is too small for
    all parts, the test and the validation part become smaller, with a warning.

    Args:
        end: the id that closes a document, in a text of documents. No document is cut. Each part begins with the end
            of the document before it: from this context, the model predicts the first character of a document.

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
    # The first character is context. So a part with fewer than two characters has nothing to predict.
    val, test = (size if size >= 2 else 0 for size in (val, test))
    first, last, overlap = total - test - val, total - test, 0
    if end is not None:
        # Each cut moves to the nearest end of a document, and both parts keep this end. With | for it, cut before e:
        #   text  | a b | c | d e | f |    train  | a b | c | d e |    val  | f |
        overlap = 1
        first = _document_end(ids, end, first, at_least=needed)
        last = _document_end(ids, end, last, at_least=first) if test else total
    cut = ids[:first], ids[first - overlap : last], ids[last - overlap :]
    parts = Parts(*(part if len(part) > overlap else part[:0] for part in cut))
    is_small = (val, test) != asked
    if is_small or _is_off(parts.val, val_fraction, asked[0]) or _is_off(parts.test, test_fraction, asked[1]):
        cause = f"a small text of {total} characters" if is_small or end is None else "long documents, which stay whole"
        sizes = f"{len(parts.train)} for training, {len(parts.val)} for validation, {len(parts.test)} for testing"
        notice(f"{cause}: {sizes}")
    return parts


def _is_off(part: Ids, fraction: float, asked: int) -> bool:
    """Whether a part is missing, or differs from the size asked by more than half of that size."""
    return fraction > 0 and (not len(part) or abs(len(part) - asked) > asked / 2)


def _document_end(ids: Ids, end: int, place: int, at_least: int) -> int:
    """The number of ids up to and including the `end` nearest to `place`, and no fewer than `at_least`."""
    for distance in range(0, len(ids), BLOCK):  # on both sides of `place`, one block further each time
        sides = (place - distance - BLOCK, place - distance), (place + distance - 1, place + distance - 1 + BLOCK)
        places: list[int] = []
        for begin, stop in sides:
            begin = max(begin, at_least - 1)
            places += (begin + 1 + np.flatnonzero(ids[begin : max(stop, 0)] == end)).tolist()
        if places:
            return min(places, key=lambda found: abs(found - place))
    raise AssertionError("the last document has an end")
