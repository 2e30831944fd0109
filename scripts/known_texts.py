"""Texts by name, number or address: where to download them, what to call them, and how to clean them."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from charlstm.errors import InputError, RunError
from charlstm.files import safe_name
from charlstm.terminal import say

LARGEST = 4_000_000_000
"""The most bytes that an archive may hold."""
HARMLESS = 100_000_000
DENSEST = 100
"""An archive that holds more than HARMLESS bytes may be packed this many times smaller; enwik8 is 3 times smaller."""
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, ValueError, LookupError, EOFError, NotImplementedError)
"""What zipfile raises for bytes that aren't a whole archive."""


def gutenberg_text(content: bytes) -> bytes:
    """A book of Project Gutenberg without the legal head and tail, in UTF-8 with LF."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # the encoding of the oldest books
    text = text.replace("\r\n", "\n")
    head = re.search(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.{0,400}?\*\*\*[^\n]*\n", text, re.M | re.S)
    head = head or re.search(r"^\*END\*? ?THE SMALL PRINT!.*\n", text, re.M)
    begin = head.end() if head else 0
    tail = re.compile(r"^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT|End of (?:The |the )?Project Gutenberg)", re.M)
    end = tail.search(text, begin)
    if not head or not end:
        say("the marks of Project Gutenberg are incomplete: check the beginning and the end of the text")
    return (text[begin : end.start() if end else None].strip("\n") + "\n").encode()


def poems_of_json(content: bytes) -> bytes:
    """JSON arrays of poems as text, with one couplet per line and an empty line between two poems."""
    decoder, text, poems = json.JSONDecoder(), content.decode("utf-8-sig").strip(), []
    while text:
        array, end = decoder.raw_decode(text)
        poems += ["\n".join(poem["paragraphs"]) for poem in array if poem["paragraphs"]]
        text = text[end:].lstrip()
    return ("\n\n".join(poems) + "\n").encode()


def unzipped(content: bytes) -> bytes:
    """The one file in a zip archive, or its .txt files in the order of their names.

    Raises:
        RunError: when there is none, or it can't or mustn't be unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = _texts(archive)
            # A stranger's archive may unpack to more than the memory holds.
            size, most = sum(e.file_size for e in entries), min(LARGEST, max(HARMLESS, DENSEST * len(content)))
            if size > most:
                raise RunError(
                    f"the archive would unpack to {size:,} bytes, and {most:,} are allowed: unpack it yourself"
                )
            return b"".join(_unpacked(archive, entry) for entry in entries)
    except _BROKEN:
        raise RunError("this is not a whole zip archive: try again, or check the address") from None


