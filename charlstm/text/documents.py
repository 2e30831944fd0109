"""Documents: short independent texts, each with an end marker. Every epoch reads them in a new order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

import numpy as np

from charlstm.errors import InputError
from charlstm.text.ids import Ids, release
from charlstm.text.vocab import END

_BLANK_LINES = re.compile(r"\s*\n")  # in "\n \n  one\ntwo": the "\n \n" before the indentation of "one"

# In "one \n\n  two": " \n\n". A match begins at the first white character, so the search reads each one only once.
_BETWEEN_PARAGRAPHS = re.compile(r"(?<!\s)\s*\n\s*\n")


MOST_WHITE = 1 << 26
"""The most white space in a row, in characters: it is held in memory, and a packed file may have any amount of it."""


def closed(file: Iterable[str], kind: str) -> Iterator[str]:
    """The documents of a file, with `END` after each of them and nothing between them. No document is empty.

    Documents lose the blank lines around them, and the white space at their end.

    Args:
        file: its text, in pieces.
        kind: `lines`; `paragraphs`, with blank lines between them; or `files`, the whole file as one document.

    Raises:
        InputError: for more white space in a row than can be held.
    """
    held: list[str] = []  # white space: a later piece shows whether it belongs to a document
    is_open = False
    for piece in file:
        held.append(piece)
        if not piece.strip():
            if sum(map(len, held)) > MOST_WHITE:
                raise InputError(f"more than {MOST_WHITE:,} characters of white space in a row: take them out")
            continue
        text = "".join(held)
        if not is_open and (blank := _BLANK_LINES.match(text)):
            text = text[blank.end() :]
        body = text.rstrip()
        held = [text[len(body) :]]
        is_open = True
        if kind == "lines":
            first, *others = map(str.rstrip, body.split("\n"))
            body = END.join([first, *filter(None, others)])  # an empty first line ends the line of the last piece
        elif kind == "paragraphs":
            body = _BETWEEN_PARAGRAPHS.sub(END, body)
        yield body
    if is_open:
        yield END


BLOCK = 1 << 18
"""How many characters are shuffled at a time, so that the memory doesn't grow with the text."""


class Documents:
    """A text of documents, for reading in a random order.

    The text is cut into blocks of documents. An epoch shuffles the blocks, and then the documents inside each block. If
    the text has only one block, every order is equally likely. A longer text needs memory only for the blocks in use.

        the text ("." is an end)    .a.bb.c.|dd.e.|        two blocks: a. bb. c. and dd. e.
        in an epoch                 .e.dd.|c.a.bb.|

    Args:
        ids: [n], with `end` at the beginning and after each document. So every document has an `end` before it, from
            which the model predicts the first character.
        end: the id that closes a document.
        seed: the order depends only on the seed and on the number of the epoch.

    Attributes:
        count: the number of documents.
        cuts: the boundaries of the blocks, [blocks + 1].
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
        # The cuts follow the first and the last end in each BLOCK ids. So a block is shorter, or is a single document.
        self.cuts: Ids = np.unique(cuts)

    def __len__(self) -> int:
        return len(self.ids)

    def shuffled(self, epoch: int, which: int) -> Ids:
        """One block, with its documents in the order of an epoch."""
        block = self.ids[self.cuts[which] : self.cuts[which + 1]]
        ends = np.flatnonzero(block == self.end) + 1
        if len(ends) == 1:
            return block  # a view without a copy, since a document may be long
        order = np.random.default_rng([self.seed, epoch, 1 + which]).permutation(len(ends))
        begins, lengths = np.concatenate([[0], ends[:-1]])[order], np.diff(ends, prepend=0)[order]
        # The place of a character in the block is the begin of its document plus its place in the document:
        #   block  a . b b . c .    order 2 0 1    begins 5 0 2    lengths 2 2 3
        #   place  5 6 0 1 2 3 4  = 0 1 2 3 4 5 6 + shift, with the shifts 5, -2, -2 of the three documents.
        shifts = begins - np.concatenate([[0], np.cumsum(lengths)[:-1]])
        shuffled: Ids = block[np.arange(len(block)) + np.repeat(shifts, lengths)]
        return shuffled


class Epoch:
    """A text of documents in the order of one epoch. `epoch[a:b]` is a slice, as of an array; it needs a and b.

    Args:
        readers: at how many places the epoch is read in turn. The last `readers + 1` blocks stay in memory.
    """

    def __init__(self, documents: Documents, number: int, readers: int) -> None:
        self.documents, self.number = documents, number
        lengths = np.diff(documents.cuts)
        self.order = np.random.default_rng([documents.seed, number]).permutation(len(lengths))
        self.begins = 1 + np.concatenate([[0], np.cumsum(lengths[self.order])])
        self._block = lru_cache(readers + 1)(partial(documents.shuffled, number))

    def __getitem__(self, wanted: slice) -> Ids:
        parts = [self.documents.ids[:1]] if wanted.start == 0 else []
        place = max(1, wanted.start)
        while place < wanted.stop:
            k = int(np.searchsorted(self.begins, place, side="right")) - 1
            block = self._block(int(self.order[k]))
            parts.append(block[place - self.begins[k] : wanted.stop - self.begins[k]])
            place = int(self.begins[k + 1])
        return np.concatenate(parts)
