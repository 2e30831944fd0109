from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from charlstm.config import TextConfig
from charlstm.errors import InputError, Notice
from charlstm.files import home_cache, writing
from charlstm.text import cache
from charlstm.text.cache import Cache
from charlstm.text.opening import open_text, reopen_text


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    cache._passing.cache_clear()


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A folder that nobody can make, not even root."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "cache"


def test_the_cache_is_where_the_platform_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home_cache() == tmp_path / "cache" / "charlstm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_cache() == tmp_path / ".cache" / "charlstm"


def test_a_user_without_a_home_has_a_cache_until_the_program_ends(monkeypatch: pytest.MonkeyPatch, text: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does when it knows none
    with pytest.warns(Notice, match="there is no home folder, so .*--cache DIR or XDG_CACHE_HOME names a folder"):
        corpus, record = open_text([str(text)], TextConfig())
    assert reopen_text(record, corpus.vocab, [])[0].digest == corpus.digest  # the same one, without a second warning


def test_a_home_that_cannot_be_written_does_without(monkeypatch: pytest.MonkeyPatch, text: Path, nowhere: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(nowhere))
    with pytest.warns(Notice, match="can't write in this folder .*, so texts are encoded again"):
        assert len(open_text([str(text)], TextConfig())[0].ids)


def test_a_cache_that_was_asked_for_and_cannot_be_written_is_refused(text: Path, nowhere: Path) -> None:
    with pytest.raises(InputError, match="can't write in this folder"):
        open_text([str(text)], TextConfig(), nowhere)


def test_what_a_cache_holds_can_be_read_where_nothing_can_be_written(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, record = open_text([str(text)], TextConfig())

    def unwritable(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be written")

    monkeypatch.setattr(cache, "make_folder", unwritable)
    assert open_text([str(text)], TextConfig())[0].digest == corpus.digest
    text.unlink()
    with pytest.warns(Notice, match="goes on with the text as it was"):
        assert reopen_text(record, corpus.vocab, [])[0].digest == corpus.digest


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_what_is_kept_of_a_text_is_its_owners_alone(text: Path, tmp_path: Path) -> None:
    text.chmod(0o600)
    open_text([str(text)], TextConfig(), tmp_path / "new" / "cache")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new", tmp_path / "new" / "cache")} == {0o700}
    kept = [path for path in (tmp_path / "new" / "cache").iterdir() if path.suffix != ".lock"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert len(kept) == 2


def test_drafts_of_killed_processes_are_taken_away(tmp_path: Path) -> None:
    key = "0123456789abcdef01234567"
    for name in (f".{key}.part", f".{key}.json.part", ".stdin.1.part", ".movie.part", f"{key}.ids"):
        (tmp_path / name).touch()
    with writing(tmp_path / ".stdin.2.part"):  # it is being written
        assert Cache(tmp_path).writable == tmp_path
        assert {path.name for path in tmp_path.glob("*.*")} == {".movie.part", f"{key}.ids", ".stdin.2.part"}


@pytest.mark.skipif(sys.platform == "win32", reason="a named pipe")
def test_a_stream_whose_reader_was_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    read = f"""if True:
        from pathlib import Path
        from charlstm.text.cache import Cache
        from charlstm.text.sources import keep_stream
        keep_stream("-", Cache(Path({str(tmp_path)!r})))
    """
    with subprocess.Popen([sys.executable, "-c", read], stdin=subprocess.PIPE) as reader:
        assert reader.stdin
        reader.stdin.write(b"x" * 3_000_000)
        reader.stdin.flush()
        while not list(tmp_path.glob(".stdin.*")):
            assert reader.poll() is None
        reader.kill()
    assert list(tmp_path.glob(".stdin.*"))
    assert not list(Cache(tmp_path).writable.glob(".stdin.*"))


def test_a_cache_of_an_earlier_version_is_closed_to_others(tmp_path: Path) -> None:
    usual = tmp_path / "cache" / "charlstm"
    usual.mkdir(parents=True, exist_ok=True)
    usual.chmod(0o755)
    assert Cache().writable.stat().st_mode & 0o777 == 0o700


def test_a_relative_place_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the specification has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_cache() == tmp_path / ".cache" / "charlstm"
