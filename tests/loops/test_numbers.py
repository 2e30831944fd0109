from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from charlstm.loops import compiling
from charlstm.loops.team import LINE, Loop

pytest.importorskip("numba")
from charlstm.loops import numbers

Array = npt.NDArray[np.float32]

EDGES = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, 7.9, -7.9, 88.8], np.float32)


@pytest.fixture(scope="module")
def kernel(loops: object) -> int:
    """A loop that applies the functions to numbers."""
    from numba import carray

    def applied(p: Any) -> None:
        n = carray(p[0], 1, np.int64)[0]
        x, zeros = carray(p[1], n, np.float32), carray(p[2], n, np.float32)
        numbers.tanh_row(carray(p[3], n, np.float32), x, zeros)
        numbers.sigmoid_row(carray(p[4], n, np.float32), x, zeros)
        narrowed = carray(p[5], n, np.uint16)
        numbers.copy_row(narrowed, x)
        numbers.add_row(carray(p[6], n, np.float32), narrowed)

    symbol, _, code = compiling._compiled(applied).partition(b"\n")
    return compiling._linked(symbol.decode(), code)


def applied(kernel: int, x: Array) -> tuple[Array, Array, npt.NDArray[np.uint16], Array]:
    """tanh(x), σ(x), x as bfloat16's bits, and these widened again."""
    zeros, tanh, sigmoid, widened = np.zeros((4, len(x)), np.float32)
    narrowed = np.zeros(len(x), np.uint16)
    Loop(kernel, np.array([len(x)]), x, zeros, tanh, sigmoid, narrowed, widened, threads=1)()
    return tanh, sigmoid, narrowed, widened


@pytest.mark.parametrize("n", [1, 7, 16, 33, 2_000_000])
def test_tanh_and_sigmoid(kernel: int, n: int) -> None:
    """Rows of some lengths: a few numbers are computed one at a time, and many in other instructions."""
    x = np.concatenate([np.linspace(-12, 12, n), 1e-3 * np.linspace(-1, 1, n)]).astype(np.float32)
    tanh, sigmoid, _, _ = applied(kernel, x)
    exact = np.tanh(x.astype(np.float64))
    assert np.abs(tanh - exact).max() <= 4e-7
    assert np.abs(sigmoid - (np.tanh(x / np.float64(2)) / 2 + 0.5)).max() <= 3e-7
    assert np.abs(tanh).max() <= 1
    assert sigmoid.min() >= 0
    assert sigmoid.max() <= 1
    small = np.abs(x) < 1e-3
    assert (np.abs(tanh - exact)[small] <= 3e-7 * np.abs(exact)[small]).all()


def test_their_edges(kernel: int) -> None:
    for x in (EDGES, np.tile(EDGES, 9)):
        tanh, sigmoid, _, _ = applied(kernel, x)
        with np.errstate(over="ignore"):
            exact, logistic = np.tanh(x.astype(np.float64)), 1 / (1 + np.exp(-x.astype(np.float64)))
        np.testing.assert_allclose(tanh, exact, atol=4e-7)
        np.testing.assert_allclose(sigmoid, logistic, atol=3e-7)
        assert np.nanmax(np.abs(tanh)) <= 1
        assert np.nanmin(sigmoid) >= 0
        assert np.nanmax(sigmoid) <= 1


def test_far_from_zero_there_is_no_slope(kernel: int) -> None:
    """Else a gradient through many steps would grow where there is none."""
    for n in (1, 100):
        tanh, sigmoid, _, _ = applied(
            kernel, np.concatenate([np.linspace(-1e4, -16, n), np.linspace(16, 1e4, n)], dtype=np.float32)
        )
        assert tanh.tolist() == [-1] * n + [1] * n
        assert sigmoid.tolist() == [0] * n + [1] * n


def test_a_bfloat16_is_the_nearest_and_of_two_the_even_one(kernel: int) -> None:
    high = np.arange(1 << 16, dtype=np.uint32) << 16
    lower = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, *np.random.default_rng(0).integers(0, 1 << 16, 10)]
    x = np.concatenate([high | np.uint32(low) for low in lower]).view(np.float32)
    _, _, bits, widened = applied(kernel, x)
    expected = torch.from_numpy(x).bfloat16()
    is_number = ~np.isnan(x)
    assert np.array_equal(bits[is_number], expected.view(torch.int16).numpy().view(np.uint16)[is_number])
    assert np.array_equal(widened[is_number], expected.float().numpy()[is_number])
    assert np.isnan(widened[~is_number]).all()
    assert widened[np.isinf(x)].tolist() == x[np.isinf(x)].tolist()


@pytest.mark.parametrize("team", range(1, 8))
def test_threads_share_numbers_by_whole_lines(team: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python: `test_team.py` has compiled ones."""
    monkeypatch.setattr(numbers, "threads", lambda: team)
    for n in range(201):
        parts = []
        for thread in range(team):
            monkeypatch.setattr(numbers, "thread", lambda thread=thread: thread)
            parts.append(tuple(map(int, numbers.share.py_func(n))))
        assert (parts[0][0], parts[-1][1]) == (0, n)
        assert all(end == begin for (_, end), (begin, _) in pairwise(parts))
        assert all(begin <= end and (begin % LINE == 0 or begin == n) for begin, end in parts)
        lines = [-(-(end - begin) // LINE) for begin, end in parts]
        assert max(lines) - min(lines) <= 1
