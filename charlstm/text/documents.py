"""Short independent texts, each closed by an end marker: from the text of files, and in a new order every epoch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from charlstm.text.ids import Ids, release
from charlstm.text.vocab import END

_BLANK_LINES = re.compile(r"\s*\n")

# From the first white character on ("one \n\n two": from the space before \n), so that none is looked at twice.
_BETWEEN_PARAGRAPHS = re.compile(r"(?<!\s)\s*\n\s*\n")


def closed(file: Iterable[str], kind: str) -> Iterator[str]:
    """A file's text, given in pieces, as documents: `END` after each, nothing between, and none of them empty.

    Blank lines around a document, and white space at its end, are no part of it.

    Args:
        kind: `lines`; `paragraphs`, with blank lines between them; or `files`, the whole file as one document.
    """
    held = ""  # white space whose meaning depends on what follows
    is_open = False
    for piece in file:
        text = held + piece
        if not is_open and (blank := _BLANK_LINES.match(text)):
            text = text[blank.end() :]
        body = text.rstrip()
        held = text[len(body) :]
        if body:
            is_open = True
            yield _separated(body, kind)
    if is_open:
        yield END


def _separated(body: str, kind: str) -> str:
    """Text that begins and ends inside of documents, with `END` in place of what separates them."""
    if kind == "lines":
        first, *others = map(str.rstrip, body.split("\n"))
        return END.join([first, *filter(None, others)])  # the first may be what is left of a line before
    return _BETWEEN_PARAGRAPHS.sub(END, body) if kind == "paragraphs" else body


BLOCK = 1 << 18
"""Characters that are shuffled at a time, so that the memory doesn't grow with the text."""


class Documents:
    """A text of documents, to be read in a random order.

    The text is cut into blocks of documents. An epoch takes the blocks in a random order, and the documents within each
    block in a random order. So a text of one block is shuffled evenly; of a longer text, only the blocks that are being
    read are held in memory.

        the text, . for an end    .a.bb.c.|dd.e.|        two blocks: a. bb. c. and dd. e.
        as an epoch has it        .e.dd.|c.a.bb.|

    Args:
        ids: [n], beginning and ending with `end`: the end before the first document is the context in which its first
            character is predicted, as for every other document.
        end: the id that closes a document.
        seed: the order of an epoch depends on the seed and the epoch's number, and on nothing else.

    Attributes:
        count: how many documents there are.
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
        """The text as epoch `number` has it, for `readers` that read at as many places at once."""
        return Epoch(self, number, readers)


class Epoch:
    """A text of documents in the order of one epoch. Supports `epoch[a:b]` like an array; a and b are required."""

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
        """The k-th block of this epoch. The latest ones are kept, one for each reader and one more."""
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
        # For each character, its place in the block is where its document begins plus how far it is inside of that:
        #   block  a . b b . c .    order 2 0 1    begins 5 0 2    lengths 2 2 3
        #   place  5 6 0 1 2 3 4  = 0 1 2 3 4 5 6 + shift, with the shifts 5, -2, -2 of the three documents.
        shifts = begins - np.concatenate([[0], np.cumsum(lengths)[:-1]])
        shuffled: Ids = block[np.arange(len(block)) + np.repeat(shifts, lengths)]
        return shuffled
