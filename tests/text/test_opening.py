from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from charlstm.config import TextConfig
from charlstm.errors import InputError, Notice
from charlstm.text.opening import TextRecord, open_text, reopen_text


def test_a_text_is_found_again_in_the_cache_or_without_it(text: Path, tmp_path: Path) -> None:
    corpus, record = open_text([str(text)], TextConfig())
    assert reopen_text(record, corpus.vocab, [])[0].digest == corpus.digest
    assert reopen_text(record, corpus.vocab, [], cache=tmp_path / "empty")[0].digest == corpus.digest


def test_a_text_that_is_gone_is_taken_from_the_cache_that_is_named(text: Path, tmp_path: Path) -> None:
    """A record names no cache: whoever made the checkpoint has no say in where files are written."""
    corpus, record = open_text([str(text)], TextConfig(), tmp_path / "chosen")
    text.unlink()
    with pytest.warns(Notice, match="goes on with the text as it was"):
        again, _ = reopen_text(record, corpus.vocab, [], cache=tmp_path / "chosen")
    assert again.digest == corpus.digest
    with pytest.raises(InputError, match="can't be read again"):
        reopen_text(record, corpus.vocab, [])


def test_a_record_checks_itself() -> None:
    with pytest.raises(InputError, match="length must be at least 1"):
        TextRecord(places=(), config=TextConfig(), given_vocab=False, digest="a", length=0)


def test_a_text_that_was_only_touched_is_no_other(text: Path) -> None:
    corpus, record = open_text([str(text)], TextConfig())
    text.touch()
    assert reopen_text(record, corpus.vocab, [])[0].digest == corpus.digest


def test_a_changed_text_goes_on_from_the_cache_with_a_warning(text: Path, tmp_path: Path) -> None:
    corpus, record = open_text([str(text)], TextConfig())
    text.write_text("all new, " * 100)
    with pytest.warns(Notice, match="changed since the run began"):
        assert reopen_text(record, corpus.vocab, [])[0].digest == corpus.digest
    with pytest.raises(InputError, match="not the text that the run began with"):
        reopen_text(record, corpus.vocab, [], cache=tmp_path / "empty")


def test_a_text_that_moved_is_found_where_it_is_now(text: Path, tmp_path: Path) -> None:
    corpus, record = open_text([str(text)], TextConfig())
    text.rename("moved.txt")
    with pytest.raises(InputError, match="can't be read again: .*no such file"):
        reopen_text(record, corpus.vocab, [], cache=tmp_path / "empty")
    assert reopen_text(record, corpus.vocab, ["moved.txt"], cache=tmp_path / "empty")[0].digest == corpus.digest
    Path("other.txt").write_text("something else")
    with pytest.raises(InputError, match="not the text"):
        reopen_text(record, corpus.vocab, ["other.txt"])


def test_standard_input_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped text")))
    corpus, record = open_text(["-"], TextConfig())
    assert corpus.vocab.decode(corpus.ids) == "piped text"
    assert reopen_text(record, corpus.vocab, [])[0].digest == corpus.digest
