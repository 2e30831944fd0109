"""N-grams of a text that is being read: what followed its last characters wherever they stood before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlstm.text.ids import Ids

Integers = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

ORDERS = 8
"""The most characters of a context."""

DISCOUNT = 0.6
"""What is taken from each count, and given to characters that didn't follow a context yet."""

MOST_BEFORE = 1 << 21
"""Characters of an earlier text that are counted at most: its last ones."""

SPANS = 2
"""A character is counted over two spans: all that was read, and the text itself, without what was read before it."""

TIMES = (2, 4, 8, 16, 32, 64, 128)
"""How often a context was seen decides how sure it is; these are where one kind ends and the next one begins."""

SUCCESSORS = (1, 3, 8)
"""So does the number of different characters that followed it: at most these, or more."""

KINDS = SPANS * (len(TIMES) + 1) * (len(SUCCESSORS) + 1)
"""The kinds of evidence: one for each span and each way of being sure."""

SMALLEST = 1e-300
"""The smallest probability that is divided by."""


class Evidence(NamedTuple):
    """What the contexts say about the next characters, [n] each: an entry for each character that followed a context.

    Attributes:
        cells: place * vocab_size + id of the character, for a place in the part that is predicted.
        ratios: the logarithm of how much likelier the context makes it, compared with characters that never followed.
        kinds: how sure the context is, 0 to KINDS - 1.
    """

    cells: Integers
    ratios: Floats
    kinds: Integers


class NGrams:
    """How often each character followed the last 1 to ORDERS characters, in a text that is read part by part.

    The table of all contexts is made in advance, in about 200 bytes for each character. Its counts are zero, and say
    nothing, until the text is read.

    Args:
        before: ids that were read before the text.
        text: ids, [n] with n ≥ 1. The first one counts as read.
    """

    def __init__(self, before: Ids, text: Ids, vocab_size: int) -> None:
        before = before[-MOST_BEFORE:]
        ids = np.concatenate([before, text])
        self.vocab_size, self.place = vocab_size, 0
        self.orders = list(_orders(ids, len(before), vocab_size))
        self.read(1)

    def read(self, count: int) -> None:
        """The next `count` characters of the text have been read, and are counted from now on."""
        for order in self.orders:
            for counts in order.counts:
                np.add.at(counts, order.pairs[self.place : self.place + count], 1)
        self.place += count

    def evidence(self, probabilities: Floats) -> Evidence:
        """What the text so far says about its next T characters, from another model's probabilities of them, [T, V].

        Each order refines the estimate p of the order before it; the first one, that of the other model. Where a
        context was seen N times, before D different characters, and c times before a character:

            ratio = log(1 + max(0, c - d) / (d D p))
            p ← (max(0, c - d) + d D p) / N

        This is absolute discounting, d = DISCOUNT, with interpolation (Ney et al. 1994).
        """
        places = len(probabilities)
        estimates = np.tile(probabilities, (SPANS, 1))  # [spans * T, V]
        found = []
        for order in self.orders:
            rows, pairs = order.followers(slice(self.place, self.place + places))
            counts = order.counts[:, pairs]
            spans, seen = counts.nonzero()
            rows, ids, counts = spans * places + rows[seen], order.ids[pairs[seen]], counts[spans, seen]
            different = np.bincount(rows, minlength=SPANS * places)
            total = np.bincount(rows, counts, SPANS * places)
            kept = np.maximum(0, counts - DISCOUNT)
            given = DISCOUNT * different[rows] * np.maximum(estimates[rows, ids], SMALLEST)
            estimates[rows, ids] = (kept + given) / total[rows]
            cells = rows % places * self.vocab_size + ids
            kinds = spans * (KINDS // SPANS) + _kinds(total, different)[rows]
            found.append(Evidence(cells, np.log1p(kept / given), kinds))
        return Evidence(*map(np.concatenate, zip(*found, strict=True)))


class _Order(NamedTuple):
    """The contexts of one length, and the pairs of a context and a character that followed it somewhere.

    Contexts and pairs are numbered; the pairs of a context are neighbours.

    Attributes:
        first: the first pair of each context, and the end of the last one's, [contexts + 1].
        ids: the character of each pair, [pairs].
        counts: how often each pair was read, over each span, [SPANS, pairs].
        contexts: the context before each character of the text, [n].
        pairs: the pair that each character of the text makes with its context, [n].
    """

    first: Integers
    ids: Integers
    counts: Integers
    contexts: Integers
    pairs: Integers

    def followers(self, places: slice) -> tuple[Integers, Integers]:
        """The pairs of the contexts at some places, and the number of the place for each, counted from the first."""
        first, end = (self.first[self.contexts[places] + n] for n in (0, 1))
        lengths = end - first
        rows = np.repeat(np.arange(len(lengths)), lengths)
        return rows, np.arange(len(rows)) + np.repeat(end - lengths.cumsum(), lengths)


def _orders(ids: Integers, before: int, vocab_size: int) -> Iterator[_Order]:
    """Orders 1 to ORDERS of a text, whose first `before` ids are counted."""
    contexts, number = np.zeros(len(ids) + 1, np.int32), 1  # of order 0: all the same
    for length in range(ORDERS + 1):
        codes, pairs = np.unique(contexts[:-1] * np.int64(vocab_size) + ids, return_inverse=True)
        # A pair is a context of the next order. The text's beginning is one of its own.
        longer = np.concatenate([[len(codes)], pairs]).astype(np.int32)
        if length:
            first = np.searchsorted(codes, np.arange(number + 1) * vocab_size).astype(np.int32)
            counts = np.zeros((SPANS, len(codes)), np.int32)
            counts[0] = np.bincount(pairs[:before], minlength=len(codes))
            yield _Order(
                first, (codes % vocab_size).astype(np.int32), counts, contexts[before:-1], longer[before + 1 :]
            )
        contexts, number = longer, len(codes) + 1


def _kinds(total: Integers | Floats, different: Integers) -> Integers:
    """How sure a context is that was seen `total` times, before `different` characters: 0 to KINDS / SPANS - 1."""
    often = np.searchsorted(TIMES, total, side="right")
    return often * (len(SUCCESSORS) + 1) + np.searchsorted(SUCCESSORS, different)
