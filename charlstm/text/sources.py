"""Which files a text is made of."""

from __future__ import annotations

import glob
import hashlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from charlstm.errors import InputError, notice
from charlstm.files import writing
from charlstm.text.reading import looks_binary

STANDARD_LIBRARY = "python-stdlib"
"""The name of the text that is learned if none is given."""

# Tests repeat themselves; tables of numbers or of documentation are no source to learn writing from.
_NOT_SOURCE = {"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "pydoc_data", "__pycache__"}


def find(arguments: list[str], encoding: str) -> tuple[Path, ...]:
    """The files that the arguments name, in reading order.

    Args:
        arguments: files, folders (read recursively and sorted, without hidden files, binary ones and trained models)
            and glob patterns. None at all: the standard library's source.
        encoding: what the text is written in, to tell a binary file in a folder.

    Raises:
        InputError: when an argument names no file.
    """
    if not arguments:
        return standard_library()
    files: list[Path] = []
    for argument in arguments:
        if not argument:
            raise InputError("an empty name of a text: leave it out, or name a file")
        path = Path(argument)
        if path.is_dir():
            files += _folder(path, encoding)
        elif path.is_file():
            files.append(path)
        elif path.exists():
            raise InputError(f"{argument}: not a plain file: give its text on standard input, as -")
        elif matches := _matches(argument):
            files += matches
        else:
            raise InputError(f"{argument}: no such file or folder, and no file matches it as a pattern")
    if not files:
        raise InputError(f"{' '.join(arguments)}: matches no file")
    return tuple(file.absolute() for file in files)


def name_of(arguments: list[str]) -> str:
    """The name of a run on this text: the first file's name without its endings."""
    if not arguments:
        return STANDARD_LIBRARY
    if arguments[0] == "-" or Path(arguments[0]).is_fifo():
        return "stdin"
    name = Path(arguments[0]).resolve().name
    stem = Path(name.removesuffix(".gz")).stem
    return "".join("-" if c in '*?[]<>:"|\\' else c for c in stem) or "text"


def standard_library() -> tuple[Path, ...]:
    """The source of Python's standard library, in the order of the modules' names."""
    root = Path(sysconfig.get_path("stdlib"))
    files = [
        file
        for file in _walk(root, lambda folder: folder.name not in _NOT_SOURCE)
        if file.suffix == ".py" and not file.name.startswith("_sysconfigdata")
    ]
    if not files:
        raise InputError(f"this Python keeps no source of its standard library in {root}: name a text file to learn")
    return tuple(sorted(files, key=lambda path: path.relative_to(root).as_posix()))


def _matches(pattern: str) -> list[Path]:
    """The files that a pattern matches, sorted, without hidden ones that it doesn't name.

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
    """The files below a folder, without those in unwanted folders."""
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if wanted(Path(place, name))]
        yield from (Path(place, name) for name in files)


def _folder(folder: Path, encoding: str) -> list[Path]:
    def wanted(inner: Path) -> bool:
        is_a_run = (inner / "last.pt").exists() or (inner / "best.pt").exists()
        return not inner.name.startswith(".") and not is_a_run

    visible = sorted(file for file in _walk(folder, wanted) if not file.name.startswith(".") and file.is_file())
    binary = {file for file in visible if looks_binary(file, encoding)}
    if binary:
        count = "1 file that is" if len(binary) == 1 else f"{len(binary)} files that are"
        notice(f"{folder}: skipped {count} not text, such as {min(binary)}")
    files = [file for file in visible if file not in binary]
    if not files:
        raise InputError(f"{folder}: a folder without text files")
    return files


def place(argument: str, cache: Path) -> str:
    """The absolute path or pattern of an argument, so that it is valid in any current folder.

    A stream that can be read only once is copied into the cache; that copy is its place.
    """
    if kept := keep_stream(argument, cache):
        return str(kept)
    if not argument or os.path.isabs(argument) or os.path.exists(argument):
        return os.path.abspath(argument) if argument else ""
    return os.path.join(glob.escape(os.getcwd()), argument)


def keep_stream(argument: str, cache: Path) -> Path | None:
    """A copy in the cache of a stream: `-`, standard input, or a pipe. None for anything else.

    Its name is made from its contents.
    """
    if argument == "-":
        if sys.stdin is None:
            raise InputError("-: there is no standard input: name a file")
        if sys.stdin.isatty():
            notice("reading standard input; Ctrl-D ends it")
        return _keep(sys.stdin.buffer, cache)
    if Path(argument).is_fifo():
        with open(argument, "rb") as pipe:
            return _keep(pipe, cache)
    return None


def _keep(stream: BinaryIO, cache: Path) -> Path:
    read = getattr(stream, "read1", stream.read)  # read1 takes the first Ctrl-D at a terminal for the end
    digest = hashlib.blake2b(digest_size=8)
    draft = cache / f".stdin.{os.getpid()}.part"
    try:
        with writing(draft) as copy:
            while block := read(1 << 20):
                digest.update(block)
                copy.write(block)
        kept = cache / f"stdin-{digest.hexdigest()}.txt"
        os.replace(draft, kept)
    finally:
        draft.unlink(missing_ok=True)
    return kept
