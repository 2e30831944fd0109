"""All steps of an LSTM layer, forward and backward, for training on a processor.

PyTorch's fused kernel computes the gradient of every weight at every step. Here the backward pass keeps the gradients
of the gates' sums of all steps, and the weights' gradient is one large product at the end (Appleyard et al. 2016). What
is left to each step is one product with the recurrent weights, and a few point-wise operations in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlstm.model.products import product_with

CACHED = 1 << 17
"""Numbers of one gate in a stretch of steps. What the backward pass computes for a whole stretch stays in the cache."""

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
"""grad · s · (1 - s), for s = σ(x)."""

tanh_backward = torch.ops.aten.tanh_backward.grad_input
"""grad · (1 - t²), for t = tanh(x)."""


def scan(wx: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The equations of `LSTM` for every step.

    Args:
        wx: the projected input, W x + b for the four gates, [T, B, 4H]; its dtype is that of the products.
        weight_hh: R, [4H, H].
        h, c: the state before, [B, H].

    Returns:
        h and c of every step, [T, B, H]: h in the products' dtype, c in the state's.
    """
    with torch.autocast(wx.device.type, enabled=False):
        hs, cs = _Scan.apply(wx, weight_hh.to(wx.dtype), h.to(wx.dtype), c)  # type: ignore[no-untyped-call]
    return hs, cs


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, wx: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        T, B, H = len(wx), *h.shape
        product = product_with(weight_hh, B)
        gates = c.new_empty(T, B, 4, H)  # i, f, g, o, after their nonlinearities
        # hs[t] and cs[t] are the state before step t, hs[t + 1] and cs[t + 1] the state after it.
        hs, cs, tanh_c = h.new_empty(T + 1, B, H), c.new_empty(T + 1, B, H), c.new_empty(T, B, H)
        hs[0], cs[0] = h, c
        minus_one = c.new_tensor(-1.0)

        steps = zip(wx, gates.view(T, B, 4 * H), *gates.unbind(2), tanh_c, cs, cs[1:], hs, hs[1:], strict=False)
        for x, ifgo, i, f, g, o, q, c, c_next, h, h_next in steps:
            # tanh(x) = 2 σ(2x) - 1: PyTorch's σ takes a sixth of the time of its tanh, and all four gates share it.
            ifgo.copy_(product(h, x))
            g.add_(g)
            ifgo.sigmoid_()
            torch.add(minus_one, g, alpha=2, out=g)
            torch.mul(f, c, out=c_next).addcmul_(i, g)
            torch.add(c_next, c_next, out=q).sigmoid_()
            torch.add(minus_one, q, alpha=2, out=q)
            torch.mul(o, q, out=h_next)

        ctx.save_for_backward(weight_hh, gates, hs, cs, tanh_c)
        ctx.set_materialize_grads(False)
        return hs[1:], cs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hs: Tensor | None, d_cs: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        weight_hh, gates, hs, cs, tanh_c = ctx.saved_tensors
        T, B, _, H = gates.shape
        d_hs = hs.new_zeros(T, B, H) if d_hs is None else d_hs
        product = product_with(weight_hh.T, B)
        d_sums = d_hs.new_empty(T, B, 4, H)  # of what stands inside the gates' σ and tanh
        stretch = max(1, CACHED // (B * H))
        slopes, slope_c = gates.new_empty(stretch, B, 4, H), gates.new_empty(stretch, B, H)
        slopes_ifg, slope_o = slopes[:, :, :3], slopes[:, :, 3]
        dc, dh = cs.new_zeros(B, H), d_hs[-1]
        dc_for_ifg = dc.unsqueeze(1)  # a view: it always holds what dc holds

        for begin in reversed(range(0, T, stretch)):
            span = slice(begin, min(begin + stretch, T))
            n = span.stop - begin
            i, f, g, o = gates[span].unbind(2)
            # How the sum of each gate moves c and, for o, h. All of it is known before the loop goes backward:
            #   dc/di = g i (1 - i)   dc/df = c₋ f (1 - f)   dc/dg = i (1 - g²)   dh/do = tanh(c) o (1 - o)
            sigmoid_backward(g, i, grad_input=slopes[:n, :, 0])
            sigmoid_backward(cs[span], f, grad_input=slopes[:n, :, 1])
            tanh_backward(i, g, grad_input=slopes[:n, :, 2])
            sigmoid_backward(tanh_c[span], o, grad_input=slopes[:n, :, 3])
            tanh_backward(o, tanh_c[span], grad_input=slope_c[:n])  # dh/dc = o (1 - tanh(c)²)
            for t in reversed(range(begin, span.stop)):
                k = t - begin
                if t < T - 1:
                    dh = product(d_sums[t + 1].view(B, 4 * H), d_hs[t])
                if d_cs is not None:
                    dc.add_(d_cs[t])
                dh_full = dh.to(dc.dtype)
                dc.addcmul_(dh_full, slope_c[k])
                slopes_ifg[k].mul_(dc_for_ifg)
                slope_o[k].mul_(dh_full)
                d_sums[t] = slopes[k]
                dc.mul_(f[k])

        d_sums = d_sums.view(T, B, 4 * H)
        d_weight = d_sums.flatten(0, 1).T @ hs[:-1].flatten(0, 1)
        d_h = product(d_sums[0], torch.zeros_like(dh)) if ctx.needs_input_grad[2] else None
        return d_sums, d_weight, d_h, dc
