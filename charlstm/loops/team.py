"""Runs a compiled loop on arrays, by the threads that PyTorch computes with.

numba has threads of its own for such loops. They would be a second set beside PyTorch's, and while one set works, the
threads of the other spin and wait for work, on the same cores. So the loops run in a team of the OpenMP library that
PyTorch has loaded already. Where that isn't found, as on Windows, one thread runs them.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = Tensor | npt.NDArray[np.generic]
Kernel = int
"""The address of machine code, as of `compiled`."""

LINE = 16
"""Numbers of float32 in a line of a processor's cache."""

THREAD, THREADS, WAIT = "charlstm_thread", "charlstm_threads", "charlstm_wait"
"""How a loop asks for its thread's number, from 0, for the number of threads in its team, and to wait for them all."""

CALLS = {THREAD: "omp_get_thread_num", THREADS: "omp_get_num_threads", WAIT: "GOMP_barrier"}
"""These in the OpenMP library."""


class Loop:
    """A compiled loop over arrays: a call runs it.

    The arrays must stay where they are. Their addresses are taken once, because that takes longer than a short loop.

    Args:
        kernel: reads a table of pointers: to `numbers`, then to each of the arrays.
        numbers: sizes, and what else the loop should know; the owner may change them between calls.
        arrays: in place of the first, a call may give another one of the same shape and type.
        threads: the size of the team.
    """

    def __init__(self, kernel: Kernel, numbers: npt.NDArray[np.int64], *arrays: Array, threads: int) -> None:
        self._kept = [numbers, *arrays]
        self._table = np.array([address_of(each) for each in self._kept], np.uintp)
        run, table = _team(), self._table.ctypes.data
        self._run = functools.partial(run, kernel, table, threads, 0)

    def __call__(self, first: Tensor | None = None) -> None:
        """Run it; with another contiguous array in place of the first."""
        if first is not None:
            self._table[1] = first.data_ptr()
        self._run()


def address_of(array: Array) -> int:
    """Where the numbers of a contiguous array begin."""
    if isinstance(array, Tensor):
        assert array.is_contiguous()
        return array.data_ptr()
    assert array.flags.c_contiguous
    return array.ctypes.data


def threads_for(units: int) -> int:
    """The size of a team that shares a layer: PyTorch's threads, and no more than can have a line of the cache each."""
    return max(1, min(units // LINE, torch.get_num_threads()))


Team = Callable[[int, int, int, int], None]
"""(code, its argument, threads, 0): runs the code in a team of that many threads."""


@functools.cache
def _team() -> Team:
    """How to run a loop."""
    library = _openmp()
    if library is None:
        return _alone
    run = library.GOMP_parallel
    run.argtypes, run.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
    return run


_Code = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _alone(kernel: int, table: int, threads: int, flags: int) -> None:
    _Code(kernel)(table)


@functools.cache
def _openmp() -> ctypes.CDLL | None:
    """The OpenMP library of this process, if it knows the calls of GNU's."""
    beside = (Path(torch.__file__).parent / "lib").glob("lib*omp*")
    for name in (*map(str, beside), "libgomp.so.1", "libiomp5.so", "libomp.dylib"):
        try:
            library = ctypes.CDLL(name, mode=os.RTLD_NOLOAD) if sys.platform != "win32" else None
            if library and all(hasattr(library, call) for call in ("GOMP_parallel", *CALLS.values())):
                return library
        except OSError:
            continue
    return None


@functools.cache
def calls_of_a_team() -> dict[str, int]:
    """The addresses of the functions that a loop may call."""
    library = _openmp()
    calls = _ALONE if library is None else {name: getattr(library, call) for name, call in CALLS.items()}
    return {name: ctypes.cast(call, ctypes.c_void_p).value or 0 for name, call in calls.items()}


_ALONE = {
    THREAD: ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0),
    THREADS: ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1),
    WAIT: ctypes.CFUNCTYPE(None)(lambda: None),
}
"""A team of one thread."""
