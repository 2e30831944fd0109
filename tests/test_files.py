from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from charlstm import files
from charlstm.errors import InputError, RunError
from charlstm.files import locked, make_folder, replacing, safe_name


def test_the_new_file_takes_the_place_of_the_old_one_in_one_go() -> None:
    path = Path("file")
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir() == ["file"]


def test_a_failure_leaves_the_old_file_and_nothing_else() -> None:
    path = Path("file")
    path.write_bytes(b"old")
    with (
        pytest.raises(RunError, match=r"\.file\.part: can't be written .No space left on device.: make room"),
        replacing(path) as file,
    ):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"old"
    assert os.listdir() == ["file"]


def test_a_kill_before_the_replacement_leaves_the_old_file() -> None:
    Path("file").write_bytes(b"old")
    code = """if True:
        import os, signal
        from pathlib import Path
        from charlstm import files
        files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        with files.replacing(Path("file")) as file:
            file.write(b"new")
    """
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    assert Path("file").read_bytes() == b"old"


def test_what_a_kill_left_behind_is_overwritten() -> None:
    Path(".file.part").write_bytes(b"a long part of a file")
    with replacing(Path("file")) as file:
        file.write(b"new")
    assert Path("file").read_bytes() == b"new"
    assert os.listdir() == ["file"]


def test_a_lock_is_held_by_one_at_a_time() -> None:
    with locked(Path("lock"), wait=False):
        with pytest.raises(BlockingIOError), locked(Path("lock"), wait=False):
            pass
    with locked(Path("lock"), wait=True):
        pass


def test_a_folder_that_cannot_be_made_is_named() -> None:
    Path("file").write_text("in the way")
    with pytest.raises(InputError, match="file.sub: can't write in this folder"):
        make_folder(Path("file/sub"))
    with pytest.raises(InputError, match="file: can't write in this folder"):
        make_folder(Path("file"))
    assert make_folder(Path("a/b")).is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file")
def test_a_lock_that_was_removed_meanwhile_is_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever held it before removes it, with its folder: a third process would lock another file of that name."""
    path, attempts = Path("a/lock"), []

    def lock(file: IO[bytes], wait: bool) -> bool:
        attempts.append(file)
        if len(attempts) == 1:
            path.unlink()
            path.parent.rmdir()
        return True

    monkeypatch.setattr(files, "_lock", lock)
    with locked(path, wait=False):
        assert len(attempts) == 2
        assert path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links are for everybody on POSIX")
def test_a_link_in_a_drafts_place_is_not_written_through() -> None:
    Path("victim").write_bytes(b"precious")
    Path(".file.part").symlink_to("victim")
    with replacing(Path("file"), private=True) as file:
        file.write(b"new")
    assert Path("victim").read_bytes() == b"precious"
    assert (Path("file").is_symlink(), Path("file").read_bytes()) == (False, b"new")
    assert Path("file").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="a named pipe")
def test_what_is_no_plain_file_is_not_replaced() -> None:
    os.mkfifo("pipe")
    with pytest.raises(RunError, match="pipe: can't be written .not a plain file."), replacing(Path("pipe")):
        raise AssertionError
    assert Path("pipe").is_fifo()


def test_a_folder_in_a_files_place_is_one_line() -> None:
    Path("file").mkdir()
    with pytest.raises(RunError, match="file: can't be written"), replacing(Path("file")) as file:
        file.write(b"new")
    assert os.listdir() == ["file"]


def test_windows_waits_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    replace, attempts = os.replace, []

    def read_by_another(draft: Path, path: Path) -> None:
        attempts.append(path)
        if len(attempts) < 3:
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(draft, path)

    monkeypatch.setattr(files.os, "replace", read_by_another)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    Path("draft").touch()
    with pytest.raises(RunError, match="Access is denied"):
        files.put(Path("draft"), Path("file"))
    monkeypatch.setattr(files.sys, "platform", "win32")
    files.put(Path("draft"), Path("file"))
    assert len(attempts) == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("novel", "novel"),
        ("红楼梦", "红楼梦"),
        ("a b", "a b"),
        ("a\u3000b\xa0c", "a-b-c"),
        ("\u200fשלום", "שלום"),
        ("👩\u200d🚀", "👩-🚀"),
        ("bad\udcff", "bad-"),
        ("\x1b]0;x", "0;x"),
        ("*", ""),
        ("..", ""),
        ("con", "_con"),
        ("AUX.txt", "_AUX.txt"),
        ("novel. ", "novel"),
        ("字" * 200, "字" * 66),
    ],
)
def test_a_name_that_was_made_up_is_one_that_every_system_takes(text: str, name: str) -> None:
    assert safe_name(text) == name
