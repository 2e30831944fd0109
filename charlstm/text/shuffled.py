"""The documents of a text, in an order that is new in every epoch."""

from __future__ import annotations

import numpy as np

from charlstm.text.ids import Ids, release

BLOCK = 1 << 18
"""Characters that are shuffled at a time, so that what is held in memory doesn't grow with the text."""


class Documents:
    """A text of documents, to be read in a random order.

    The text is cut into blocks of documents; an epoch takes the blocks in a random order, and the documents of each
    block in a random order. So a text of one block is shuffled evenly, and of a longer one only the blocks that are
    being read are held, however many documents there are.

    Args:
        ids: [n], beginning and ending with `end`: before the first document stands the end of another, so that its
            first character, too, is guessed from an end.
        end: the id that closes a document.
        seed: the order of an epoch depends on the seed and the epoch's number, and on nothing else.

    Attributes:
        count: of the documents.
        cuts: where blocks begin and end, [blocks + 1].
    """

    def __init__(self, ids: Ids, end: int, seed: int) -> None:
        self.ids, self.end, self.seed = ids, end, seed
        self.count = -1
        cuts = []
        for number, begin in enumerate(range(0, len(ids), BLOCK)):
            ends = begin + np.flatnonzero(ids[begin : begin + BLOCK] == end)
            self.count += len(ends)
            cuts += [ends[0] + 1, ends[-1] + 1] if len(ends) else []
            if number % 64 == 0:
                release(ids)
        # Cut after the first and the last end in each stretch: a block is shorter than that, or a single document.
        self.cuts: Ids = np.unique(cuts)

    def __len__(self) -> int:
        return len(self.ids)

    def epoch(self, number: int, readers: int) -> Epoch:
        """The text as epoch `number` has it, for so many that read side by side."""
        return Epoch(self, number, readers)


class Epoch:
    """A text of documents in the order of one epoch, to be sliced like an array of ids, with both ends given."""

    def __init__(self, documents: Documents, number: int, readers: int) -> None:
        self.documents, self.number = documents, number
        lengths = np.diff(documents.cuts)
        self.order = np.random.default_rng([documents.seed, number]).permutation(len(lengths))
        self.begins = 1 + np.concatenate([[0], np.cumsum(lengths[self.order])])
        self._readers = readers
        self._held: dict[int, Ids] = {}

    def __getitem__(self, wanted: slice) -> Ids:
        parts = [self.documents.ids[:1]] if wanted.start == 0 else []
        place = max(1, wanted.start)
        while place < wanted.stop:
            k = int(np.searchsorted(self.begins, place, side="right")) - 1
            parts.append(self._block(k)[place - self.begins[k] : wanted.stop - self.begins[k]])
            place = int(self.begins[k + 1])
        return np.concatenate(parts)

    def _block(self, k: int) -> Ids:
        """The k-th block of this epoch. As many are held as there are readers, those that were asked for last."""
        self._held[k] = self._held.pop(k) if k in self._held else self._shuffle(k)
        if len(self._held) > self._readers + 1:
            del self._held[next(iter(self._held))]
        return self._held[k]

    def _shuffle(self, k: int) -> Ids:
        """The k-th block of this epoch, with its documents in this epoch's order."""
        cuts, which = self.documents.cuts, self.order[k]
        block = self.documents.ids[cuts[which] : cuts[which + 1]]
        ends = np.flatnonzero(block == self.documents.end) + 1
        if len(ends) == 1:
            return block  # a view: a document may be long
        random = np.random.default_rng([self.documents.seed, self.number, 1 + which])
        order = random.permutation(len(ends))
        begins, lengths = np.concatenate([[0], ends[:-1]])[order], np.diff(ends, prepend=0)[order]
        # Each character's place in the block: where its document begins, and how far into it it is.
        shifts = begins - np.concatenate([[0], np.cumsum(lengths)[:-1]])
        shuffled: Ids = block[np.arange(len(block)) + np.repeat(shifts, lengths)]
        return shuffled
