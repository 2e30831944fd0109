"""Short independent texts, each closed by an end marker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from charlstm.text.vocab import END

_BLANK_LINES = re.compile(r"\s*\n")
_BETWEEN_PARAGRAPHS = re.compile(r"(?<!\s)\s*\n\s*\n")
"""From the first white character on, so that none is looked at twice."""


def closed(file: Iterable[str], kind: str) -> Iterator[str]:
    """A file's text, given in pieces, as documents: `END` after each, nothing between, and none of them empty.

    Blank lines around a document, and white space at its end, are no part of it.

    Args:
        kind: `lines`; `paragraphs`, which blank lines part; or `files`, the whole as one document.
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
            yield _parted(body, kind)
    if is_open:
        yield END


def _parted(body: str, kind: str) -> str:
    """Text that begins and ends within documents, with `END` in place of what is between them."""
    if kind == "lines":
        first, *others = map(str.rstrip, body.split("\n"))
        return END.join([first, *filter(None, others)])  # the first may be what is left of a line before
    return _BETWEEN_PARAGRAPHS.sub(END, body) if kind == "paragraphs" else body
