from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from types import ModuleType

import pytest


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


def test_an_archive_is_unpacked(known: ModuleType) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("text8", b"text")
    assert known.unzipped(packed.getvalue()) == b"text"


def test_poems_are_lines_and_empty_lines(known: ModuleType) -> None:
    content = '[{"paragraphs": ["一二，三四。", "五。"]}, {"paragraphs": []}]\n[{"paragraphs": ["九。"]}]'
    assert known.poems_of_json(content.encode()).decode() == "一二，三四。\n五。\n\n九。\n"


def test_the_table_says_where_a_text_is_and_what_one_may_do_with_it(known: ModuleType) -> None:
    table = known.table()
    for name, source in known.SOURCES.items():
        assert any(line.startswith(name) and source.licence in line for line in table.splitlines())
        assert source.addresses[0] in table
        assert all(address.startswith("https://") for address in source.addresses)
