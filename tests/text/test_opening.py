from __future__ import annotations

import io
import sys
from dataclasses import replace
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


def test_a_strangers_checkpoint_copies_no_file_of_yours(text: Path, tmp_path: Path) -> None:
    corpus, record = open_text([str(text)], TextConfig(), tmp_path / "theirs")
    secret = tmp_path / "secret.txt"
    secret.write_text("the password is swordfish\n" * 90)
    secret.chmod(0o600)
    with pytest.raises(InputError, match="not the text that the run began with"):
        reopen_text(replace(record, places=(str(secret),)), corpus.vocab, [], tmp_path / "mine")
    assert [path.suffix for path in (tmp_path / "mine").iterdir()] == [".lock"]


def test_windows_asks_no_other_machine_for_a_strangers_checkpoint(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merely to look for a file on a machine tells it who is looking."""
    corpus, record = open_text([str(text)], TextConfig())
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.warns(Notice, match="on another machine"):
        reopen_text(replace(record, places=("\\\\evil\\share\\x",)), corpus.vocab, [])


def test_the_new_place_of_a_text_is_recorded(text: Path) -> None:
    corpus, record = open_text([str(text)], TextConfig())
    text.rename("moved.txt")
    _, found = reopen_text(record, corpus.vocab, ["moved.txt"])
    assert found == replace(record, places=(str(Path("moved.txt").absolute()),))
