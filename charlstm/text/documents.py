"""Short independent texts, each closed by an end marker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from charlstm.text.vocab import END

# What stands between two documents, from the first white character on, so that none is looked at twice.
_BETWEEN = {
    "lines": re.compile(r"(?<!\s)\s*\n"),
    "paragraphs": re.compile(r"(?<!\s)\s*\n\s*\n"),
    "files": re.compile(r"(?!)"),
}
_BLANK_LINES = re.compile(r"\s*\n")


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
            yield _BETWEEN[kind].sub(END, body)
    if is_open:
        yield END
