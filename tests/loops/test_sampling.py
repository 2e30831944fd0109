from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from charlstm.loops.compiling import machine_code
from charlstm.loops.team import Loop, threads_for

pytest.importorskip("numba")

ROWS, ABOVE, UNIT = 4, 7, 1000
OF_Y = {"bfloat16": torch.bfloat16}
OF_X = {"int8": torch.int16, "uint8": torch.uint8, "bfloat16": torch.bfloat16, "float32": torch.float32}
UNITS = {"int8": (UNIT, 0), "uint8": (127, 128), "bfloat16": (0, 0), "float32": (0, 0)}


class Layer:
    """A step of a layer, from random numbers, and what was there before it.

    Args:
        goes_on: whether it goes on by a step, or multiplies the present h.
    """

    def __init__(self, precision: str, texts: int, size: int, *, goes_on: bool = True, threads: int = 1) -> None:
        torch.manual_seed(size)
        torch.set_num_threads(threads)
        R, K = 4 * size + ABOVE, size + 3
        self.y = torch.randn(texts, R).to(OF_Y.get(precision, torch.float32))
        self.x = torch.zeros(texts, K, dtype=OF_X[precision])
        self.ids, self.table = torch.randint(ROWS, (texts,)), torch.randn(ROWS, 4 * size)
        self.h, self.c = torch.randn(texts, size).tanh(), torch.randn(texts, size)
        self.weights = torch.randint(-127, 128, (R, K), dtype=torch.int8)
        self.scales, self.above, self.bias = torch.rand(R), torch.zeros(texts, ABOVE), torch.randn(ABOVE)
        self.before = {name: each.clone() for name, each in vars(self).items()}
        unit, zero = UNITS[precision]
        sizes = np.array([texts, size, R, K, ROWS, unit, zero, goes_on])
        work = torch.empty(threads_for(size), 5, size)
        arrays: list[Any] = [self.y, self.x, self.ids, self.table, self.h, self.c, work]
        if precision == "int8":
            arrays += [self.weights, self.scales, self.above, self.bias]
        Loop(machine_code("sampling", "layer", precision), sizes, *arrays, threads=threads_for(size))()

    def stepped(self) -> tuple[Tensor, Tensor]:
        """h and c after the step by the equations, in float64."""
        size = self.h.shape[1]
        sums = self.before["y"][:, : 4 * size].double() + self.table.double()[self.ids]
        i, f, g, o = sums.chunk(4, -1)
        c = f.sigmoid() * self.before["c"].double() + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


in_all_precisions = pytest.mark.parametrize("precision", OF_X)


@in_all_precisions
@pytest.mark.parametrize("texts", [1, 3])
@pytest.mark.parametrize("size", [1, 6, 16, 33, 100])
def test_it_is_the_equations(precision: str, texts: int, size: int) -> None:
    layer = Layer(precision, texts, size)
    h, c = layer.stepped()
    torch.testing.assert_close(layer.h.double(), h, atol=3e-6, rtol=3e-6)
    torch.testing.assert_close(layer.c.double(), c, atol=3e-6, rtol=3e-6)


@in_all_precisions
def test_without_a_step_the_state_stays(precision: str) -> None:
    layer = Layer(precision, 2, 33, goes_on=False)
    assert torch.equal(layer.h, layer.before["h"])
    assert torch.equal(layer.c, layer.before["c"])


@in_all_precisions
@pytest.mark.parametrize("goes_on", [True, False])
def test_the_new_h_is_what_is_multiplied(precision: str, goes_on: bool) -> None:
    layer, (unit, zero) = Layer(precision, 3, 33, goes_on=goes_on), UNITS[precision]
    expected = torch.floor(unit * layer.h.double() + zero + 0.5) if unit else layer.h
    assert torch.equal(layer.x[:, :33], expected.to(layer.x.dtype))
    assert not layer.x[:, 33:].any()
    if precision != "int8":
        assert torch.equal(layer.y, layer.before["y"])


@pytest.mark.parametrize(("texts", "size"), [(1, 1), (3, 33), (8, 100)])
def test_integers_are_multiplied_without_an_error(texts: int, size: int) -> None:
    layer = Layer("int8", texts, size)
    product = (layer.x.long() @ layer.weights.long().T).float() * layer.scales
    torch.testing.assert_close(layer.y[:, : 4 * size], product[:, : 4 * size], rtol=1e-6, atol=0)
    torch.testing.assert_close(layer.above, product[:, 4 * size :] + layer.bias, rtol=1e-6, atol=1e-5)
    assert torch.equal(layer.y[:, 4 * size :], layer.before["y"][:, 4 * size :])


@in_all_precisions
@pytest.mark.parametrize("size", [33, 100])
def test_the_number_of_threads_changes_no_bit(precision: str, size: int) -> None:
    alone, two = (Layer(precision, 3, size, threads=n) for n in (1, 2))
    for name in ("h", "c", "x", "y", "above"):
        assert torch.equal(getattr(alone, name), getattr(two, name))
