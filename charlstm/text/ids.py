"""Arrays of ids, in memory or on the disk."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.integer[Any]]
"""The ids of a text, [characters]."""


def release(ids: Ids) -> None:
    """Give back the pages that were read: until the system needs them, they count as this process's memory."""
    if isinstance(ids, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping: mmap.mmap = ids._mmap  # type: ignore[attr-defined]  # numpy has no public name for it
        mapping.madvise(mmap.MADV_DONTNEED)
