"""Characters ↔ ids."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from charlstm.errors import InputError
from charlstm.text.mostly_ascii import Text

T = TypeVar("T", bound=Text)

UNKNOWN = "\ufffd"
"""Stands for all rare characters. The model reads it like any other character and never writes it."""

END = "\ufdd0"
"""Closes a document. The model reads and writes it like any other character; people never see it.

Unicode reserves this code point for internal use in programs. So no text should contain it.
"""

CODE_POINTS = 0x110000
"""The number of Unicode code points."""


def code_points(text: str) -> npt.NDArray[np.unsignedinteger]:
    """The code points of a text, [len(text)]. Lone surrogates (from undecodable arguments) pass through."""
    if text.isascii():  # one byte for each: a quarter of the memory, half of the time
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    pairs = text.encode("utf-16-le", "surrogatepass")
    if len(pairs) == 2 * len(text):  # all are below 0x10000, as in most texts
        return np.frombuffer(pairs, dtype="<u2")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@cache
def _marks() -> str:
    """All characters that belong to the letter before them: accents, and the later parts of Korean letters."""
    return "".join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(c)) + "\u1160-\u11ff"


class UnknownCharacters(InputError):
    """A text contains characters that the vocabulary lacks. `characters` has each of them once."""

    def __init__(self, characters: str, remedy: str) -> None:
        self.characters = characters
        shown = " ".join(f"{c!r} (U+{ord(c):04X})" for c in characters[:8])
        more = f" and {len(characters) - 8} more" if len(characters) > 8 else ""
        super().__init__(f"the model never saw {shown}{more}: {remedy}")


@dataclass(unsafe_hash=True)
class Vocab:
    """The characters that a model knows. The id of a character is its position among them.

    Args:
        characters: every character once, in increasing order of code point.

    Attributes:
        unknown_id: the id of `UNKNOWN`, or None.
        end_id: the id of `END`, or None if the text has no documents.
        dtype: the smallest integer type for every id.

    Raises:
        InputError: when a character occurs twice or in the wrong order, or when there is none.
    """

    characters: str

    def __post_init__(self) -> None:
        points = code_points(self.characters if isinstance(self.characters, str) else "")
        if not len(points) or not np.all(points[1:] > points[:-1]):
            raise InputError("a vocabulary holds each of its characters once, sorted by code point")
        self.unknown_id, self.end_id = self.id_of(UNKNOWN), self.id_of(END)
        self.dtype: np.dtype[np.unsignedinteger] = np.dtype(np.min_scalar_type(len(self) - 1))

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: str) -> bool:
        return len(character) == 1 and character in self.characters

    def id_of(self, character: str) -> int | None:
        """The id of a character, or None."""
        return self.characters.index(character) if character in self else None

    @cached_property
    def _table(self) -> npt.NDArray[np.signedinteger]:
        """The id of every code point, or -1, in the smallest type for them: [CODE_POINTS]."""
        table = np.full(CODE_POINTS, -1, dtype=np.min_scalar_type(-len(self)))
        table[code_points(self.characters)] = np.arange(len(self))
        return table

    @cached_property
    def _ascii(self) -> bytes:
        """The id of each ASCII character, or -1, as 8-bit numbers: [256]. Those above ASCII are 0."""
        return self._table[:0x80].astype(np.int8).tobytes() + bytes(0x80)

    def _ids(self, text: Text) -> npt.NDArray[np.signedinteger]:
        """The id of every character of a text, or -1, [len(text)]."""
        if isinstance(text, str):
            return self._table.take(code_points(text))  # twice as fast as table[...]
        # The characters before an ASCII character in a vocabulary are ASCII, too: its id is below 128.
        ids = np.frombuffer(text.translated(self._ascii), np.int8).astype(self._table.dtype)
        ids[text.places] = self._table.take(text.others)
        return ids

    def encode(self, text: Text, remedy: str = "take them out") -> npt.NDArray[np.signedinteger]:
        """Ids of a text, [len(text)].

        Raises:
            UnknownCharacters: for characters that the vocabulary lacks. The message ends with `remedy`.
        """
        ids = self._ids(text)
        if ids.size and ids.min() < 0:
            raise UnknownCharacters(self.missing(str(text)), remedy)
        return ids

    def encode_folded(self, text: Text) -> npt.NDArray[np.signedinteger]:
        """Ids of a text, [len(text)]. A character that the vocabulary lacks gets the id of U+FFFD.

        Raises:
            UnknownCharacters: when there is such a character, and the vocabulary has no U+FFFD.
        """
        if self.unknown_id is None:
            return self.encode(text, "take them out, or train with --min-count 2, which makes room for unknown ones")
        ids = self._ids(text)
        ids[ids < 0] = self.unknown_id
        return ids

    def fitted(self, text: T) -> T | str:
        """The text with those letters that aren't known, accents and all, in a form that is (Unicode's NFC or NFD)."""
        unknown = self.missing(str(text)) if np.any(self._ids(text) < 0) else ""
        if not unknown:
            return text

        def known(found: re.Match[str]) -> str:
            forms = (found[0], *(unicodedata.normalize(form, found[0]) for form in ("NFC", "NFD")))
            return next((form for form in forms if not self.missing(form)), found[0])

        return re.sub(f".[{_marks()}]+|[{re.escape(unknown)}]", known, str(text))

    def decode(self, ids: npt.ArrayLike) -> str:
        """The text of some ids, [n]."""
        return "".join(self.characters[i] for i in np.asarray(ids).tolist())

    def missing(self, text: str) -> str:
        """The characters of a text that the vocabulary lacks: each once, in the order of the text."""
        return "".join(c for c in dict.fromkeys(text) if c not in self)
