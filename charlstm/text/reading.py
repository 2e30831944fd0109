"""Bytes of files → pieces of text. Decodes the bytes, makes the line ends uniform and finds bad bytes."""

from __future__ import annotations

import codecs
import gzip
import io
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import numpy as np

from charlstm.errors import InputError
from charlstm.text.documents import closed
from charlstm.text.mostly_ascii import MostlyAscii, Text, mostly_ascii
from charlstm.text.vocab import END

BLOCK = 1 << 19
"""How many bytes are read at a time. The memory in use is a small multiple of it, for a text of any length."""


def normalise(text: str) -> str:
    """Text as `pieces` gives it: without a byte order mark, and with LF at the ends of lines."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def pieces(
    files: Iterable[Path],
    encoding: str,
    documents: str = "none",
    on_bytes: Callable[[int], object] = lambda n: None,
) -> Iterator[str]:
    """The same as `texts`, each as a `str`."""
    return map(str, texts(files, encoding, documents, on_bytes))


def texts(
    files: Iterable[Path],
    encoding: str,
    documents: str = "none",
    on_bytes: Callable[[int], object] = lambda n: None,
) -> Iterator[Text]:
    """The text of the files, one after another, in pieces of about half a megabyte. No piece is empty.

    A byte order mark at the start of a file is dropped. CRLF and CR become LF. If the last line of a file has no line
    end, it gets one before the next file. Files with names in `.gz` are unpacked.

    Args:
        documents: as in `TextConfig`. A text of documents begins with `END`, and each document ends with `END`.
        on_bytes: called with the number of bytes of each read (of packed bytes for `.gz`), for a progress bar.

    Raises:
        InputError: when a file can't be read or isn't text in this encoding. The message has the offset of the byte.
    """
    if documents != "none":
        opening = END
        for file in files:
            for document in closed(map(str, _letters_whole(_decode(file, encoding, on_bytes))), documents):
                yield opening + document
                opening = ""
        return
    line_is_open = False
    for file in files:
        for number, text in enumerate(_letters_whole(_decode(file, encoding, on_bytes))):
            if number == 0 and line_is_open:
                yield "\n"
            line_is_open = not text.endswith("\n")
            yield text


def _decode(file: Path, encoding: str, on_bytes: Callable[[int], object]) -> Iterator[Text]:
    """The text of a file. A piece may be empty, and may begin with the accents of a letter in the piece before."""
    decoder, lines = codecs.getincrementaldecoder(encoding)(), io.IncrementalNewlineDecoder(None, translate=True)
    is_utf8, offset, at_start = codecs.lookup(encoding).name == "utf-8", 0, True
    for block in _blocks(file, on_bytes):
        is_between = not decoder.getstate()[0] and not lines.getstate()[1]  # not inside a character or a CRLF
        if is_utf8 and is_between and (simple := _simple(block)):
            yield simple
            offset, at_start = offset + len(simple.data), False
            block = block[len(simple.data) :]
            if not block:
                continue
        held = len(decoder.getstate()[0])  # the first bytes of a character, from the end of the last block
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeError as error:
            if not isinstance(error, UnicodeDecodeError) or "start with BOM" in error.reason:  # since Python 3.13
                raise InputError(f"{file}: no byte order mark: try --encoding {encoding}-le or {encoding}-be") from None
            raise InputError(_bad_byte(file, encoding, offset - held + error.start, error, is_end=not block)) from None
        offset += len(block)
        if "\r" in text or lines.getstate()[1]:  # the test is faster than `lines`
            text = lines.decode(text, final=not block)
        if END in text:
            raise InputError(f"{file}: holds U+{ord(END):04X}, which no text should and charlstm uses: take it out")
        if b"\0" in block and "\0" in text:
            raise InputError(f"{file}: holds NUL characters, as binary files and UTF-16 do: try --encoding utf-16-le")
        if text and at_start:
            text, at_start = text.removeprefix("\ufeff"), False
        yield text


def _simple(block: bytes) -> MostlyAscii | None:
    """The text of a block of UTF-8 if nothing in it has to be changed or refused; without what isn't ASCII at its end.

    It begins with ASCII, so neither with a byte order mark nor with an accent.
    """
    if not block or b"\r" in block or b"\0" in block:
        return None
    text = mostly_ascii(block)
    return None if text is None or np.any(text.others == ord(END)) else text


MOST_MARKS = 64
"""The most marks that a letter is expected to have."""


def _letters_whole(texts: Iterable[Text]) -> Iterator[Text]:
    """The same text, none of it empty, and no letter apart from its marks, such as accents."""
    before: Text = ""
    for text in texts:
        if before and isinstance(text, str) and (marks := _marks_at_start(text)):
            before, text = str(before) + text[:marks], text[marks:]
        if text:
            if before:
                yield before
            before = text
    if before:
        yield before


def _marks_at_start(text: str) -> int:
    """How many marks a text begins with. The parts of Korean letters after the first are marks, too."""
    marks = 0
    for character in text[:MOST_MARKS]:
        if not unicodedata.combining(character) and not "\u1160" <= character <= "\u11ff":
            break
        marks += 1
    return marks


def _blocks(file: Path, on_bytes: Callable[[int], object] = lambda n: None) -> Iterator[bytes]:
    """The unpacked bytes of a file in blocks. The last block is empty."""
    try:
        with file.open("rb") as raw, gzip.open(raw) if is_packed(file.name) else nullcontext(raw) as opened:
            place = 0
            while block := opened.read(BLOCK):
                on_bytes(raw.tell() - place)
                place = raw.tell()
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{file}: a damaged .gz file ({error}): fetch it again, or unpack it by hand") from None
    except OSError as error:
        raise InputError(f"{file}: can't be read ({error.strerror or error})") from None
    yield b""


def _bad_byte(file: Path, encoding: str, offset: int, error: UnicodeDecodeError, is_end: bool) -> str:
    what = f"{file}: byte 0x{error.object[error.start]:02x} at offset {offset} is not {encoding}"
    if is_end:
        return f"{what}: it begins a character that the end of the file cuts off: is the file complete?"
    if next(_blocks(file)).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{what}: try --encoding utf-16"
    if looks_binary(file, encoding):
        return f"{what}: this looks like a binary file; if it is text in UTF-16, try --encoding utf-16-le"
    tries = {"gb18030": "Chinese", "shift_jis": "Japanese", "cp1252": "western", "utf-8": "any"}
    fitting = [f"{name} ({tries[name]})" for name in tries if name != encoding and _reads(file, name, offset)]
    if not fitting:
        return f"{what}: no usual encoding reads it: is the file damaged?"
    return f"{what}: try --encoding {' or '.join(fitting)}, or mend that byte if the rest is as it should be"


def _reads(file: Path, encoding: str, offset: int) -> bool:
    """Whether a file is text in this encoding, at least up to this byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in islice(_blocks(file), offset // BLOCK + 1):
            decoder.decode(block)
    except UnicodeError:
        return False
    return True


def is_packed(name: str) -> bool:
    """Whether a file of this name holds packed text."""
    return name.lower().endswith(".gz")


def looks_binary(file: Path, encoding: str) -> bool:
    """Whether the first 8192 bytes of a file are, in this encoding, not those of a text.

    Packed data has every control character once in 256 bytes; a text has few but those that lay it out, or that colour
    it in a terminal.
    """
    begin = next(_blocks(file))[:8192].decode(encoding, errors="replace")
    controls = sum(c < " " and c not in "\t\n\f\r\b\x1b" for c in begin)
    return "\0" in begin or controls > len(begin) / 50
