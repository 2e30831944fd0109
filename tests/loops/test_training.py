from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from charlstm.loops.compiling import machine_code
from charlstm.loops.team import Loop, threads_for

pytest.importorskip("numba")

STEPS, ROWS = 3, 5
HOW_CLOSE = {"float32": 3e-6, "bfloat16": 0.02}
"""The rounding of bfloat16 is by up to 1/256, and that of what is multiplied with it is added."""


class Sequence:
    """Both loops through some steps, whose products and gradients are given."""

    def __init__(self, dtype: str, texts: int, size: int, *, table: bool, threads: int = 1) -> None:
        torch.manual_seed(size)
        torch.set_num_threads(threads)
        T, B, H, of = STEPS, texts, size, getattr(torch, dtype)
        rows = ROWS if table else T * B
        self.x, self.products = torch.randn(rows, 4 * H).to(of), torch.randn(T, B, 4 * H).to(of)
        self.ids = torch.randint(ROWS, (T, B)) if table else torch.arange(T * B).view(T, B)
        self.cs, self.hs = torch.randn(T + 1, B, H), torch.zeros(T + 1, B, H, dtype=of)
        self.d_hs, self.d_cs = torch.randn(T, B, H).to(of), torch.randn(T, B, H)
        slopes, work = torch.empty(T, B, 6, H, dtype=of), torch.empty(threads_for(H), 5, H)
        sizes = np.array([0, T, B, H, rows])
        arrays = self.products[0], self.x, self.ids, slopes, self.cs, self.hs, work
        forward = Loop(machine_code("training", "forward", dtype), sizes, *arrays, threads=threads_for(H))
        for t in range(T):
            sizes[0] = t
            forward(self.products[t])

        self.dc, self.d_sums = torch.randn(B, H), torch.empty(T, B, 4 * H, dtype=of)
        self.dc_after, self.d_x = self.dc.clone(), torch.zeros(rows if table else 0, 4 * H)
        sizes[4] = len(self.d_x)
        given = self.d_hs[0], slopes, self.ids, self.dc, self.d_sums, self.d_x
        backward = Loop(machine_code("training", "backward", dtype), sizes, *given, threads=threads_for(H))
        for t in reversed(range(T)):
            sizes[0] = t
            self.dc += self.d_cs[t]
            backward(self.d_hs[t])

    def expected(self) -> dict[str, Tensor]:
        """The same by the equations and PyTorch's gradients, in float64."""
        sums = (self.products.double() + self.x.double()[self.ids]).requires_grad_()
        c = first = self.cs[0].double().requires_grad_()
        hs, loss = [], torch.zeros((), dtype=torch.float64)
        for t in range(STEPS):
            i, f, g, o = sums[t].chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            hs.append(o.sigmoid() * c.tanh())
            loss = loss + (self.d_hs[t] * hs[t]).sum() + (self.d_cs[t] * c).sum()
        loss = loss + (self.dc_after * c).sum()
        d_sums, dc = torch.autograd.grad(loss, [sums, first])
        d_x = torch.zeros(len(self.d_x), d_sums.shape[-1], dtype=torch.float64)
        if len(d_x):
            d_x.index_add_(0, self.ids.flatten(), d_sums.flatten(0, 1))
        return {"h": torch.stack(hs).detach(), "c": c.detach(), "d_sums": d_sums, "dc": dc, "d_x": d_x}

    def found(self) -> dict[str, Tensor]:
        return {"h": self.hs[1:], "c": self.cs[-1], "d_sums": self.d_sums, "dc": self.dc, "d_x": self.d_x}


@pytest.mark.parametrize("dtype", HOW_CLOSE)
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("texts", [1, 4])
@pytest.mark.parametrize("size", [1, 6, 16, 33, 100])
def test_they_are_the_equations_and_their_gradients(dtype: str, table: bool, texts: int, size: int) -> None:
    sequence = Sequence(dtype, texts, size, table=table)
    expected, close = sequence.expected(), HOW_CLOSE[dtype]
    for name, tensor in sequence.found().items():
        torch.testing.assert_close(tensor.double(), expected[name], atol=close, rtol=close, msg=f"{name} differs")


@pytest.mark.parametrize("dtype", HOW_CLOSE)
@pytest.mark.parametrize("size", [33, 100])
def test_the_number_of_threads_changes_no_bit(dtype: str, size: int) -> None:
    alone, others = (Sequence(dtype, 3, size, table=True, threads=n).found() for n in (1, 2))
    assert all(torch.equal(alone[name], others[name]) for name in alone)
