"""Text of almost only ASCII, kept as its UTF-8 bytes: such a text is read several times as fast as one in a `str`.

A `str` with one quotation mark beyond ASCII takes two bytes for each of its characters, and its decoding, its counting
and its encoding slow down. In UTF-8 each other character stays one byte, so the few exceptions are handled apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FEW = 10
"""A text is mostly ASCII if at most one in this many of its bytes is beyond ASCII."""

SAMPLED = 128
"""One byte in this many shows whether a text may be mostly ASCII."""

BEYOND = bytes(range(0x80, 0x100))
"""The bytes of UTF-8 that aren't ASCII."""

CONTINUING = bytes(range(0x80, 0xC0))
"""The bytes of a character after its first one."""


@dataclass(frozen=True)
class MostlyAscii:
    """A text in UTF-8.

    Attributes:
        data: the text's bytes.
        places: where the characters beyond ASCII stand among all characters, [n].
        others: the code points of these characters, [n].
    """

    data: bytes
    places: npt.NDArray[np.int64]
    others: npt.NDArray[np.uint32]

    def __str__(self) -> str:
        return self.data.decode()

    def endswith(self, end: str) -> bool:
        """Whether the text ends with `end`."""
        return self.data.endswith(end.encode())

    def translated(self, table: bytes) -> bytes:
        """A byte for each character, [characters]: what `table`, [256], has for the first byte of its UTF-8."""
        return self.data.translate(table, CONTINUING)


Text: TypeAlias = str | MostlyAscii
"""A piece of text."""


def mostly_ascii(data: bytes) -> MostlyAscii | None:
    """Bytes as a text, from the first to the last that is ASCII; None for bytes that need another way.

    It is None when the first byte isn't ASCII, when many aren't, and when the bytes aren't UTF-8.

    Args:
        data: at least one byte.
    """
    data = data.rstrip(BEYOND) if data[-1] > 0x7F else data  # the last character may be incomplete
    if not data or data[0] > 0x7F:
        return None
    points = np.frombuffer(data, np.uint8)
    sample = points[::SAMPLED]
    if FEW * np.count_nonzero(sample > 0x7F) > 2 * len(sample):
        return None
    beyond = np.zeros(0, np.int64) if data.isascii() else np.flatnonzero(points > 0x7F)
    if FEW * len(beyond) > len(data):
        return None
    is_first = points[beyond] >= 0xC0  # of the bytes of a character
    try:
        others = points[beyond].tobytes().decode().encode("utf-32-le")
    except UnicodeDecodeError:
        return None
    if np.any((np.diff(beyond) > 1) & ~is_first[1:]):  # ASCII stands inside a character
        return None
    firsts = np.flatnonzero(is_first)
    continuing = firsts - np.arange(len(firsts))  # bytes before each character
    return MostlyAscii(data, beyond[firsts] - continuing, np.frombuffer(others, "<u4"))
