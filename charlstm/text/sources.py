"""Finds the files of a text."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from charlstm.errors import InputError, notice
from charlstm.files import locked, put, replacing, safe_name, writing
from charlstm.text.cache import Cache
from charlstm.text.reading import is_packed, looks_binary

# Tests repeat themselves. Tables of numbers or of documentation don't teach a model to write source.
_NOT_SOURCE = {"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "pydoc_data", "__pycache__"}


def find(arguments: list[str], encoding: str) -> tuple[Path, ...]:
    """The files that the arguments name, in reading order.

    Args:
        arguments: files, glob patterns and folders (with their subfolders, sorted, without hidden files, binary files
            and trained models). An empty list: the standard library's source.
        encoding: of the text. It decides which files of a folder are binary.

    Raises:
        InputError: when an argument names no file.
    """
    if not arguments:
        return standard_library()
    files: dict[Any, Path] = {}
    repeated: list[Path] = []
    for argument in arguments:
        if not argument:
            raise InputError("an empty name of a text: leave it out, or name a file")
        path = Path(argument)
        if path.is_dir():
            found = _folder(path, encoding)
        elif path.is_file():
            found = [path]
        elif path.exists():
            raise InputError(f"{argument}: not a plain file: give its text on standard input, as -")
        elif not (found := _matches(argument)):
            raise InputError(f"{argument}: no such file or folder, and no file matches it as a pattern")
        for file in found:
            itself = (status := file.stat()).st_dev, status.st_ino
            if itself in files:
                repeated.append(file)
            files.setdefault(itself, file.absolute())
    if repeated:  # else what the model is validated on could stand in what it learns
        others = f" and {len(repeated) - 1} more" if len(repeated) > 1 else ""
        notice(f"{repeated[0]}{others}: named more than once, and read once")
    return tuple(files.values())


def name_of(arguments: list[str]) -> str:
    """The name of a run on this text: the first file's name without its endings, made fit for a folder."""
    if not arguments:
        return "python-stdlib"
    if arguments[0] == "-" or Path(arguments[0]).is_fifo():
        return "stdin"
    for name in reversed(Path(os.path.abspath(arguments[0])).parts):  # of "poems/*.txt", the folder is named
        if stem := safe_name(Path(name[:-3] if is_packed(name) else name).stem):
            return stem
    return "text"


def standard_library() -> tuple[Path, ...]:
    """The source of Python's standard library, in the order of the modules' names."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(_walk(root, lambda folder: folder.name not in _NOT_SOURCE), key=Path.as_posix)
    sources = tuple(file for file in files if file.suffix == ".py" and not file.name.startswith("_sysconfigdata"))
    if not sources:
        raise InputError(f"this Python keeps no source of its standard library in {root}: name a text file to learn")
    return sources


def _matches(pattern: str) -> list[Path]:
    """The files that a pattern matches, sorted. Hidden files and folders count only if the pattern names them.

    `**` doesn't follow links, since these can form a circle.
    """
    anchor = Path(pattern).anchor
    steps = pattern.removeprefix(anchor) + ("/*" if pattern.endswith("**") else "")
    named = Path(pattern).parts
    try:
        found = sorted(path for path in Path(anchor).glob(steps) if path.is_file())
    except (ValueError, NotImplementedError):
        return []
    return [path for path in found if not any(part.startswith(".") and part not in named for part in path.parts)]


def _walk(root: Path, wanted: Callable[[Path], bool]) -> Iterator[Path]:
    """What is below a folder, without unwanted folders: files, links to folders, and folders that can't be read."""
    unreadable: list[Path] = []
    for place, folders, files in os.walk(root, onerror=lambda error: unreadable.append(Path(error.filename))):
        inner = [path for name in folders if wanted(path := Path(place, name))]
        folders[:] = [path.name for path in inner if not path.is_symlink()]
        yield from (path for path in inner if path.is_symlink())
        yield from (Path(place, name) for name in files)
    yield from unreadable


def _folder(folder: Path, encoding: str) -> list[Path]:
    def wanted(inner: Path) -> bool:
        is_a_run = any(os.path.exists(inner / name) for name in ("last.pt", "best.pt"))
        return not inner.name.startswith(".") and not is_a_run

    def is_text(file: Path) -> bool:
        try:
            return file.is_file() and not looks_binary(file, encoding)
        except InputError:  # it can't be read
            return False

    found = sorted(path for path in _walk(folder, wanted) if not path.name.startswith("."))
    files = [path for path in found if is_text(path)]

    def leads_back(path: Path) -> bool:  # to what is read anyway
        return path.is_symlink() and path.is_dir() and path.resolve().is_relative_to(folder.resolve())

    if skipped := [path for path in sorted({*found}.difference(files)) if not leads_back(path)]:
        count = "1 file that is" if len(skipped) == 1 else f"{len(skipped)} files that are"
        notice(f"{folder}: skipped {count} not text, such as {skipped[0]}{_why(skipped[0])}")
    if not files:
        raise InputError(f"{folder}: a folder without text files")
    return files


def _why(skipped: Path) -> str:
    if skipped.is_symlink():
        return " (a link to a folder: name that, too)" if skipped.is_dir() else " (a link to nothing)"
    return "" if os.access(skipped, os.R_OK) else " (it can't be read)"


def place(argument: str, cache: Cache) -> str:
    """The absolute path or pattern of an argument, which stays valid when the current folder changes.

    A stream can be read only once. So it is copied into the cache, and the place is that of the copy.
    """
    if kept := keep_stream(argument, cache):
        return str(kept)
    if not argument or os.path.isabs(argument) or os.path.exists(argument):
        return os.path.abspath(argument) if argument else ""
    return os.path.join(glob.escape(os.getcwd()), argument)


def keep_stream(argument: str, cache: Cache) -> Path | None:
    """Copy a stream into the cache: a pipe, or standard input for `-`. Returns None for anything else.

    The name of the copy is a digest of its contents.
    """
    if argument != "-" and not Path(argument).is_fifo():
        return None
    if argument == "-" and sys.stdin is None:
        raise InputError("-: there is no standard input: name a file")
    if argument == "-" and sys.stdin.isatty():
        notice("reading standard input; Ctrl-D ends it")
    digest = hashlib.blake2b(digest_size=8)
    draft = cache.writable / f".stdin.{secrets.token_hex(8)}.part"
    try:
        with (
            nullcontext(sys.stdin.buffer) if argument == "-" else open(argument, "rb") as stream,
            writing(draft, private=True) as copy,
        ):
            read = getattr(stream, "read1", stream.read)  # read1 stops at the first Ctrl-D in a terminal
            while block := read(1 << 20):
                digest.update(block)
                copy.write(block)
        kept = cache.writable / f"stdin-{digest.hexdigest()}.txt"
        put(draft, kept)
    finally:
        draft.unlink(missing_ok=True)
    return kept


def keep_text(text: str, cache: Cache) -> Path:
    """Put a text into the cache, in UTF-8, if it isn't there. The name of the file is a digest of its contents.

    Raises:
        InputError: for half characters, which no file can hold.
    """
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the text has {text[error.start]!r}, half a character: leave it out") from None
    kept = cache.writable / f"text-{hashlib.blake2b(content, digest_size=8).hexdigest()}.txt"
    with locked(kept.with_suffix(".lock"), wait=True):  # to write it again would disturb those who read it
        if not kept.exists() or kept.stat().st_size != len(content):
            with replacing(kept, private=True) as file:
                file.write(content)
    return kept
