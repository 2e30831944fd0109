"""A layer of LSTM over all steps of a sequence, forward and back, where the recurrence itself is all that takes time.

PyTorch's fused kernel computes the gradient of every weight at every step. Here the way back keeps the gates'
gradients of all steps, and the weights' gradient is one large product at the end (Appleyard et al. 2016). What is
left to each step is one product with the recurrent weights, and a few point-wise operations in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlstm.model.products import product_with

CACHED = 1 << 17
"""Numbers in a tensor of one gate, so that what is computed for a stretch of steps at a time stays in the cache."""

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # grad · s · (1 - s)
tanh_backward = torch.ops.aten.tanh_backward.grad_input  # grad · (1 - t²)


def scan(projected: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The equations of `LSTM` for every step.

    Args:
        projected: what the input gives to the four gates, W x + b, [T, B, 4H]; its dtype is that of the products.
        weight_hh: R, [4H, H].
        h, c: the state before, [B, H].

    Returns:
        every h, [T, B, H] in the products' dtype, and the last h and c, [B, H] in the state's dtype.
    """
    with torch.autocast(projected.device.type, enabled=False):
        y, c = _Scan.apply(projected, weight_hh.to(projected.dtype), h.to(projected.dtype), c)  # type: ignore[no-untyped-call]
    return y, y[-1].to(h.dtype), c


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        T, B, H = len(projected), *h.shape
        product = product_with(weight_hh, B)
        gates = c.new_empty(T, B, 4, H)  # i, f, g, o, after their nonlinearities
        y, cs, tanh_c = h.new_empty(T + 1, B, H), c.new_empty(T + 1, B, H), c.new_empty(T, B, H)
        y[0], cs[0] = h, c
        minus_one = c.new_tensor(-1.0)

        steps = zip(projected, gates.view(T, B, 4 * H), *gates.unbind(2), tanh_c, cs, cs[1:], y, y[1:], strict=False)
        for x, all_gates, i, f, g, o, q, c, c_next, h, h_next in steps:
            # tanh(x) = 2 σ(2x) - 1: PyTorch's σ takes a sixth of the time of its tanh, and all four gates share it.
            all_gates.copy_(product(h, x))
            g.add_(g)
            all_gates.sigmoid_()
            torch.add(minus_one, g, alpha=2, out=g)
            torch.mul(f, c, out=c_next).addcmul_(i, g)
            torch.add(c_next, c_next, out=q).sigmoid_()
            torch.add(minus_one, q, alpha=2, out=q)
            torch.mul(o, q, out=h_next)

        ctx.save_for_backward(weight_hh, gates, y, cs, tanh_c)
        return y[1:], cs[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, dc_last: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        weight_hh, gates, y, cs, tanh_c = ctx.saved_tensors
        T, B, _, H = gates.shape
        product = product_with(weight_hh.T, B)
        d_gates = dy.new_empty(T, B, 4, H)
        stretch = max(1, CACHED // (B * H))
        slopes, slope_c = gates.new_empty(stretch, B, 4, H), gates.new_empty(stretch, B, H)
        slopes_ifg, slope_o = slopes[:, :, :3], slopes[:, :, 3]
        dc, dh = dc_last.clone(), dy[-1]
        dc_of_gates = dc.unsqueeze(1)

        for begin in reversed(range(0, T, stretch)):
            span = slice(begin, min(begin + stretch, T))
            n = span.stop - begin
            i, f, g, o = gates[span].unbind(2)
            # How each gate's input moves c and, for o, h: all of it is known before the way back.
            sigmoid_backward(g, i, grad_input=slopes[:n, :, 0])
            sigmoid_backward(cs[span], f, grad_input=slopes[:n, :, 1])
            tanh_backward(i, g, grad_input=slopes[:n, :, 2])
            sigmoid_backward(tanh_c[span], o, grad_input=slopes[:n, :, 3])
            tanh_backward(o, tanh_c[span], grad_input=slope_c[:n])
            for t in reversed(range(begin, span.stop)):
                k = t - begin
                if t < T - 1:
                    dh = product(d_gates[t + 1].view(B, 4 * H), dy[t])
                dh_full = dh.to(dc.dtype)
                dc.addcmul_(dh_full, slope_c[k])
                slopes_ifg[k].mul_(dc_of_gates)
                slope_o[k].mul_(dh_full)
                d_gates[t] = slopes[k]
                dc.mul_(f[k])

        d_gates = d_gates.view(T, B, 4 * H)
        d_weight = d_gates.flatten(0, 1).T @ y[:-1].flatten(0, 1)
        d_h = product(d_gates[0], torch.zeros_like(dh)) if ctx.needs_input_grad[2] else None
        return d_gates, d_weight, d_h, dc
