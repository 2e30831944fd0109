#!/usr/bin/env python3
"""Fetch a text to learn from: a well-known one by name, a book of Project Gutenberg by number, or any address."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from charlstm import cli
from charlstm.errors import InputError, RunError
from charlstm.files import make_folder, replacing

CORPORA = Path(__file__).resolve().parent.parent / "corpora"
TIMEOUT = 30.0
ATTEMPTS = 4
PAUSE = 1.0
"""Seconds before the second attempt; each later one waits twice as long."""

EXAMPLES = """\
examples:
  python scripts/fetch_corpus.py                      what there is by name
  python scripts/fetch_corpus.py hongloumeng          or 红楼梦
  python scripts/fetch_corpus.py gutenberg:11         Alice's Adventures in Wonderland
  python scripts/fetch_corpus.py https://example.org/novel.txt
"""


def gutenberg_text(content: bytes) -> bytes:
    """A book of Project Gutenberg without the legal head and tail, in UTF-8 with LF."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # which the oldest books are in
    text = text.replace("\r\n", "\n")
    head = re.search(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.{0,400}?\*\*\*[^\n]*\n", text, re.M | re.S)
    head = head or re.search(r"^\*END\*? ?THE SMALL PRINT!.*\n", text, re.M)
    begin = head.end() if head else 0
    tail = re.compile(r"^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT|End of (?:The |the )?Project Gutenberg)", re.M)
    end = tail.search(text, begin)
    if not head or not end:
        cli.say("Project Gutenberg's marks are not all there: look at the text's beginning and end yourself")
    return (text[begin : end.start() if end else None].strip("\n") + "\n").encode()


def poems_of_json(content: bytes) -> bytes:
    """Arrays of poems, one after another, as text: a line each couplet, an empty line between two poems."""
    decoder, text, poems = json.JSONDecoder(), content.decode("utf-8-sig").strip(), []
    while text:
        array, end = decoder.raw_decode(text)
        poems += ["\n".join(poem["paragraphs"]) for poem in array if poem["paragraphs"]]
        text = text[end:].lstrip()
    return ("\n\n".join(poems) + "\n").encode()


def unzipped(content: bytes) -> bytes:
    """The one file in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(archive.namelist()[0])


@dataclass(frozen=True)
class Source:
    """Where a text is to be had.

    Attributes:
        megabytes: about how large it is there; 0 if not known.
        sha256: of what is fetched, where it is known and doesn't change.
        clean: what is fetched → the text, where that isn't the same.
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("fetch_corpus", "Fetch a text to learn from.", EXAMPLES)
    parser.add_argument("text", nargs="?", help="a NAME, a web address, or gutenberg:NUMBER (default: list the names)")
    parser.add_argument("--to", type=cli.path, metavar="DIR", default=CORPORA, help="where to put it (corpora)")
    parser.add_argument("--again", action="store_true", help="fetch it even if it is there")
    return cli.run(parser, fetch, arguments)


def fetch(flags: argparse.Namespace) -> int:
    """Fetch what the flags ask for, clean it, and say where it is."""
    if flags.text is None:
        cli.write(table())
        return 0
    name, source = find(flags.text)
    path = make_folder(flags.to) / name
    if path.exists() and not flags.again:
        cli.say(f"{path} is there already; --again fetches it anew")
        return 0
    parts = [path.with_name(f".{name}.{number}") for number in range(len(source.addresses))]
    size = source.megabytes * 1e6 if len(parts) > 1 else None  # of a single one the server tells it
    with tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=None, dynamic_ncols=True) as bar:
        for address, part in zip(source.addresses, parts, strict=True):
            download(address, part, bar)
    content = b"".join(part.read_bytes() for part in parts)
    digest = hashlib.sha256(content).hexdigest()
    try:
        if source.sha256 not in (None, digest):
            raise RunError(
                f"{source.addresses[0]}: damaged on the way, or changed since (its sha256 is {digest}, not"
                f" {source.sha256}): try again, or give the address itself to take it as it is"
            )
        try:
            text = source.clean(content) if source.clean else content
        except (ValueError, LookupError, TypeError, zipfile.BadZipFile):
            raise RunError(f"{source.addresses[0]}: not what is expected there: has it moved?") from None
    finally:
        for part in parts:
            part.unlink()
    with replacing(path) as file:
        file.write(text)
    cli.say(f"{path}: {len(text):,} bytes, sha256 of the download {digest}; train with:")
    cli.write(f"python -m charlstm.train {path}\n")
    return 0


