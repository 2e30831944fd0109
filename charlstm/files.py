"""Folders and files as every part of the package writes them."""

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
    """The folder, made with its parents if need be.

    Raises:
        InputError: when it can't be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise InputError(f"{folder}: can't write in this folder ({error.strerror}): choose another") from None


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` in one go, once all of it is on the disk.

    Whoever reads `path` finds the old file or the new one, never a part, whenever the process or the machine stops.
    What a killed process left behind is overwritten by the next; two that write at a time are kept apart by `locked`.

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
    sync_folder(path.parent)


@contextmanager
def writing(path: Path, *, append: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, new or longer, that is on the disk when the block ends.

    Raises:
        RunError: naming the file, when the disk is full or fails.
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
    """Hold the lock that a file stands for. It ends with the process at the latest, however that ends.

    Raises:
        BlockingIOError: when another process holds it and `wait` is false.
    """
    with path.open("ab") as file:
        while not _lock(file, wait):
            if not wait:
                raise BlockingIOError(f"{path} is locked")
        yield


def _lock(file: IO[bytes], wait: bool) -> bool:
    """Whether the lock was had. Windows waits ten seconds at the most, other systems as long as it takes."""
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


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk, where the platform lets a folder be opened (Windows doesn't)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
