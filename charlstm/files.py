"""Safe ways to make folders, to write files and to lock them."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from charlstm.errors import InputError, RunError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def make_folder(folder: Path, *, private: bool = False) -> Path:
    """Make a folder and its parents where they are missing, and return it. Private ones are for their owner alone.

    Raises:
        InputError: when the folder can't be made, or no file can be written in it.
    """
    try:
        for each in (*reversed(folder.parents), folder):
            if not each.is_dir():
                each.mkdir(0o700 if private else 0o777, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise InputError(f"{folder}: can't write in this folder ({error.strerror}): choose another") from None


def home_cache() -> Path | None:
    """The user's folder for what charlstm can make again; None for a user without a home."""
    places = os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache")
    return next((Path(place) / "charlstm" for place in places if os.path.isabs(place)), None)


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing. When the block ends and all bytes are on the disk, the file replaces `path` at once.

    A reader of `path` finds the old file or the new one, never a part, even if the process or the machine stops. A
    killed process can leave a part; the next writer overwrites it. Two writers at a time need a lock: see `locked`.

    Raises:
        RunError: when the disk is full or fails, or `path` is a device or a pipe, which no file may replace.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise RunError(f"{path}: can't be written (not a plain file): choose another name")
    draft = path.with_name(f".{path.name}.part")
    try:
        with writing(draft, private=private) as file:
            yield file
        put(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


@contextmanager
def writing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Open a new file for writing, and lock it. When the block ends, all bytes are on the disk.

    A private one is for its owner alone. What is there already goes first: it may be a link that somebody put there,
    to have another file overwritten.

    Raises:
        RunError: when the disk is full or fails. The message names the file.
    """
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600 if private else 0o666)) as file:
            _lock(file, wait=False)  # so that `remove_drafts` lets it be
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        remedy = ": make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise RunError(f"{path}: can't be written ({error.strerror or error}){remedy}") from None


def put(draft: Path, path: Path) -> None:
    """Put a finished draft in a file's place.

    Raises:
        RunError: when that can't be done, as where a folder is in the place.
    """
    last_try = time.monotonic() + READERS_TAKE
    while True:
        try:
            os.replace(draft, path)
            break
        except OSError as error:
            if sys.platform == "win32" and isinstance(error, PermissionError) and time.monotonic() < last_try:
                time.sleep(0.05)  # Windows replaces no file that somebody reads
                continue
            raise RunError(f"{path}: can't be written ({error.strerror or error})") from None
    with suppress(OSError):  # Windows opens no folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


READERS_TAKE = 10.0
"""Seconds to wait for the readers of a file."""


def remove_drafts(folder: Path, *patterns: str) -> None:
    """Remove the drafts that killed processes have left: those with such names that nobody has locked."""
    for pattern in patterns:
        for draft in folder.glob(pattern):
            with suppress(OSError), draft.open("r+b") as file:  # Windows doesn't remove an open file; it stays there
                if _lock(file, wait=False):
                    draft.unlink()


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of this file. The system ends the lock when the process ends, even if it was killed.

    Raises:
        BlockingIOError: when another process holds the lock and `wait` is false.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)  # whoever held the lock may remove it, and its folder
        with open(path, "ab", opener=open_itself) as file:
            is_locked = _lock(file, wait)
            if not is_locked and not wait:
                raise BlockingIOError(f"{path} is locked")
            if is_locked and _is_still(path, file):
                yield
                return


def open_itself(name: str, flags: int) -> int:
    """Open a file that is no link, which could be to anywhere, and no pipe, which would be waited for."""
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)


def _is_still(path: Path, file: IO[bytes]) -> bool:
    """Whether a path still names the file that was opened."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


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


_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}


def safe_name(text: str) -> str:
    """A file's name that every system takes and every terminal shows, from any text; it may be empty."""
    name = "".join(c if c.isprintable() and c not in '<>:"/\\|?*[]' else "-" for c in text).lstrip("-. ")
    while len(name.encode("utf-8", "replace")) > 200:
        name = name[:-1]
    name = name.rstrip(". ")
    device = name.partition(".")[0].upper()
    return f"_{name}" if device in _DEVICES else name
