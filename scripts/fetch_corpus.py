#!/usr/bin/env python3
"""Download a text to learn from: a well-known one by name, a book of Project Gutenberg by number, or any address."""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

from known_texts import SOURCES, Source, gutenberg, table, unzipped
from tqdm import tqdm

from charlstm import cli
from charlstm.errors import InputError, RunError
from charlstm.files import make_folder, replacing

CORPORA = Path(__file__).resolve().parent.parent / "corpora"
TIMEOUT = 30.0
ATTEMPTS = 4
PAUSE = 1.0
"""Seconds before the second attempt; each later pause is twice as long."""

EXAMPLES = """\
examples:
  python scripts/fetch_corpus.py                      list the names
  python scripts/fetch_corpus.py hongloumeng          or 红楼梦
  python scripts/fetch_corpus.py gutenberg:11         Alice's Adventures in Wonderland
  python scripts/fetch_corpus.py https://example.org/novel.txt
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("fetch_corpus", "Download a text to learn from.", EXAMPLES)
    parser.add_argument("text", nargs="?", help="a NAME, a web address, or gutenberg:NUMBER (default: list the names)")
    parser.add_argument("--to", type=cli.path, metavar="DIR", default=CORPORA, help="its folder (default: corpora)")
    parser.add_argument("--again", action="store_true", help="download it even if it is there")
    return cli.run(parser, fetch, arguments)


def fetch(flags: argparse.Namespace) -> int:
    """Download a text, clean it, and report where it is."""
    if flags.text is None:
        cli.write(table())
        return 0
    name, source = find(flags.text)
    path = make_folder(flags.to) / name
    if path.exists() and not flags.again:
        cli.say(f"{path} is there already; --again downloads it again, --to DIR puts it elsewhere")
        return 0
    parts = [path.with_name(f".{name}.{number}") for number in range(len(source.addresses))]
    size = source.megabytes * 1e6 if len(parts) > 1 else None  # the server reports the size of a single one
    with tqdm(total=size, desc=name, unit="B", unit_scale=True, disable=None, dynamic_ncols=True) as bar:
        for address, part in zip(source.addresses, parts, strict=True):
            download(address, part, bar)
    content = b"".join(part.read_bytes() for part in parts)
    try:
        text = cleaned(content, source)
    except RunError:
        _remove(parts)  # useless: the next run must download them again
        raise
    if re.match(rb"\s*<(!doctype|html)", text, re.IGNORECASE):
        cli.say("this looks like a web page, not like a text: give the address of the text itself")
    with replacing(path) as file:
        file.write(text)
    _remove(parts)
    digest = hashlib.sha256(content).hexdigest()
    cli.say(f"{path}: {len(text):,} bytes, sha256 of the download {digest}; train with:")
    cli.write(f"python -m charlstm.train {shlex.quote(str(path))}\n")
    return 0


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
    except (ValueError, LookupError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error):
        text = b""
    if not text:
        raise RunError(f"{address}: this is not the expected file: perhaps it has moved")
    return text


def find(text: str) -> tuple[str, Source]:
    """The name of the file, and its source.

    Raises:
        InputError: when it is not a name, an address or a book.
    """
    for name, source in SOURCES.items():
        if text and text in (name, source.also):
            return f"{name}.txt", source
    if book := re.fullmatch(r"gutenberg:(\d+)", text):
        number = int(book[1])
        return f"gutenberg-{number}.txt", gutenberg(number, "", 0)
    with suppress(ValueError):
        address = urllib.parse.urlsplit(text)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:  # an odd port raises
            clean = unzipped if address.path.endswith(".zip") else None
            return _file_name(address), Source((_quoted(text),), "", 0, "", clean=clean)
    raise InputError(
        f"{text}: not a name, a web address (http://...) or gutenberg:NUMBER; to list the names, give no argument"
    )


def _file_name(address: urllib.parse.SplitResult) -> str:
    """The file name for an address. Different queries are different texts."""
    name = urllib.parse.unquote(address.path).rstrip("/").rpartition("/")[2] or str(address.hostname)
    name = name.removesuffix(".zip")
    if address.query:
        stem, dot, ending = name.partition(".")
        name = f"{stem}-{urllib.parse.unquote(address.query)}{dot}{ending}"
    name = name if Path(name).suffix in (".txt", ".gz") else f"{name}.txt"
    return re.sub(r'[/\\:*?"<>|\0]', "-", name)


def _quoted(address: str) -> str:
    """An address with Chinese and other characters escaped, as servers need it."""
    return urllib.parse.quote(address, safe="!#$%&'()*+,/:;=?@[]~")


def download(address: str, path: Path, bar: tqdm[None]) -> None:
    """Download a file if it isn't there. Continue where an earlier attempt or an earlier run broke off.

    Args:
        path: of the complete file. Until then there is a `.part` file beside it, and a `.mark` file that shows whether
            the server's file is still the same.

    Raises:
        InputError: when the server has no such file.
        RunError: when the server can't be reached. What has arrived stays.
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
                raise InputError(f"{address}: there is no such file ({error.code}): check the address") from None
            why: object = f"the server says {error.code} {error.reason}"
            if 400 <= error.code < 500 and error.code not in (408, 416, 429):
                break  # another attempt won't help
            if error.code == 416:  # the part doesn't fit the server's file: start again
                bar.update(-_size(part))
                part.write_bytes(b"")
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            why = getattr(why, "strerror", None) or why
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE * 2**attempt)
    remedy = "what has arrived is kept; run the command again to continue" if _size(part) else "try again later"
    raise RunError(f"{address}: {why}: {remedy}")


def _continue(address: str, part: Path, bar: tqdm[None]) -> None:
    """Make one attempt. Raises OSError when it breaks off."""
    mark = part.with_suffix(".mark")  # the server's name for this version of the file
    have = _size(part)
    headers = {"User-Agent": "charlstm/fetch_corpus", "Accept-Encoding": "identity"}
    if have and mark.exists():
        headers |= {"Range": f"bytes={have}-", "If-Range": mark.read_text("utf-8")}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT) as answer:
        continues = answer.status == 206
        if not continues:
            bar.update(-have)
            have = 0
        version = answer.headers["ETag"] or answer.headers["Last-Modified"]
        # A weak ETag, W/..., doesn't promise equal bytes.
        if version and not version.startswith("W/"):
            mark.write_text(version, "utf-8")
        else:
            mark.unlink(missing_ok=True)
        length = answer.headers["Content-Length"]
        if bar.total is None and length is not None:
            bar.total = have + int(length)
        with part.open("ab" if continues else "wb") as file:
            while block := answer.read(1 << 16):
                file.write(block)
                bar.update(len(block))
    if length is not None and _size(part) != have + int(length):
        raise OSError(f"broke off after {_size(part):,} of {have + int(length):,} bytes")
    mark.unlink(missing_ok=True)


def _remove(parts: list[Path]) -> None:
    for part in parts:
        part.unlink()


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


if __name__ == "__main__":
    sys.exit(main())
