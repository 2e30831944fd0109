"""Reads an HDF5 file that may be hostile. A program of its own, which `hdf5.py` starts: `hdf5_reader.py FILE ARRAYS`.

It writes the numbers of all datasets of floats to ARRAYS, one after the other, and prints a line of JSON that says what
they are. The library that reads HDF5 goes round in circles, or takes much memory, where bytes of a file are wrong. So
it works in a process that has little of either, and that may end.
"""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import h5py
import numpy as np

OBJECTS, DEPTH, PATH, CONFIG = 4_000, 20, 500, 1 << 18
"""The most groups and datasets, groups inside groups, characters of a path, and characters of the model's config."""

SPARE_MEMORY, SECONDS, BYTES_A_SECOND = 1 << 26, 10, 1 << 24
"""What reading may take, besides memory of twice the file and the time for its bytes."""

LEFT_OUT = ("optimizer", "optimizer_weights", "metrics")
"""The groups at the root of a file that nothing is read of: they are of its training."""


class Refused(Exception):
    """What is wrong with the file."""


def limit(size: int) -> None:
    """Take no more memory and time than a file of this size should need. Windows knows no such limits."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        seconds = SECONDS + size // BYTES_A_SECOND
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        with suppress(OSError):  # no other system than Linux says how much is in use
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            most = used + 2 * size + SPARE_MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


class Reader:
    """Looks at everything in a file first, and reads then.

    Attributes:
        groups: the paths of all groups.
        floats: the datasets of floats, by path.
        others: the types of all other ones, by path.
    """

    def __init__(self, size: int) -> None:
        self.size, self.objects, self.declared = size, 0, 0
        self.groups: list[str] = []
        self.floats: dict[str, h5py.Dataset] = {}
        self.others: dict[str, str] = {}

    def walk(self, group: h5py.Group, path: str = "", depth: int = 0) -> None:
        """Look at what is in a group."""
        for name in group:
            self.objects += 1
            if self.objects > OBJECTS or depth > DEPTH or len(path) + len(name) > PATH:
                raise Refused("it has more groups and datasets than a model has")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refused(f"{name} is a link to elsewhere")
            if not path and name in LEFT_OUT:
                continue
            found = group[name]
            if isinstance(found, h5py.Group):
                self.groups.append(f"{path}{name}")
                self.walk(found, f"{path}{name}/", depth + 1)
            elif isinstance(found, h5py.Dataset):
                self.add(f"{path}{name}", found)

    def add(self, path: str, dataset: h5py.Dataset) -> None:
        """Note a dataset, or refuse what can't be read in memory of the file's size."""
        if dataset.is_virtual or dataset.external:
            raise Refused(f"{path} has its numbers in another file")
        if dataset.shape is None or dataset.dtype.kind != "f" or dataset.dtype.itemsize > 8:
            self.others[path] = str(dataset.dtype)
            return
        for shape in (dataset.shape, dataset.chunks or ()):
            if math.prod(shape) * dataset.dtype.itemsize > self.size:
                raise Refused(f"{path} says that it has the shape {list(shape)}, more than the file has")
        if dataset.id.get_create_plist().get_nfilters():
            raise Refused(f"{path} is compressed: Keras itself keeps weights as they are")
        self.floats[path] = dataset
        self.declared += dataset.nbytes
        if self.declared > self.size:
            raise Refused("its datasets say that they are larger than the file")

    def write(self, out: IO[bytes]) -> list[tuple[str, str, list[int]]]:
        """Write the numbers of all datasets. Returns path, type and shape of each."""
        written = []
        for path, dataset in self.floats.items():
            numbers = np.ascontiguousarray(dataset[()], dtype=f"<f{dataset.dtype.itemsize}")
            if not np.isfinite(numbers).all():
                raise Refused(f"{path} has numbers that aren't finite")
            out.write(numbers.data)
            written.append((path, numbers.dtype.str, list(dataset.shape)))
        return written


def config_of(file: h5py.File, size: int) -> str | None:
    """The attribute that says what the layers are, or None."""
    if "model_config" not in file.attrs:
        return None
    attribute = file.attrs.get_id("model_config")
    if attribute.shape != () or attribute.get_storage_size() > min(size, CONFIG):
        raise Refused("its model_config isn't a text")
    text = file.attrs["model_config"]
    text = text.decode() if isinstance(text, bytes) else text
    if not isinstance(text, str) or len(text) > CONFIG:
        raise Refused("its model_config is no text, or is longer than a model's")
    return text


def read(source: Path, arrays: Path) -> dict[str, object]:
    """What is printed. Everything that the library may raise is told in it."""
    size = source.stat().st_size
    limit(size)
    try:
        with h5py.File(source, "r", locking=False) as file, arrays.open("wb") as out:
            reader = Reader(size)
            config = config_of(file, size)
            reader.walk(file)
            arrays_in = reader.write(out)
            return {"config": config, "groups": reader.groups, "arrays": arrays_in, "others": reader.others}
    except Refused as refused:
        return {"refused": str(refused)}
    except MemoryError:
        return {"refused": "it takes more memory than twice its size"}
    except Exception as error:  # h5py has a dozen of them
        return {"refused": f"damaged ({error})"}


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]), Path(sys.argv[2]))), flush=True)
    os._exit(0)  # what closes a damaged file may fail once more
