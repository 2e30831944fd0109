from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import re
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from charlstm.errors import RunError

TEXT = b"".join(b"line %d of a long text\n" % n for n in range(20_000))
BOOK = (
    "\ufeffThe Project Gutenberg eBook of Nothing\r\n\r\nThis ebook is for the use of anyone\r\n\r\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK OF NOTHING, A TITLE\r\nTHAT IS LONG ***\r\n\r\n\r\n"
    "Chapter 1\r\n\r\nThe end of nothing.\r\n\r\n\r\n"
    "*** END OF THE PROJECT GUTENBERG EBOOK NOTHING ***\r\n\r\nSection 1. General Terms\r\n"
)


Answer = tuple[int, str, list[tuple[str, str]], bytes]


class Server(ThreadingHTTPServer):
    """Serves `files` on loopback, and breaks off after `breaks_after` bytes as often as that has numbers.

    Before that it gives its `answers`: status and reason, headers, body.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks_after: list[int] = []
        self.version = '"1"'
        self.asked: list[str | None] = []
        self.answers: Iterator[Answer] = iter(())
        self.meanwhile: Callable[[], object] = lambda: None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Range"])
        self.server.meanwhile()
        if answer := next(self.server.answers, None):
            self.give(*answer)
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(403 if "secret" in self.path else 404)
            return
        begin = 0
        if self.headers["Range"] and self.headers["If-Range"] == self.server.version:
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if begin > len(content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if self.server.version:
            self.send_header("ETag", self.server.version)
        self.end_headers()
        body = content[begin:]
        self.wfile.write(body[: self.server.breaks_after.pop(0)] if self.server.breaks_after else body)

    def give(self, status: int, reason: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status, reason)
        for header in headers:
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def corpus(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = script("fetch_corpus")
    monkeypatch.setattr(module, "PAUSE", 0.0)
    return module


@pytest.fixture
def known(corpus: ModuleType) -> ModuleType:
    return sys.modules[corpus.find.__module__]


def test_an_address_becomes_a_file(corpus: ModuleType, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.files["/a/novel.txt"] = TEXT
    assert corpus.main([f"{server.address}/a/novel.txt", "--to", "texts"]) == 0
    assert Path("texts/novel.txt").read_bytes() == TEXT
    assert capsys.readouterr().out == f"python -m charlstm.train {Path('texts/novel.txt')}\n"
    assert [path.name for path in Path("texts").iterdir()] == ["novel.txt"]
    assert corpus.main([f"{server.address}/a/novel.txt", "--to", "texts"]) == 0
    assert "is there already" in capsys.readouterr().err
    assert len(server.asked) == 1


def test_a_broken_download_is_picked_up(corpus: ModuleType, server: Server) -> None:
    server.files["/novel.txt"] = TEXT
    server.breaks_after = [1000, 2000]
    assert corpus.main([f"{server.address}/novel.txt", "--to", "texts"]) == 0
    assert Path("texts/novel.txt").read_bytes() == TEXT
    assert server.asked == [None, "bytes=1000-", "bytes=3000-"]


def test_a_later_run_goes_on_too(corpus: ModuleType, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.files["/novel.txt"] = TEXT
    server.breaks_after = [1000, 1, 1, 1]
    command = [f"{server.address}/novel.txt", "--to", "texts"]
    assert corpus.main(command) == 1
    told = capsys.readouterr().err
    assert "broke off after 1,003 of" in told
    assert "run the command again to continue" in told
    assert not Path("texts/novel.txt").exists()
    assert corpus.main(command) == 0
    assert server.asked[-1] == "bytes=1003-"
    assert Path("texts/novel.txt").read_bytes() == TEXT


@pytest.mark.parametrize("version", ['"2"', 'W/"1"', ""])
def test_a_text_that_changed_meanwhile_is_fetched_anew(corpus: ModuleType, server: Server, version: str) -> None:
    server.files["/novel.txt"] = TEXT
    server.breaks_after = [1000, 0, 0, 0]
    command = [f"{server.address}/novel.txt", "--to", "texts"]
    assert corpus.main(command) == 1
    server.version, server.files["/novel.txt"] = version, TEXT[::-1]
    assert corpus.main(command) == 0
    assert Path("texts/novel.txt").read_bytes() == TEXT[::-1]


LENGTH = len(TEXT)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"ETag": '"1"', "Content-Range": f"bytes 0-{LENGTH - 1}/{LENGTH}"}, TEXT),
        ({"ETag": '"1"', "Content-Range": f"bytes 2000-{LENGTH - 1}/{LENGTH}"}, TEXT[2000:]),
        ({"ETag": '"1"', "Content-Range": f"bytes 1000-1999/{LENGTH}"}, TEXT[1000:2000]),
        ({"ETag": '"1"', "Content-Range": "a few"}, TEXT[1000:]),
        ({"ETag": '"1"'}, TEXT[1000:]),
        ({"ETag": '"2"', "Content-Range": f"bytes 1000-{LENGTH - 1}/{LENGTH}"}, TEXT[1000:]),
        ({"Content-Range": f"bytes 1000-{LENGTH - 1}/{LENGTH}"}, TEXT[1000:]),
        ({"ETag": '"1"', "Content-Type": "multipart/byteranges; boundary=x"}, b"--x\r\n\r\npart\r\n--x--"),
    ],
)
def test_only_the_part_that_was_asked_for_is_appended(
    corpus: ModuleType, server: Server, headers: dict[str, str], body: bytes
) -> None:
    server.files["/novel.txt"] = TEXT
    first = [("ETag", '"1"'), ("Content-Length", str(LENGTH))]
    other = [*headers.items(), ("Content-Length", str(len(body)))]
    server.answers = iter([(200, "OK", first, TEXT[:1000]), (206, "Partial Content", other, body)])
    assert corpus.main([f"{server.address}/novel.txt", "--to", "."]) == 0
    assert Path("novel.txt").read_bytes() == TEXT
    assert server.asked == [None, "bytes=1000-", None]


def test_a_part_where_the_whole_was_asked_for_is_no_file(
    corpus: ModuleType, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    part = [("Content-Range", "bytes 0-3/9"), ("Content-Length", "4")]
    server.answers = iter([(206, "Partial Content", part, b"text")] * corpus.ATTEMPTS)
    assert corpus.main([f"{server.address}/novel.txt", "--to", "."]) == 1
    assert "another part than the one that was asked for" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *((200, [("Content-Length", length)]) for length in ("abc", "-5", "1e9", "1_0", "5, 5", "9" * 5000)),
        (200, [("Content-Length", "4"), ("Content-Length", "5")]),
        (302, [("Location", "http://[")]),
        (302, [("Location", "http://127.0.0.1:port/")]),
        (302, [("Location", "http://a..b/")]),
        (302, [("Location", "file:///etc/passwd")]),
        (302, [("Location", "ftp://127.0.0.1/novel.txt")]),
        (302, [("Location", "/novel.txt")]),  # an endless loop
        (302, []),
    ],
)
def test_an_odd_answer_is_one_line(
    corpus: ModuleType,
    server: Server,
    status: int,
    headers: list[tuple[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.answers = itertools.repeat((status, "", headers, b"text"))
    assert corpus.main([f"{server.address}/novel.txt", "--to", "."]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "check the address" in error
    assert list(Path().iterdir()) == []
    assert len(server.asked) == 1 or headers == [("Location", "/novel.txt")]


def test_what_comes_with_a_redirect_is_not_read(corpus: ModuleType, server: Server) -> None:
    server.files["/novel.txt"] = TEXT
    length = [("Location", "/novel.txt"), ("Content-Length", "1000")]  # of which nothing comes
    server.answers = iter([(302, "Found", length, b"")])
    assert corpus.main([f"{server.address}/moved.txt", "--to", "."]) == 0
    assert Path("moved.txt").read_bytes() == TEXT


@pytest.mark.parametrize("what", ["a" * 60_000, "a \x1b]0;title\x07" * 20])
def test_what_the_server_says_is_short_and_harmless(
    corpus: ModuleType, server: Server, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for status, headers in ((403, []), (302, [("Location", f"ftp://{what}")]), (200, [("Content-Length", what)])):
        server.answers = iter([(status, what, headers, b"")])
        assert corpus.main([f"{server.address}/novel.txt", "--to", "."]) == 1
        error = capsys.readouterr().err
        assert len(error) < 300
        assert error.removesuffix("\n").isprintable()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\nETag: 1\r\nX: %s\r\n\r\n" % (b"x" * 300)])
def test_a_server_that_drips_is_left(
    corpus: ModuleType,
    server: Server,
    head: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def drip(handler: Handler, *_: object) -> None:
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handler.wfile.write(head)
        with suppress(OSError):  # the client has left
            while True:
                handler.wfile.write(b"H")
                time.sleep(0.001)

    monkeypatch.setattr(Handler, "give", drip)
    monkeypatch.setattr(corpus, "PATIENCE", -1.0)
    monkeypatch.setattr(corpus, "LEAST", 100)
    server.answers = itertools.repeat((200, "OK", [], b""))
    assert corpus.main([f"{server.address}/novel.txt", "--to", "."]) == 1
    error = capsys.readouterr().err
    assert "the server sends almost nothing" in error
    assert error.count("\n") == 1
    assert len(server.asked) == corpus.ATTEMPTS


def test_a_full_disk_ends_the_download_at_once_and_keeps_what_has_arrived(
    corpus: ModuleType, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource")
    server.files["/novel.txt"] = TEXT
    command = [f"{server.address}/novel.txt", "--to", "."]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        assert corpus.main(command) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    error = capsys.readouterr().err
    assert error.startswith(
        "fetch_corpus: .novel.txt.0.part: can't be written (File too large): mend this and run it again"
    )
    assert error.count("\n") == 1
    assert corpus.main(command) == 0
    assert Path("novel.txt").read_bytes() == TEXT
    assert server.asked == [None, "bytes=5000-"]


def test_a_second_download_at_once_is_sent_away(
    corpus: ModuleType, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["/novel.txt"] = TEXT
    command = [f"{server.address}/novel.txt", "--to", "."]
    second: list[int] = []
    server.meanwhile = lambda: second or second.append(corpus.main(command))
    assert corpus.main(command) == 0
    assert second == [2]
    assert "novel.txt: it is being downloaded already" in capsys.readouterr().err
    assert len(server.asked) == 1
    assert Path("novel.txt").read_bytes() == TEXT
    assert [path.name for path in Path().iterdir()] == ["novel.txt"]


def test_of_several_files_those_that_are_here_are_not_fetched_again(
    corpus: ModuleType, known: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    poems = [[{"paragraphs": ["一二，三四。", "五六，七八。"]}, {"paragraphs": []}], [{"paragraphs": ["九。"]}]]
    server.files = {f"/{n}.json": json.dumps(part, ensure_ascii=False).encode() for n, part in enumerate(poems)}
    addresses = tuple(f"{server.address}{path}" for path in server.files)
    source = dataclasses.replace(known.SOURCES["tang-poems"], addresses=addresses)
    monkeypatch.setitem(known.SOURCES, "tang-poems", source)
    server.breaks_after = [1000, 1, 1, 1, 1]
    assert corpus.main(["全唐诗", "--to", "."]) == 1
    assert corpus.main(["全唐诗", "--to", "."]) == 0
    assert Path("tang-poems.txt").read_text("utf-8") == "一二，三四。\n五六，七八。\n\n九。\n"
    assert [path.name for path in Path().iterdir()] == ["tang-poems.txt"]
    assert len(server.asked) == 6


def test_what_is_not_what_it_should_be_is_not_kept(
    corpus: ModuleType,
    known: ModuleType,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.files["/input.txt"] = TEXT
    source = dataclasses.replace(known.SOURCES["tinyshakespeare"], addresses=(f"{server.address}/input.txt",))
    monkeypatch.setitem(known.SOURCES, "tinyshakespeare", source)
    assert corpus.main(["tinyshakespeare", "--to", "."]) == 1
    assert "sha256" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
    right = dataclasses.replace(source, sha256=hashlib.sha256(TEXT).hexdigest())
    monkeypatch.setitem(known.SOURCES, "tinyshakespeare", right)
    assert corpus.main(["tinyshakespeare", "--to", "."]) == 0


def test_a_full_disk_does_not_cost_the_download(
    corpus: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/novel.txt"] = TEXT
    command = [f"{server.address}/novel.txt", "--to", "."]

    def full(path: Path) -> None:
        raise RunError(f"{path}: can't be written")

    with monkeypatch.context() as patch:
        patch.setattr(corpus, "replacing", full)
        assert corpus.main(command) == 1
    assert corpus.main(command) == 0
    assert len(server.asked) == 1
    assert [path.name for path in Path().iterdir()] == ["novel.txt"]


def test_a_book_comes_without_its_legal_head_and_tail(
    corpus: ModuleType, known: ModuleType, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/pg7.txt"] = BOOK.encode()
    original = known.gutenberg(7, "", 0)
    source = dataclasses.replace(original, addresses=(f"{server.address}/pg7.txt",))
    monkeypatch.setattr(known, "gutenberg", lambda number, *_: source)
    assert corpus.main(["gutenberg:7", "--to", "."]) == 0
    assert Path("gutenberg-7.txt").read_bytes() == b"Chapter 1\n\nThe end of nothing.\n"
    assert re.fullmatch(r"https://www\.gutenberg\.org/.*/7/pg7\.txt", original.addresses[0])


def test_the_names_are_listed(corpus: ModuleType, known: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert corpus.main([]) == 0
    listed = capsys.readouterr().out
    for name, source in known.SOURCES.items():
        assert name in listed
        assert source.addresses[0] in listed
        assert corpus.find(source.also or name) == (f"{name}.txt", source)


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("nonsense", 2, "not a name, a web address"),
        ("file:///etc/passwd", 2, "not a name, a web address"),
        ("ftp://example.org/a.txt", 2, "not a name, a web address"),
        ("gutenberg:x", 2, "not a name"),
        ("gutenberg:" + "1" * 5000, 2, "not a name"),
        ("http://a..b/x.txt", 1, "check the address"),
        ("http://[", 2, "not a name"),
        ("{}/missing.txt", 2, "there is no such file (404)"),
        ("http://127.0.0.1:1/a.txt", 1, "Connection refused: try again later"),
        ("{}/secret.txt", 1, "the server says 403"),
    ],
)
def test_mistakes_are_one_line(
    corpus: ModuleType, server: Server, text: str, status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert corpus.main([text.format(server.address), "--to", "."]) == status
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert list(Path().iterdir()) == []
    assert len(server.asked) <= 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/红楼梦.txt", "红楼梦.txt"),
        ("/%E6%B0%B4.txt?raw=1", "水-raw=1.txt"),
        ("/a?id=2&of=x/y", "a-id=2&of=x-y.txt"),
        ("/text8.zip", "text8.txt"),
        ("/book.txt.gz", "book.txt.gz"),
        ("/page/", "page.txt"),
        ("/", "127.0.0.1.txt"),
        ("/%1b%5d0;x.txt", "0;x.txt"),
        ("/a%0Ab%E2%80%AEc.txt", "a-b-c.txt"),
        ("/a%00b?c%1b", "a-b-c-.txt"),
        ("/CON.txt", "_CON.txt"),
        ("/aux.txt.gz", "_aux.txt.gz"),
        ("/com1", "_com1.txt"),
        ("/..txt", "text.txt"),
        ("/.hidden", "hidden.txt"),
        ("/%E6%B0%B4" + 300 * "%E6%B0%B4" + ".txt", 66 * "水" + ".txt"),
        ("/" + 300 * "a" + ".gz", 200 * "a" + ".gz"),
    ],
)
def test_files_are_named_by_their_address(corpus: ModuleType, path: str, name: str) -> None:
    assert corpus.find(f"http://127.0.0.1{path}")[0] == name
    assert corpus.find(f"http://127.0.0.1{path}")[1].addresses[0].isascii()


def test_an_archive_at_an_address_is_unpacked(
    corpus: ModuleType, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("novel", TEXT)
    server.files["/novel.zip"] = packed.getvalue()
    assert corpus.main([f"{server.address}/novel.zip", "--to", "."]) == 0
    assert Path("novel.txt").read_bytes() == TEXT
    server.files["/broken.zip"] = TEXT
    assert corpus.main([f"{server.address}/broken.zip", "--to", "."]) == 1
    error = capsys.readouterr().err
    assert f"{server.address}/broken.zip: this is not a whole zip archive" in error
    assert [path.name for path in Path().iterdir()] == ["novel.txt"]
