"""Bytes of files → pieces of text: decoding, line ends, and where a bad byte is."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

from charlstm.errors import InputError
from charlstm.text.documents import closed
from charlstm.text.vocab import END

BLOCK = 1 << 19
"""Bytes that are read at a time. The memory in use is a small multiple of it, however long the text."""


def normalise(text: str) -> str:
    """Text in the form of `pieces`: without a byte order mark, and with LF at the ends of lines."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def pieces(
    files: Iterable[Path],
    encoding: str,
    documents: str = "none",
    on_bytes: Callable[[int], object] = lambda n: None,
) -> Iterator[str]:
    """The text of the files, one after another, in pieces of about half a megabyte, none of them empty.

    A byte order mark at a file's start is dropped; CRLF and CR become LF. If a file's last line has no end, it gets one
    before the next file begins. Files named `.gz` are unpacked.

    Args:
        documents: as in `TextConfig`. In a text of documents, the text begins with `END`, each document ends with it,
            and nothing else stands between them.
        on_bytes: called with the number of bytes of each read, as they are on the disk, for a progress bar.

    Raises:
        InputError: for a file that can't be read or isn't text in this encoding, with the byte's offset.
    """
    if documents != "none":
        opening = END
        for file in files:
            for text in closed(_decode(file, encoding, on_bytes), documents):
                yield opening + text
                opening = ""
        return
    line_is_open = False
    for file in files:
        for number, text in enumerate(_decode(file, encoding, on_bytes)):
            if number == 0 and line_is_open:
                yield "\n"
            line_is_open = not text.endswith("\n")
            yield text


def _decode(file: Path, encoding: str, on_bytes: Callable[[int], object]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, at_start, pending = 0, True, ""
    for block in _blocks(file, on_bytes):
        held = len(decoder.getstate()[0])  # bytes of a character that the last block cut in two
        try:
            text = pending + decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise InputError(_bad_byte(file, encoding, offset - held + error.start, error, is_end=not block)) from None
        except UnicodeError as error:
            raise InputError(f"{file}: {error}: try --encoding utf-16-le or utf-16-be") from None
        offset += len(block)
        pending = ""
        if "\r" in text:  # the last one may be half of a CRLF
            pending = "\r" if block and text.endswith("\r") else ""
            text = text.removesuffix(pending).replace("\r\n", "\n").replace("\r", "\n")
        if END in text:
            raise InputError(f"{file}: holds U+{ord(END):04X}, which no text should and charlstm uses: take it out")
        if b"\0" in block and "\0" in text:
            raise InputError(
                f"{file}: holds NUL characters, so it is a binary file, or UTF-16: try --encoding utf-16-le"
            )
        if at_start:
            text = text.removeprefix("\ufeff")
        if text:
            at_start = False
            yield text


def _blocks(file: Path, on_bytes: Callable[[int], object] = lambda n: None) -> Iterator[bytes]:
    """The file's bytes in blocks, unpacked, and then an empty one."""
    try:
        with file.open("rb") as raw, gzip.open(raw) if file.suffix == ".gz" else nullcontext(raw) as opened:
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
    fitting = [
        f"{name} ({script})" for name, script in tries.items() if name != encoding and _reads(file, name, offset)
    ]
    if not fitting:
        return f"{what}: no usual encoding reads it: is the file damaged?"
    return f"{what}: try --encoding {' or '.join(fitting)}, or mend that byte if the rest is as it should be"


def _reads(file: Path, encoding: str, offset: int) -> bool:
    """Whether a file is text in this encoding, up to a byte at least."""
    decoder, read = codecs.getincrementaldecoder(encoding)(), 0
    try:
        for block in _blocks(file):
            decoder.decode(block)
            read += len(block)
            if read > offset:
                break
    except UnicodeError:
        return False
    return True


def looks_binary(file: Path, encoding: str) -> bool:
    """Whether a file's first kilobytes hold NUL characters when read in this encoding."""
    head = next(_blocks(file))[:8192]
    return "\0" in head.decode(encoding, errors="replace")