def find(text: str) -> tuple[str, Source]:
    """The name of the file, and where it comes from.

    Raises:
        InputError: when it is neither a name nor an address nor a book.
    """
    for name, source in SOURCES.items():
        if text in (name, source.also):
            return f"{name}.txt", source
    if book := re.fullmatch(r"gutenberg:(\d+)", text):
        number = int(book[1])
        return f"gutenberg-{number}.txt", gutenberg(number, "", 0)
    address = urllib.parse.urlsplit(text)
    if address.scheme in ("http", "https") and address.netloc:
        name = urllib.parse.unquote(address.path).rstrip("/").rpartition("/")[2] or address.hostname or "text"
        ended = name if Path(name).suffix in (".txt", ".gz") else f"{name}.txt"
        return re.sub(r'[\\:*?"<>|\0]', "-", ended), Source((_quoted(text),), "", 0, "")
    raise InputError(
        f"{text}: not a name, a web address (http://...) or gutenberg:NUMBER; without an argument the names are listed"
    )


def _quoted(address: str) -> str:
    """An address with Chinese and other characters as servers want them."""
    return urllib.parse.quote(address, safe="!#$%&'()*+,/:;=?@[]~")


def table() -> str:
    """The texts that have a name."""
    lines = [f"{'name':<20}{'MB':>6}  {'licence':<20}{'text'}"]
    for name, source in SOURCES.items():
        lines.append(f"{name:<20}{source.megabytes:>6}  {source.licence:<20}{source.title}")
        lines.append(f"{'':<28}{source.addresses[0]}" + (" ..." if len(source.addresses) > 1 else ""))
    return "\n".join(lines) + "\n"


def download(address: str, path: Path, bar: tqdm[None]) -> None:
    """Bring a file here, if it isn't yet, going on where an earlier attempt, or an earlier run, broke off.

    Args:
        path: where it goes once it is complete. Until then there is a `.part` beside it, and a `.mark` that tells
            whether the server's file is still the same.

    Raises:
        InputError: when there is no such file.
        RunError: when the server can't be reached; what has arrived stays.
    """
    part = path.with_name(f"{path.name}.part")
    bar.update(_size(path) or _size(part))
    if path.exists():
        return
    for attempt in range(ATTEMPTS):
        try:
            _continue(address, part, bar)
            part.replace(path)
            return
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                raise InputError(f"{address}: there is no such file ({error.code}): is it the right address?") from None
            why: object = f"the server says {error.code} {error.reason}"
            if error.code == 416:  # what is here doesn't fit what is there: begin anew
                bar.update(-_size(part))
                part.write_bytes(b"")
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            why = getattr(why, "strerror", None) or why
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE * 2**attempt)
    raise RunError(f"{address}: {why}: what has arrived is kept; run it again to go on")


def _continue(address: str, part: Path, bar: tqdm[None]) -> None:
    """One attempt. Raises OSError when it breaks off."""
    mark = part.with_suffix(".mark")  # the server's name for this version of the file
    have = _size(part)
    headers = {"User-Agent": "charlstm/fetch_corpus", "Accept-Encoding": "identity"}
    if have and mark.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": mark.read_text("utf-8")}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT) as answer:
        goes_on = answer.status == 206
        if not goes_on:
            bar.update(-have)
            have = 0
        version = answer.headers["ETag"] or answer.headers["Last-Modified"]
        # A weak ETag, W/..., promises no equal bytes.
        if version and not version.startswith("W/"):
            mark.write_text(version, "utf-8")
        else:
            mark.unlink(missing_ok=True)
        length = answer.headers["Content-Length"]
        if bar.total is None and length is not None:
            bar.total = have + int(length)
        with part.open("ab" if goes_on else "wb") as file:
            while block := answer.read(1 << 16):
                file.write(block)
                bar.update(len(block))
    if length is not None and _size(part) != have + int(length):
        raise OSError(f"broke off after {_size(part):,} of {have + int(length):,} bytes")
    mark.unlink(missing_ok=True)


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


if __name__ == "__main__":
    sys.exit(main())
