"""Characters ↔ ids."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from charlstm.errors import InputError

UNKNOWN = "\ufffd"
"""Stands for all rare characters. It is read like any other character and never written."""

END = "\ufdd0"
"""Closes a document. The model reads and writes it like any other character; people never see it.

Unicode keeps this code point free for the inner use of programs, so that no text should hold it.
"""

CODE_POINTS = 0x110000
"""How many code points Unicode has."""


def code_points(text: str) -> npt.NDArray[np.unsignedinteger]:
    """The code points of a text, [len(text)]. Lone surrogates (from undecodable arguments) pass through."""
    if text.isascii():  # one byte each takes a quarter of the memory, and half of the time
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    pairs = text.encode("utf-16-le", "surrogatepass")
    if len(pairs) == 2 * len(text):  # all are below 0x10000, as in most texts
        return np.frombuffer(pairs, dtype="<u2")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


class UnknownCharacters(InputError):
    """A text holds characters that the vocabulary lacks; they are in `characters`, each once."""

    def __init__(self, characters: str, remedy: str) -> None:
        self.characters = characters
        shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:8])
        more = f" and {len(characters) - 8} more" if len(characters) > 8 else ""
        super().__init__(f"the model never saw {shown}{more}: {remedy}")


class Vocab:
    """The characters that a model knows; a character's id is its place among them.

    Args:
        characters: every character once, in increasing order of code point.

    Raises:
        InputError: when a character stands twice or out of order, or there is none.
    """

    def __init__(self, characters: str) -> None:
        points = code_points(characters)
        if not characters or not np.all(points[1:] > points[:-1]):
            raise InputError("a vocabulary holds each of its characters once, sorted by code point")
        self.characters = characters

    def __len__(self) -> int:
        return len(self.characters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocab) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __contains__(self, character: str) -> bool:
        return len(character) == 1 and self._table[ord(character)] >= 0

    def id_of(self, character: str) -> int | None:
        """The id of a character, or None."""
        return int(self._table[ord(character)]) if character in self else None

    @cached_property
    def unknown_id(self) -> int | None:
        """The id of U+FFFD, where the vocabulary has it."""
        return self.id_of(UNKNOWN)

    @cached_property
    def end_id(self) -> int | None:
        """The id of what closes a document, where the text was one of documents."""
        return self.id_of(END)

    @cached_property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest integer type that holds every id."""
        return np.dtype(np.min_scalar_type(len(self) - 1))

    @cached_property
    def _table(self) -> npt.NDArray[np.signedinteger]:
        """The id of every code point, of the smallest type that holds them; -1 where there is none."""
        table = np.full(CODE_POINTS, -1, dtype=np.min_scalar_type(-len(self)))
        table[code_points(self.characters)] = np.arange(len(self))
        return table

    def encode(self, text: str, remedy: str = "take them out") -> npt.NDArray[np.signedinteger]:
        """Ids of a text, [len(text)].

        Raises:
            UnknownCharacters: naming those that the vocabulary lacks, with `remedy` as what to do.
        """
        ids = self._table.take(code_points(text))  # in half the time that brackets take
        if ids.size and ids.min() < 0:
            raise UnknownCharacters(self.missing(text), remedy)
        return ids

    def encode_folded(self, text: str) -> npt.NDArray[np.signedinteger]:
        """Ids of a text, [len(text)], with characters that the vocabulary lacks read as U+FFFD.

        Raises:
            UnknownCharacters: when there are such characters and the vocabulary has no U+FFFD.
        """
        if self.unknown_id is None:
            return self.encode(text, "take them out, or train with --min-count 2, which makes room for unknown ones")
        ids = self._table.take(code_points(text))
        ids[ids < 0] = self.unknown_id
        return ids

    def decode(self, ids: npt.ArrayLike) -> str:
        """The text of some ids, [n]."""
        return "".join(self.characters[i] for i in np.asarray(ids).tolist())

    def missing(self, text: str) -> str:
        """The characters of a text that the vocabulary lacks, each once, in the order of their appearance."""
        return "".join(c for c in dict.fromkeys(text) if c not in self)
