"""What an LSTM does between two products, forward and backward: by PyTorch's operations, or by a compiled loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.loops import SLOPES
from charlstm.loops.compiling import has_loops, machine_code
from charlstm.loops.team import Loop, threads_for
from charlstm.model.products import gathered

CACHED = 1 << 17
"""Numbers of one gate in a stretch of steps. What the backward pass computes for a whole stretch stays in the cache."""

LOOPS = FORWARD, BACKWARD = "forward", "backward"
"""The compiled loops, in `charlstm/loops/training.py`."""

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
"""grad · s · (1 - s), for s = σ(x)."""

tanh_backward = torch.ops.aten.tanh_backward.grad_input
"""grad · (1 - t²), for t = tanh(x)."""


class Backward(Protocol):
    """The way back through the steps, from the last to the first.

    Attributes:
        d_sums: the gradients of the gates' sums, [T, B, 4H], in the products' dtype.
        dc: that of the memory before the last step that was done, [B, H]. Gradients of the memory from elsewhere are
            added to it.
    """

    d_sums: Tensor
    dc: Tensor

    def step(self, t: int, dh: Tensor) -> None:
        """Step t, from the gradient of its h, [B, H]."""

    def d_input(self) -> Tensor:
        """The gradient of the projected input, or of the table that it was read from."""


class Forward(Protocol):
    """The way through the steps, and what is kept of them for the way back.

    Attributes:
        hs, cs: hs[t] and cs[t] are the state before step t, hs[t + 1] and cs[t + 1] the state after it, [T + 1, B, H].
        added: for each step what is to be added to the product with its h, [B, 4H]; None if that isn't needed.
    """

    hs: Tensor
    cs: Tensor
    added: Sequence[Tensor | None]

    def step(self, t: int, products: Tensor) -> None:
        """Step t, from the product of the h before with the recurrent weights, and what was added to it, [B, 4H]."""

    def backward(self) -> Backward:
        """A way back. There may be several."""


def forward_steps(wx: Tensor, ids: Tensor | None, h: Tensor, c: Tensor) -> Forward:
    """The steps of a sequence.

    Args:
        wx, ids: as of `scan`.
        h, c: the state before, [B, H]: h in the products' dtype, c in the state's.
    """
    compiles = has_loops() and h.device.type == "cpu" and c.dtype == torch.float32
    if compiles and h.dtype in (torch.float32, torch.bfloat16):
        return _CompiledForward(wx, ids, h, c)
    return _PlainForward(wx, ids, h, c)


class _PlainForward:
    """By PyTorch's operations; the gates, and tanh of the memory, are kept."""

    def __init__(self, wx: Tensor, ids: Tensor | None, h: Tensor, c: Tensor) -> None:
        self.ids, self.rows = ids, len(wx)
        x = wx if ids is None else F.embedding(ids, wx)
        self.added: Sequence[Tensor | None] = x.unbind()
        T, (B, H) = len(x), h.shape
        self.hs, self.cs = _after(T, h), _after(T, c)
        self.gates = c.new_empty(T, B, 4, H)  # i, f, g, o, after their nonlinearities
        self.tanh_c = torch.empty_like(self.cs[1:])
        self.minus_one = c.new_tensor(-1.0)

    def step(self, t: int, products: Tensor) -> None:
        ifgo, q, minus_one = self.gates[t], self.tanh_c[t], self.minus_one
        i, f, g, o = ifgo.unbind(1)
        # tanh(x) = 2 σ(2x) - 1: PyTorch's σ takes a sixth of the time of its tanh, and all four gates share it.
        ifgo.copy_(products.view_as(ifgo))
        g.add_(g)
        ifgo.sigmoid_()
        torch.add(minus_one, g, alpha=2, out=g)
        c = torch.mul(f, self.cs[t], out=self.cs[t + 1]).addcmul_(i, g)
        torch.add(c, c, out=q).sigmoid_()
        torch.add(minus_one, q, alpha=2, out=q)
        torch.mul(o, q, out=self.hs[t + 1])

    def backward(self) -> Backward:
        return _PlainBackward(self)


