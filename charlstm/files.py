"""Safe ways to make folders, to write files and to lock them."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from charlstm.errors import InputError, RunError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def make_folder(folder: Path) -> Path:
    """Make a folder and its parents where they are missing, and return it.

    Raises:
        InputError: when the folder can't be made, or no file can be written in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise InputError(f"{folder}: can't write in this folder ({error.strerror}): choose another") from None


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing. When the block ends and all bytes are on the disk, the file replaces `path` at once.

    A reader of `path` finds the old file or the new one, never a part, even if the process or the machine stops. A
    killed process can leave a part; the next writer overwrites it. Two writers at a time need a lock: see `locked`.

    Raises:
        RunError: when the disk is full or fails.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with writing(draft) as file:
            yield file
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    with suppress(OSError):  # Windows opens no folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def writing(path: Path, *, append: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing. When the block ends, all bytes are on the disk.

    Raises:
        RunError: when the disk is full or fails. The message names the file.
    """
    try:
        with path.open("ab" if append else "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        remedy = ": make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise RunError(f"{path}: can't be written ({error.strerror or error}){remedy}") from None


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of this file. The system ends the lock when the process ends, even if it was killed.

    Raises:
        BlockingIOError: when another process holds the lock and `wait` is false.
    """
    with path.open("ab") as file:
        while not _lock(file, wait):
            if not wait:
                raise BlockingIOError(f"{path} is locked")
        yield


def _lock(file: IO[bytes], wait: bool) -> bool:
    """Try to lock a file: true on success. Windows waits at most ten seconds, other systems without limit."""
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True
