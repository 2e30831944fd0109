#!/usr/bin/env python3
"""Download a text to learn from: a well-known one by name, a book of Project Gutenberg by number, or any address."""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import IO, Any

from known_texts import Source, cleaned, find, table
from tqdm import tqdm

from charlstm import cli
from charlstm.errors import InputError, RunError
from charlstm.files import locked, make_folder, open_itself, replacing, writing
from charlstm.terminal import say, write

CORPORA = Path(__file__).resolve().parent.parent / "corpora"
TIMEOUT = 30.0
LEAST, PATIENCE = 1000, 60.0
"""The bytes that must come in so many seconds."""
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
        write(table())
        return 0
    name, source = find(flags.text)
    path = make_folder(flags.to) / name
    with alone(path):
        if path.exists() and not flags.again:
            say(f"{path} is there already; --again downloads it again, --to DIR puts it elsewhere")
        else:
            _fetch(source, path)
    return 0


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep a second download of the same file out. Raises InputError when another one is at work."""
    lock = path.with_name(f".{path.name}.lock")
    with ExitStack() as held:
        try:
            held.enter_context(locked(lock, wait=False))
        except BlockingIOError:
            raise InputError(f"{path}: it is being downloaded already: wait for that, or give --to DIR") from None
        try:
            yield
        finally:
            with suppress(OSError):  # Windows doesn't remove an open file
                lock.unlink()


def _fetch(source: Source, path: Path) -> None:
    parts = [path.with_name(f".{path.name}.{number}") for number in range(len(source.addresses))]
    size = source.megabytes * 1e6 if len(parts) > 1 else None  # the server reports the size of a single one
    with tqdm(total=size, desc=path.name, unit="B", unit_scale=True, disable=None, dynamic_ncols=True) as bar:
        for address, part in zip(source.addresses, parts, strict=True):
            download(address, part, bar)
    content = b"".join(part.read_bytes() for part in parts)
    try:
        text = cleaned(content, source)
    except RunError:
        _remove(parts)  # useless: the next run must download them again
        raise
    with replacing(path) as file:
        file.write(text)
    _remove(parts)
    say(f"{path}: {len(text):,} bytes, sha256 of the download {hashlib.sha256(content).hexdigest()}; train with:")
    write(f"python -m charlstm.train {shlex.quote(str(path))}\n")


def download(address: str, path: Path, bar: tqdm[None]) -> None:
    """Download a file if it isn't there. Continue where an earlier attempt or an earlier run broke off.

    Args:
        path: of the complete file. Until then there is a `.part` file beside it, and a `.mark` file that shows whether
            the server's file is still the same.

    Raises:
        InputError: when the server has no such file.
        RunError: when the server can't be reached, or the disk is full. What has arrived stays.
    """
    part, mark = (path.with_name(f"{path.name}.{kind}") for kind in ("part", "mark"))
    bar.update(_size(path) or _size(part))
    if path.exists():
        return
    for attempt in range(ATTEMPTS):
        try:
            _continue(address, part, mark, bar)
            part.replace(path)
            mark.unlink(missing_ok=True)
            return
        except _Failed as error:
            why = error
        if why.then == "anew":
            mark.unlink(missing_ok=True)
        if why.then == "stop":
            break
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE * 2**attempt)
    remedy = "check the address" if why.then == "stop" else "try again later"
    if _size(part) and mark.exists():
        remedy = "what has arrived is kept; run the command again to continue"
    raise RunError(f"{address}: {why!s:.100}: {remedy}")  # a server may say pages


class _Failed(Exception):
    """The server, or the way to it, failed: `then` try "again", begin "anew", or "stop". OSErrors are the disk's."""

    def __init__(self, why: object, then: str = "again") -> None:
        super().__init__(why)
        self.then = then


