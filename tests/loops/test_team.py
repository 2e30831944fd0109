from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
import torch

from charlstm import device
from charlstm.loops import compiling, team
from charlstm.loops.team import LINE, Loop, address_of, threads_for

pytest.importorskip("numba")

N = 1000


@pytest.fixture(scope="module")
def code(loops: object) -> bytes:
    """A loop that adds 1 to numbers and notes the thread that did it; when all are done, each one sums them all up."""
    from numba import carray

    from charlstm.loops.numbers import share, thread, wait

    def counted(p: Any) -> None:
        n = carray(p[0], 1, np.int64)[0]
        count, by, sums = carray(p[1], n, np.int64), carray(p[2], n, np.int64), carray(p[3], n, np.int64)
        begin, end = share(n)
        for i in range(begin, end):
            count[i] += 1
            by[i] = thread()
        wait()
        for i in range(begin, end):
            sums[i] = count.sum()

    return compiling._compiled(counted)


class Counted:
    """The arrays of that loop, and the loop."""

    def __init__(self, kernel: int, threads: int) -> None:
        self.count, self.by, self.sums = (np.zeros(N, np.int64) for _ in range(3))
        self.run = Loop(kernel, np.array([N]), self.count, self.by, self.sums, threads=threads)

    def check(self, times: int, threads: int) -> None:
        assert self.count.tolist() == [times] * N
        assert self.sums.tolist() == [times * N] * N
        assert set(self.by) == set(range(threads))
        assert (np.diff(self.by) >= 0).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_number_is_done_once_by_one_of_all_threads_which_wait_for_each_other(code: bytes, threads: int) -> None:
    counted = Counted(linked(code), threads)
    for times in range(1, 20):
        counted.run()
        counted.check(times, threads if team._openmp() else 1)


def linked(code: bytes) -> int:
    symbol, _, machine = code.partition(b"\n")
    return compiling._linked(symbol.decode(), machine)


@pytest.fixture
def without_openmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where no library is found: what a loop calls is ours."""
    caches = team._team, team.calls_of_a_team, compiling._target
    with monkeypatch.context() as patch:
        patch.setattr(team, "_openmp", lambda: None)
        for each in caches:
            each.cache_clear()
        yield
    for each in caches:
        each.cache_clear()
    compiling._target()


@pytest.mark.usefixtures("without_openmp")
def test_without_openmp_one_thread_does_it_all(code: bytes) -> None:
    counted = Counted(linked(code), threads=2)
    counted.run()
    counted.check(1, threads=1)


def test_two_python_threads_run_loops_at_once(code: bytes) -> None:
    kernel, times = linked(code), 100

    def run(_: int) -> Counted:
        counted = Counted(kernel, 2)
        for _ in range(times):
            counted.run()
        return counted

    with ThreadPoolExecutor(2) as pool:
        for counted in pool.map(run, range(4)):
            counted.check(times, 2 if team._openmp() else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_runs_them_on_one_thread(code: bytes) -> None:
    torch.set_num_threads(2)
    kernel = linked(code)
    Counted(kernel, threads_for(N)).run()
    with get_context("fork").Pool(1) as pool:
        pool.apply_async(run_in_child, (kernel,)).get(timeout=60)


def run_in_child(kernel: int) -> None:
    assert threads_for(N) == 1, device  # whose import sees to it
    counted = Counted(kernel, threads_for(N))
    counted.run()
    counted.check(1, 1)


def test_a_call_may_give_another_first_array(code: bytes) -> None:
    counted, other = Counted(linked(code), 1), torch.full((N,), 5)
    counted.run(other)
    assert other.eq(6).all()
    assert not counted.count.any()


def test_a_team_is_of_pytorchs_threads_and_each_has_a_line() -> None:
    torch.set_num_threads(3)
    assert [threads_for(n * LINE) for n in range(6)] == [1, 1, 2, 3, 3, 3]
    assert threads_for(2 * LINE - 1) == 1


@pytest.mark.parametrize("array", [np.zeros((3, 3))[:, :2], torch.zeros(3, 2).T])
def test_arrays_that_are_not_contiguous_are_refused(array: team.Array) -> None:
    with pytest.raises(AssertionError):
        address_of(array)
