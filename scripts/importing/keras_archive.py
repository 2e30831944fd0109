"""A `.keras` file: a zip container, of which two parts are read."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charlstm.errors import InputError
from importing.keras_config import LONGEST

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""What the model is, and its weights."""

DIRECTORY = 1 << 16
"""The most bytes that the container's directory may have."""


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[str, Path]]:
    """Inside this block there are the text of the description, and a file of the weights.

    Raises:
        InputError: when the container is damaged, has other parts, or says that they are more than twice its size.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / WEIGHTS
        try:
            text = _unpack(path, weights)
        except OSError as error:
            if error.errno != errno.EINVAL:  # which says that a part was to be read before the file's beginning
                raise
            raise _damaged(path, error) from None
        except InputError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OverflowError) as error:
            raise _damaged(path, error) from None
        yield text, weights


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: damaged, or no model of Keras ({error}): use another copy")


def _unpack(path: Path, weights: Path) -> str:
    """Write the weights to a file, and return the description."""
    _check_directory(path)
    with zipfile.ZipFile(path) as container:
        config, part = _parts(container, path)
        with container.open(part) as packed, weights.open("wb") as out:
            shutil.copyfileobj(packed, out)
        return container.read(config).decode()


def _check_directory(path: Path) -> None:
    """Raise BadZipFile for a directory that is larger than one of Keras, before any of it is read."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(-min(size, 42), os.SEEK_END)
        end = file.read()
    if len(end) < 42 or end[20:24] != b"PK\5\6":
        raise zipfile.BadZipFile("its directory isn't where it should be")
    _, directory, _, comment = struct.unpack("<12sLLH", end[20:])
    is_elsewhere = end[:4] == b"PK\6\7" and size < 2**32  # as in containers beyond 4 GB
    if directory > DIRECTORY or comment or is_elsewhere:
        raise zipfile.BadZipFile("its directory isn't one of Keras")


def _parts(container: zipfile.ZipFile, path: Path) -> tuple[zipfile.ZipInfo, zipfile.ZipInfo]:
    """The two parts, after a look at what the container says of them."""
    parts = container.infolist()
    by_name = {part.filename: part for part in parts}
    if missing := [name for name in (CONFIG, WEIGHTS) if name not in by_name]:
        raise InputError(f"{path}: no model of Keras, since it has no {missing[0]}: give a file that Keras saved")
    if len(by_name) < len(parts):
        raise zipfile.BadZipFile("it has parts that are double")
    used = by_name[CONFIG], by_name[WEIGHTS]
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in used):
        raise zipfile.BadZipFile("it is packed in a way that Keras doesn't know")
    if used[0].file_size > LONGEST or sum(part.file_size for part in used) > 2 * path.stat().st_size:
        raise zipfile.BadZipFile("its parts say that they are more than twice as large as the file")
    return used