def _texts(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    files = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_hidden(entry.filename)]
    texts = sorted((e for e in files if e.filename.lower().endswith(".txt")), key=lambda e: e.filename)
    if len(files) == 1:
        texts = files
    elif texts:
        say(f"the archive holds {len(files)} files: its {len(texts)} .txt files are joined in order of name")
    else:
        raise RunError(f"none of the archive's {len(files)} files is a text (.txt): unpack it yourself")
    # zipfile unpacks whole blocks of the rarer methods at once, however large they become.
    if any(e.flag_bits & 1 or e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in texts):
        raise RunError("the archive is encrypted, or packed by an unusual method: unpack it yourself")
    return texts


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of a file in an archive. Without a number, `read` unpacks more than the file claims to hold."""
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)


def _is_hidden(name: str) -> bool:
    """Whether a file in an archive is hidden, or is one of those that macOS adds."""
    return any(re.match(r"__MACOSX$|\.[^.]", step) for step in re.split(r"[/\\]", name))


@dataclass(frozen=True)
class Source:
    """Where to download a text, and how to clean it.

    Attributes:
        megabytes: about how large the download is; 0 if not known.
        sha256: of the download; None if it is unknown or may change.
        clean: from the download to the text; None if they are the same.
        also: another name.
    """

    addresses: tuple[str, ...]
    title: str
    megabytes: float
    licence: str
    sha256: str | None = None
    clean: Callable[[bytes], bytes] | None = None
    also: str = ""


def gutenberg(number: int, title: str, megabytes: float, also: str = "") -> Source:
    """A book of Project Gutenberg."""
    address = f"https://www.gutenberg.org/cache/epub/{number}/pg{number}.txt"
    return Source((address,), title, megabytes, "public domain", clean=gutenberg_text, also=also)


_GITHUB = "https://raw.githubusercontent.com"
_TANG = f"{_GITHUB}/chinese-poetry/chinese-poetry/master/{urllib.parse.quote('全唐诗')}/poet.tang"

SOURCES = {
    "tinyshakespeare": Source(
        (f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        "scenes by Shakespeare, the text of char-rnn",
        1.1,
        "public domain",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
    "shakespeare": gutenberg(100, "Shakespeare, all works", 5.6),
    "alice": gutenberg(11, "Lewis Carroll, Alice's Adventures in Wonderland", 0.2),
    "sherlock-holmes": gutenberg(1661, "Arthur Conan Doyle, The Adventures of Sherlock Holmes", 0.6),
    "pride-and-prejudice": gutenberg(1342, "Jane Austen, Pride and Prejudice", 0.8),
    "moby-dick": gutenberg(2701, "Herman Melville, Moby Dick", 1.3),
    "war-and-peace": gutenberg(2600, "Leo Tolstoy, War and Peace", 3.4),
    "hongloumeng": gutenberg(24264, "曹雪芹 红楼梦", 2.6, also="红楼梦"),
    "sanguo": gutenberg(23950, "罗贯中 三国演义", 1.8, also="三国演义"),
    "shuihu": gutenberg(23863, "施耐庵 水浒传", 2.6, also="水浒传"),
    "xiyouji": gutenberg(23962, "吴承恩 西游记", 2.2, also="西游记"),
    "tang-poems": Source(
        tuple(f"{_TANG}.{number}.json" for number in range(0, 58_000, 1000)),
        "全唐诗 the Tang poems; --documents paragraphs",
        22,
        "public domain, MIT",
        clean=poems_of_json,
        also="全唐诗",
    ),
    "names": Source(
        (f"{_GITHUB}/karpathy/makemore/master/names.txt",), "32,033 first names; --documents lines", 0.2, "MIT"
    ),
    "text8": Source(
        ("https://mattmahoney.net/dc/text8.zip",),
        "Wikipedia in 27 characters; a benchmark",
        31,
        "CC BY-SA",
        clean=unzipped,
    ),
    "enwik8": Source(
        ("https://mattmahoney.net/dc/enwik8.zip",), "Wikipedia's source; a benchmark", 36, "CC BY-SA", clean=unzipped
    ),
}


def find(text: str) -> tuple[str, Source]:
    """The name of the file, and its source.

    Raises:
        InputError: when it is not a name, an address or a book.
    """
    for name, source in SOURCES.items():
        if text and text in (name, source.also):
            return f"{name}.txt", source
    if book := re.fullmatch("gutenberg:([0-9]{1,9})", text):
        number = int(book[1])
        return f"gutenberg-{number}.txt", gutenberg(number, "", 0)
    with suppress(ValueError):
        address = urllib.parse.urlsplit(text)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:  # an odd port raises
            clean = unzipped if address.path.lower().endswith(".zip") else None
            return _file_name(address), Source((_quoted(text),), "", 0, "", clean=clean)
    raise InputError(
        f"{text}: not a name, a web address (http://...) or gutenberg:NUMBER; to list the names, give no argument"
    )


def _file_name(address: urllib.parse.SplitResult) -> str:
    """The file name for an address. Different queries are different texts."""
    name = urllib.parse.unquote(address.path).rstrip("/").rpartition("/")[2] or str(address.hostname)
    name = name[:-4] if name.lower().endswith(".zip") else name
    if address.query:
        stem, dot, ending = name.partition(".")
        name = f"{stem}-{urllib.parse.unquote(address.query)}{dot}{ending}"
    ending = Path(name).suffix if Path(name).suffix.lower() in (".txt", ".gz") else ""
    return (safe_name(name.removesuffix(ending)) or "text") + (ending or ".txt")


def _quoted(address: str) -> str:
    """An address with Chinese and other characters escaped, as servers need it."""
    return urllib.parse.quote(address, safe="!#$%&'()*+,/:;=?@[]~")


def cleaned(content: bytes, source: Source) -> bytes:
    """Check the download, and cut off what isn't part of the text. Returns the text.

    Raises:
        RunError: when it isn't the expected file.
    """
    address, digest = source.addresses[0], hashlib.sha256(content).hexdigest()
    if source.sha256 not in (None, digest):
        raise RunError(
            f"{address}: the download is damaged, or the file has changed (sha256 {digest}, not {source.sha256}):"
            " try again, or give the address instead of the name to skip this check"
        )
    try:
        text = source.clean(content) if source.clean else content
    except RunError as error:
        raise RunError(f"{address}: {error}") from None
    except (ValueError, LookupError, TypeError, RecursionError):  # from JSON that isn't poems
        text = b""
    if not text:
        raise RunError(f"{address}: this is not the expected file: perhaps it has moved")
    if re.match(rb"\s*<(!doctype|html)", text, re.IGNORECASE):
        say("this looks like a web page, not like a text: give the address of the text itself")
    return text


def table() -> str:
    """The well-known texts, two lines each."""
    lines = [f"{'name':<20}{'MB':>6}  {'licence':<20}{'text'}"]
    for name, source in SOURCES.items():
        lines.append(f"{name:<20}{source.megabytes:>6}  {source.licence:<20}{source.title}")
        lines.append(f"{'':<28}{source.addresses[0]}" + (" ..." if len(source.addresses) > 1 else ""))
    return "\n".join(lines) + "\n"
