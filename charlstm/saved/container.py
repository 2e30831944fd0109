"""A file of tensors and plain values: written in one go, and read without running any code that it may hold.

The file is what `torch.save` writes, a zip container. A checkpoint is one; what scripts keep of their models is, too.
"""

from __future__ import annotations

import errno
import os
import pickletools
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charlstm.errors import InputError, RunError, is_out_of_memory
from charlstm.files import replacing


def save(path: Path, contents: dict[str, Any]) -> None:
    """Write contents in place of `path`. A reader, or a machine that stops, finds the old file or the new one.

    Raises:
        RunError: when the disk is full or fails.
    """
    with replacing(path) as file:
        try:
            torch.save(contents, file)
        except RuntimeError as error:  # what torch makes of a write that failed, or that a signal ended
            if error.__context__:
                raise error.__context__ from None
            raise RunError(f"{path}: can't be written ({str(error).splitlines()[0]})") from None


def load(path: Path) -> Any:
    """Read the contents of a file onto the CPU, after its checksums have been verified.

    Raises:
        InputError: when there is no such file, it is damaged, or it holds anything but tensors and plain values.
    """
    _verify(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from None
    except Exception as error:  # torch has many ways to say so, most of them pages long
        if is_out_of_memory(error):
            raise
        raise InputError(f"{path}: {NOT_PLAIN}") from None
    if _bytes_in(contents) > 2 * path.stat().st_size + SLACK:  # twice, where a matrix has two names
        raise InputError(f"{path}: its tensors are larger than the file: use another one")
    return contents


@contextmanager
def parsing(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Inside this block contents are parsed: what they lack, or have of another kind, is told in one line.

    Raises:
        InputError: `path: what (why): remedy`.
    """
    try:
        yield
    except (InputError, LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        why = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise InputError(f"{path}: {what} ({why}): {remedy}") from None


SLACK = 1 << 20
"""Bytes that a small file may have in addition: tensors of one number may say it many times."""


def _bytes_in(contents: Any) -> int:
    """The size of all tensors, once each has a memory of its own: a small file may say the same number many times."""
    if isinstance(contents, Tensor):
        return contents.numel() * contents.element_size()
    if isinstance(contents, dict):
        return sum(map(_bytes_in, contents.values()))
    return sum(map(_bytes_in, contents)) if isinstance(contents, list | tuple) else 0


def _verify(path: Path) -> None:
    """Compare every part of the container with its CRC-32, so that nothing damaged is unpickled."""
    try:
        with zipfile.ZipFile(path) as container:
            _refuse_odd(container, path)
            broken = container.testzip()
    except InputError:
        raise
    except OSError as error:
        why = "damaged" if error.errno == errno.EINVAL else "can't be read"  # it was to be read before its beginning
        raise InputError(f"{path}: {why} ({error.strerror or error}): use another checkpoint") from None
    except zipfile.BadZipFile as error:
        with path.open("rb") as file:
            looks_like_one = file.read(2) == b"PK"
        if looks_like_one:
            raise InputError(f"{path}: damaged ({error}): use another checkpoint of the run") from None
        raise InputError(f"{path}: not a checkpoint of charlstm") from None
    except (zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError, OverflowError) as error:
        raise InputError(f"{path}: damaged ({error}): use another checkpoint of the run") from None
    if broken is not None:
        raise InputError(f"{path}: damaged (the checksum of {broken} is wrong): use another checkpoint of the run")


AS_FOLDER = 0x10
"""An attribute that DOS had. What has it is left out when PyTorch reads it, and a tensor is whatever memory held."""


NOT_PLAIN = "not a checkpoint of charlstm: it holds more than tensors and plain values, or is damaged"

BUILDERS = re.compile(r"torch \w+Storage|torch\._utils _rebuild_tensor_v2|collections OrderedDict")
"""What the plain tensors and dictionaries of `torch.save` are built with. PyTorch itself would build more."""


def _refuse_odd(container: zipfile.ZipFile, path: Path) -> None:
    """Refuse a container that `torch.save` doesn't write: a small file could fill the memory.

    Raises:
        BadZipFile: for parts that are packed, double, folders, or together larger than the file, and where two readers
            could find different parts.
        InputError: for anything but plain tensors and values.
    """
    parts, size = container.infolist(), path.stat().st_size
    if any(part.compress_type != zipfile.ZIP_STORED or part.external_attr & AS_FOLDER for part in parts):
        raise zipfile.BadZipFile("it has packed parts, or folders")
    # PyTorch tells no upper case from lower case.
    if len({part.filename.lower() for part in parts}) < len(parts) or sum(part.file_size for part in parts) > size:
        raise zipfile.BadZipFile("it has parts that are double")
    # Some readers look for the directory where the file's last 22 bytes say, others in front of those bytes.
    with path.open("rb") as file:
        file.seek(-22, os.SEEK_END)
        signature, _, offset, comment = struct.unpack("<4s12sLH", file.read())
    is_beyond = offset == 0xFFFFFFFF and size > offset  # then it is written elsewhere
    if signature != b"PK\5\6" or comment or not (is_beyond or offset == container.start_dir):
        raise zipfile.BadZipFile("its directory isn't where it should be")
    for part in parts:
        if part.filename.lower().endswith("data.pkl") and not _is_plain(container.read(part)):
            raise InputError(f"{path}: {NOT_PLAIN}")


def _is_plain(pickled: bytes) -> bool:
    """Whether a pickle builds nothing but plain tensors and values."""
    return all(
        code.name == "GLOBAL" and BUILDERS.fullmatch(str(argument))
        for code, argument, _ in pickletools.genops(pickled)
        if code.name in ("GLOBAL", "STACK_GLOBAL", "INST")
    )
