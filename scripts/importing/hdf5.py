"""What an HDF5 file holds, read without trust in it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charlstm.errors import InputError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
PATIENCE, BYTES_A_SECOND = 60, 1 << 22
"""Seconds to wait for the reader, and bytes that it reads in one more second."""

ENDLESS = "damaged: HDF5 doesn't come to an end with it: use another copy"
"""The system ends a reader that takes too much time."""


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes:
        config: its attribute `model_config`, if it has one.
        groups: the paths of all groups.
        arrays: the datasets of floats, by path.
        others: the types of all other datasets, by path.
    """

    config: str | None
    groups: list[str]
    arrays: dict[str, Tensor]
    others: dict[str, str]


def check_h5py() -> None:
    """Raise InputError when h5py is missing."""
    if find_spec("h5py") is None:
        raise InputError('models of Keras are read with h5py: python -m pip install -e ".[keras]"')


def read(source: Path, called: Path) -> Stored:
    """Read a file.

    Args:
        called: how messages name it.

    Raises:
        InputError: when it is damaged, or holds what no model does: links to other files, compressed numbers, numbers
            that aren't finite, or datasets that say that they are larger than the file.
    """
    reader = Path(__file__).with_name("hdf5_reader.py")
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays"
        try:
            done = subprocess.run(
                [sys.executable, str(reader), str(source.absolute()), str(arrays)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE + source.stat().st_size / BYTES_A_SECOND,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{called}: {ENDLESS}") from None
        if done.returncode == 1:  # of an exception, in the end: the reader itself tells of those that a file can cause
            why = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise InputError(f"h5py doesn't work ({''.join(why)}): install it anew")
        if done.returncode:
            raise InputError(f"{called}: {ENDLESS}")
        told: dict[str, Any] = json.loads(done.stdout)
        if "refused" in told:
            raise InputError(f"{called}: {told['refused']}: use another file")
        with arrays.open("rb") as file:
            floats = {
                path: torch.from_numpy(np.fromfile(file, dtype, int(np.prod(shape))).reshape(shape))
                for path, dtype, shape in told["arrays"]
            }
    return Stored(told["config"], told["groups"], floats, told["others"])
