from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from types import ModuleType

import pytest

from charlstm.errors import RunError


@pytest.fixture
def known(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("known_texts")


@pytest.mark.parametrize(
    "book",
    [
        "x\n***START OF THE PROJECT GUTENBERG EBOOK X***\n\nText.\n\nEnd of Project Gutenberg's X, by Y\n\n*** END OF",
        "x\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\nText.\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nx",
        "x\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\nText.\nEnd of The Project Gutenberg",
    ],
)
def test_older_marks_are_known_too(known: ModuleType, book: str) -> None:
    assert known.gutenberg_text(book.encode()) == b"Text.\n"


def test_a_book_without_marks_stays_whole(known: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert known.gutenberg_text("Très peu.".encode("latin-1")) == "Très peu.\n".encode()
    assert "marks of Project Gutenberg are incomplete" in capsys.readouterr().err


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive; names that end in / are folders."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_an_archive_is_unpacked(known: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert known.unzipped(packed({"text8": b"text"})) == b"text"
    assert capsys.readouterr().err == ""


def test_folders_and_hidden_files_in_an_archive_are_passed_over(
    known: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    others = {"novel/": b"", "__MACOSX/._one.txt": b"x", "novel/.DS_Store": b"x", ".git/a.txt": b"x"}
    assert known.unzipped(packed({**others, "./novel/novel": b"text"})) == b"text"
    assert capsys.readouterr().err == ""


def test_the_texts_in_an_archive_are_joined_in_order_of_name(
    known: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"n/": b"", "n/2.TXT": b"two\n", "n/1.txt": b"one\n", "n/cover.jpg": b"x"}
    assert known.unzipped(packed(files)) == b"one\ntwo\n"
    assert capsys.readouterr().err == "the archive holds 3 files: its 2 .txt files are joined in order of name\n"


@pytest.mark.parametrize("files", [{}, {"n/": b""}, {"a.jpg": b"x", "b.pdf": b"x"}, {"__MACOSX/a.txt": b"x"}])
def test_an_archive_without_a_text_is_said_to_have_none(known: ModuleType, files: dict[str, bytes]) -> None:
    with pytest.raises(RunError, match=r"none of the archive's \d files is a text \(.txt\): unpack it yourself"):
        known.unzipped(packed(files))


@pytest.mark.parametrize("limit", ["LARGEST", "HARMLESS"])
def test_an_archive_that_would_fill_the_memory_is_not_unpacked(
    known: ModuleType, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    bomb = packed({f"{n}.txt": bytes(1_000_000) for n in range(3)})
    assert len(known.unzipped(bomb)) == 3_000_000
    monkeypatch.setattr(known, limit, 2_000_000)
    with pytest.raises(RunError, match="would unpack to 3,000,000 bytes"):
        known.unzipped(bomb)


def test_a_file_that_holds_more_than_it_claims_is_not_unpacked_either(known: ModuleType) -> None:
    bomb = packed({"a.txt": bytes(50_000_000)})
    claimed = bomb.replace((50_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert claimed != bomb
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match="not a whole zip archive"):
            known.unzipped(claimed)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_an_encrypted_archive_or_an_unusual_one_is_refused(known: ModuleType) -> None:
    content = packed({"a.txt": b"text"})
    flags = content.index(b"PK\x01\x02") + 8
    encrypted = content[:flags] + b"\x01" + content[flags + 1 :]
    for archive in (encrypted, packed({"a.txt": b"text"}, zipfile.ZIP_LZMA)):
        with pytest.raises(RunError, match="encrypted, or packed by an unusual method"):
            known.unzipped(archive)


def test_a_broken_archive_is_refused(known: ModuleType) -> None:
    whole = packed({"a.txt": b"one text and another", "b/": b"", "b/c.txt": b"text"})
    assert known.unzipped(whole) == b"one text and anothertext"
    refused = 0
    for place in range(len(whole)):
        begin, end = whole[:place], whole[place + 1 :]
        for content in (begin, *(begin + bytes([byte]) + end for byte in (0, whole[place] ^ 1, 255))):
            try:
                assert b"text" in known.unzipped(content)
            except RunError:
                refused += 1
    assert refused > len(whole)  # each of the cut ones, and many of the changed ones


def test_poems_are_lines_and_empty_lines(known: ModuleType) -> None:
    content = '[{"paragraphs": ["一二，三四。", "五。"]}, {"paragraphs": []}]\n[{"paragraphs": ["九。"]}]'
    assert known.poems_of_json(content.encode()).decode() == "一二，三四。\n五。\n\n九。\n"


def test_the_table_says_where_a_text_is_and_what_one_may_do_with_it(known: ModuleType) -> None:
    table = known.table()
    for name, source in known.SOURCES.items():
        assert any(line.startswith(name) and source.licence in line for line in table.splitlines())
        assert source.addresses[0] in table
        assert all(address.startswith("https://") for address in source.addresses)