class _PlainBackward:
    """By PyTorch's operations, of which as many as possible are done for a stretch of steps at a time."""

    def __init__(self, forward: _PlainForward) -> None:
        self.forward = forward
        T, B, _, H = forward.gates.shape
        self.d_sums = forward.hs.new_empty(T, B, 4 * H)
        self.dc = torch.zeros_like(forward.cs[0])
        self.stretch = max(1, min(T, CACHED // (B * H)))
        self.begin = T
        self.slopes = forward.gates.new_empty(self.stretch, B, 4, H)
        self.slope_c = torch.empty_like(forward.tanh_c[: self.stretch])

    def step(self, t: int, dh: Tensor) -> None:
        if t < self.begin:
            self._prepare(t + 1)
        k, dc, dh = t - self.begin, self.dc, dh.to(self.dc.dtype)
        dc.addcmul_(dh, self.slope_c[k])
        self.slopes[k, :, :3].mul_(dc.unsqueeze(1))
        self.slopes[k, :, 3].mul_(dh)
        self.d_sums[t] = self.slopes[k].flatten(1)
        dc.mul_(self.forward.gates[t, :, 1])

    def d_input(self) -> Tensor:
        ids = self.forward.ids
        return self.d_sums if ids is None else gathered(self.d_sums, ids, self.forward.rows)

    def _prepare(self, end: int) -> None:
        """How the sum of each gate moves c and, for o, h, for the steps of a stretch. It is known ahead.

            dc/di = g i (1 - i)   dc/df = c₋ f (1 - f)   dc/dg = i (1 - g²)   dh/do = tanh(c) o (1 - o)

        And dh/dc = o (1 - tanh(c)²).
        """
        self.begin = max(0, end - self.stretch)
        span, n = slice(self.begin, end), end - self.begin
        slopes, tanh_c = self.slopes[:n].unbind(2), self.forward.tanh_c[span]
        i, f, g, o = self.forward.gates[span].unbind(2)
        sigmoid_backward(g, i, grad_input=slopes[0])
        sigmoid_backward(self.forward.cs[span], f, grad_input=slopes[1])
        tanh_backward(i, g, grad_input=slopes[2])
        sigmoid_backward(tanh_c, o, grad_input=slopes[3])
        tanh_backward(o, tanh_c, grad_input=self.slope_c[:n])


class _CompiledForward:
    """By a compiled loop, which also adds the input, and keeps derivatives (`loops/training.py`)."""

    def __init__(self, wx: Tensor, ids: Tensor | None, h: Tensor, c: Tensor) -> None:
        B, H = h.shape
        self.reads_table = ids is not None
        x = wx.flatten(0, -2).contiguous()  # [N, 4H]: without a table, each row is read once
        self.ids = torch.arange(len(x)).view(-1, B) if ids is None else ids.long().contiguous()
        if ids is not None and not 0 <= self.ids.min() <= self.ids.max() < len(x):  # a loop would read other memory
            raise IndexError("index out of range")
        T = len(self.ids)
        self.added: Sequence[Tensor | None] = [None] * T
        self.hs, self.cs = _after(T, h), _after(T, c)
        self.slopes = h.new_empty(T, B, SLOPES, H)
        self.sizes = np.array([0, T, B, H, len(x)], np.int64)
        loop = machine_code("training", FORWARD, _name_of(h.dtype))
        work = c.new_empty(threads_for(H), 5, H)
        arrays = x, self.ids, self.slopes, self.cs, self.hs, work
        self._loop = Loop(loop, self.sizes, self.hs[0], *arrays, threads=threads_for(H))

    def step(self, t: int, products: Tensor) -> None:
        self.sizes[0] = t
        self._loop(products)

    def backward(self) -> Backward:
        return _CompiledBackward(self)


class _CompiledBackward:
    """By a compiled loop, which also gathers the gradients of a table's rows."""

    def __init__(self, forward: _CompiledForward) -> None:
        _, T, B, H, N = forward.sizes.tolist()
        self.dtype = forward.hs.dtype
        self.d_sums = forward.hs.new_empty(T, B, 4 * H)
        self.dc = torch.zeros_like(forward.cs[0])
        self.d_x = self.dc.new_zeros(N if forward.reads_table else 0, 4 * H)
        self.sizes = np.array([0, T, B, H, len(self.d_x)], np.int64)
        loop, arrays = machine_code("training", BACKWARD, _name_of(self.dtype)), (forward.slopes, forward.ids)
        self._loop = Loop(
            loop, self.sizes, forward.hs[0], *arrays, self.dc, self.d_sums, self.d_x, threads=threads_for(H)
        )

    def step(self, t: int, dh: Tensor) -> None:
        self.sizes[0] = t
        self._loop(dh)

    def d_input(self) -> Tensor:
        return self.d_x.to(self.dtype) if len(self.d_x) else self.d_sums


def _after(T: int, before: Tensor) -> Tensor:
    """Room for what a step leaves, T times, after what was there before."""
    room = before.new_empty(T + 1, *before.shape)
    room[0] = before
    return room


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
