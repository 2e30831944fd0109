from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from charlstm.errors import InputError, RunError
from charlstm.files import locked, make_folder, replacing


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