@contextmanager
def _server(address: str) -> Iterator[None]:
    """Turn what goes wrong with the server in this block into _Failed, and a file that isn't there into InputError."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        code = error.code
        if code in (404, 410):
            raise InputError(f"{address}: there is no such file ({code}): check the address") from None
        if 300 <= code < 400:
            raise _Failed(f"its redirects lead to no file ({code})", "stop") from None
        then = "anew" if code == 416 else "again" if code in (408, 429) or code >= 500 else "stop"
        raise _Failed(f"the server says {code} {error.reason}".rstrip(), then) from None
    except (InvalidURL, ValueError) as error:
        raise _Failed(f"the address or the server's answer is odd ({error})", "stop") from None
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise _Failed(getattr(why, "strerror", None) or why) from None


def _continue(address: str, part: Path, mark: Path, bar: tqdm[None]) -> None:
    """Make one attempt. Raises _Failed when it breaks off."""
    have = _size(part)
    known = mark.read_text("ascii", "ignore") if have and mark.exists() else ""  # the version that the part is of
    headers = {"User-Agent": "charlstm/fetch_corpus", "Accept-Encoding": "identity"}
    if known:
        headers |= {"Range": f"bytes={have}-", "If-Range": known}
    with _server(address):
        answer = urllib.request.build_opener(_Web).open(
            urllib.request.Request(address, headers=headers), timeout=TIMEOUT
        )
    with answer:
        with _server(address):
            length = _length(answer)
        version, continues = _version(answer), answer.status == 206
        if not continues:
            bar.update(-have)
            have = 0
            mark.unlink(missing_ok=True)  # while the part may be of another version
        end = None if length is None else have + length
        rest = f"bytes {have}-{end - 1}/{end}" if end else ""
        if continues and not (known and version == known and answer.headers["Content-Range"] == rest):
            raise _Failed("the server sends another part than the one that was asked for", "anew")
        bar.total = bar.total or end
        with _open(part, continues) as file:
            if version and not continues:
                with writing(mark) as note:
                    note.write(version.encode("ascii"))
            while block := _next(answer, address, 1 << 16 if end is None else end - have):
                file.write(block)
                bar.update(len(block))
                have += len(block)
    if end not in (None, have):
        raise _Failed(f"broke off after {have:,} of {end:,} bytes")


@contextmanager
def _open(part: Path, continues: bool) -> Iterator[IO[bytes]]:
    try:
        with open(part, "ab" if continues else "wb", opener=open_itself) as file:
            yield file
    except OSError as error:  # of the disk: _server has caught those of the network
        why = error.strerror or error
        raise RunError(f"{part}: can't be written ({why}): mend this and run it again; what arrived is kept") from None


def _next(answer: HTTPResponse, address: str, most: int) -> bytes:
    """What has arrived, without waiting for more: a server that breaks off then would take it along."""
    with _server(address):
        return answer.read1(min(most, 1 << 16))


def _length(answer: HTTPResponse) -> int | None:
    """How many bytes the server will send; None if only their end shows it."""
    given = ", ".join(answer.headers.get_all("Content-Length", []))
    if answer.chunked or not given:
        return None
    if not re.fullmatch("[0-9]{1,15}", given):
        raise ValueError(f"Content-Length: {given}")
    return int(given)


def _version(answer: HTTPResponse) -> str:
    """The server's name for this version of the file; empty if it gives none."""
    version = answer.headers["ETag"] or answer.headers["Last-Modified"] or ""
    # A weak ETag, W/..., doesn't promise equal bytes.
    return version if re.fullmatch("(?!W/)[ -~]{1,200}", version) else ""


class _Web(urllib.request.HTTPRedirectHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Follows redirects to web addresses only. Reads all answers as _Answer does."""

    def http_error_302(self, request: Any, answer: Any, *about: Any) -> Any:
        answer.close()  # what comes with a redirect may be endless
        return super().http_error_302(request, answer, *about)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(self, *about: Any) -> urllib.request.Request | None:
        if not about[-1].startswith(("http:", "https:")):
            raise ValueError(f"Location: {about[-1]}")
        return super().redirect_request(*about)

    def do_open(self, connection: Any, request: urllib.request.Request, **more: Any) -> HTTPResponse:
        return super().do_open(type("_Connection", (connection,), {"response_class": _Answer}), request, **more)


class _Answer(HTTPResponse):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fp = io.BufferedReader(_Steady(self.fp.detach()))


class _Steady(io.RawIOBase):
    """What a server sends. A drip counts as broken off: its timeouts would never come."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw, self._due, self._came = raw, time.monotonic() + PATIENCE, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer) or 0
        self._came += count
        if count and time.monotonic() > self._due:
            if self._came < LEAST:
                raise TimeoutError("the server sends almost nothing")
            self._due, self._came = time.monotonic() + PATIENCE, 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _remove(parts: list[Path]) -> None:
    for part in parts:
        part.unlink()


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


if __name__ == "__main__":
    sys.exit(main())
