from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlstm.errors import InputError
from charlstm.text import reading
from charlstm.text.mostly_ascii import MostlyAscii
from charlstm.text.reading import looks_binary, normalise, pieces, texts
from charlstm.text.vocab import END


def read(*contents: bytes, encoding: str = "utf-8", suffix: str = ".txt") -> str:
    files = [Path(f"{n}{suffix}") for n in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return "".join(pieces(files, encoding))


def test_byte_order_mark_and_line_ends_are_made_uniform() -> None:
    assert read(b"\xef\xbb\xbfone\r\ntwo\rthree\n") == "one\ntwo\nthree\n"


def test_a_file_that_does_not_end_its_last_line_has_it_ended_before_the_next() -> None:
    assert read(b"one", b"two\n", b"", b"three") == "one\ntwo\nthree"


def test_gz_is_unpacked() -> None:
    assert read(gzip.compress("月".encode()), suffix=".txt.gz") == "月"


def test_what_is_told_of_gz_is_what_was_read_of_the_file() -> None:
    text = bytes(i * i % 251 for i in range(20_000)).hex()
    Path("a.gz").write_bytes(gzip.compress(text.encode()))
    told: list[int] = []
    assert "".join(pieces([Path("a.gz")], "utf-8", on_bytes=told.append)) == text
    assert sum(told) == Path("a.gz").stat().st_size


def test_a_damaged_gz_says_so() -> None:
    with pytest.raises(InputError, match="damaged .gz"):
        read(gzip.compress(b"text" * 1000)[:-20], suffix=".gz")
    with pytest.raises(InputError, match="damaged .gz"):
        read(b"no gzip at all", suffix=".gz")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "shift_jis"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(block=st.integers(1, 7))
def test_blocks_may_cut_characters_and_line_ends_anywhere(encoding: str, block: int) -> None:
    text = "雨\r\n雨中ab\r\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK", block)
        assert read(text.encode(encoding), encoding=encoding) == "雨\n雨中ab\n"


ENGLISH = st.text(st.sampled_from(16 * "rain \n" + "\r\r’é🦉\u0301\u1161\ufeff"))
"""Mostly ASCII, so that some blocks of it are read in one way and some in the other."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ENGLISH, block=st.integers(1, 80))
def test_english_is_read_as_python_reads_it(text: str, block: int) -> None:
    Path("text.txt").write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK", block)
        found = list(pieces([Path("text.txt")], "utf-8"))
    assert "".join(found) == normalise(text)
    assert all(found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ENGLISH, wrong=st.binary(max_size=2), place=st.integers(0, 99), block=st.integers(1, 80))
def test_bad_bytes_are_found_where_python_finds_them(text: str, wrong: bytes, place: int, block: int) -> None:
    data = text.encode()
    data = data[:place] + wrong + data[place:]
    Path("text.txt").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK", block)
        try:
            expected = data.decode()
        except UnicodeDecodeError as error:
            with pytest.raises(InputError, match=f" at offset {error.start} |NUL characters"):
                list(pieces([Path("text.txt")], "utf-8"))
        else:
            if "\0" not in expected:
                assert "".join(pieces([Path("text.txt")], "utf-8")) == normalise(expected)


def test_english_with_quotation_marks_stays_in_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1000)
    Path("book.txt").write_text(
        "the rain’s on the river and the river’s in the rain, for ever\n" * 160, encoding="utf-8"
    )
    kinds = [type(text) for text in texts([Path("book.txt")], "utf-8")]
    assert kinds.count(MostlyAscii) >= 8
    assert {type(text) for text in pieces([Path("book.txt")], "utf-8")} == {str}


@pytest.mark.parametrize("block", range(1, 14))
def test_no_letter_is_cut_from_its_accents(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", block)
    Path("text.txt").write_text("on the river e\u0301\u0323 the rain\u0301", encoding="utf-8")
    found = list(pieces([Path("text.txt")], "utf-8"))
    assert not any(piece.startswith(("\u0301", "\u0323")) for piece in found)


def test_a_text_of_nothing_but_accents_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1000)
    Path("text.txt").write_text("a" + "\u0301" * 5000, encoding="utf-8")
    found = list(pieces([Path("text.txt")], "utf-8"))
    assert "".join(found) == "a" + "\u0301" * 5000
    assert max(map(len, found)) < 1000


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1000])
def test_a_bad_byte_is_told_with_its_offset_and_what_to_try(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", block)
    with pytest.raises(InputError, match=r"0\.txt: byte 0xff at offset 7 is not utf-8: try --encoding"):
        read("雨雨a".encode() + b"\xff" + b"rest")


def test_a_cut_character_at_the_end_is_a_bad_byte() -> None:
    with pytest.raises(InputError, match="byte 0xe9 at offset 1 .* is the file complete"):
        read(b"a" + "雨".encode()[:2])


def test_utf_16_and_binary_files_are_recognised() -> None:
    with pytest.raises(InputError, match="--encoding utf-16"):
        read("words".encode("utf-16"))
    with pytest.raises(InputError, match="binary"):
        read(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(InputError, match="binary"):
        read(b"valid utf-8\0 but no text")


def test_utf_16_without_a_byte_order_mark_is_told() -> None:
    with pytest.raises(InputError, match="try --encoding utf-16-le"):
        read("words".encode("utf-16-le"), encoding="utf-16")
    with pytest.raises(InputError, match="try --encoding utf-16-le"):
        read("words".encode("utf-16-le"))


def test_an_encoding_is_not_advised_against_itself() -> None:
    with pytest.raises(InputError, match=r"try --encoding cp1252 .western., or mend that byte"):
        read(b"\xff\xff text", encoding="gb18030")


def test_only_what_reads_a_text_is_advised() -> None:
    with pytest.raises(InputError, match=r"try --encoding gb18030 .Chinese. or cp1252"):
        read("寒雨连江".encode("gb18030"))
    with pytest.raises(InputError, match="no usual encoding reads it: is the file damaged"):
        read(b"a\x81\xff")


def test_looking_for_binary_files_heeds_the_encoding() -> None:
    Path("wide").write_bytes("words".encode("utf-16"))
    assert looks_binary(Path("wide"), "utf-8")
    assert not looks_binary(Path("wide"), "utf-16")


def test_other_text_is_made_alike() -> None:
    assert normalise("\ufeffone\r\ntwo\rthree\n") == "one\ntwo\nthree\n"


def test_documents_are_closed_file_by_file_and_the_first_stands_after_an_end() -> None:
    Path("one").write_text("\na\n\nb\nc", encoding="utf-8")
    Path("two").write_text("\n", encoding="utf-8")
    Path("three").write_text("d\n", encoding="utf-8")
    files = [Path("one"), Path("two"), Path("three")]

    def documents(kind: str) -> list[str]:
        return "".join(pieces(files, "utf-8", kind)).split(END)

    assert documents("lines") == ["", "a", "b", "c", "d", ""]
    assert documents("paragraphs") == ["", "a", "b\nc", "d", ""]
    assert documents("files") == ["", "a\n\nb\nc", "d", ""]


def test_the_end_marker_stands_in_no_text() -> None:
    with pytest.raises(InputError, match=r"0\.txt: holds U\+FDD0"):
        read(f"a{END}b".encode())
    with pytest.raises(InputError, match=r"0\.txt: holds U\+FDD0"):
        read(f"the rain is on the river{END}and the river is in the rain".encode())
