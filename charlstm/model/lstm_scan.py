"""All steps of an LSTM layer, forward and backward, for training on a processor.

PyTorch's fused kernel computes the gradient of every weight at every step. Here the backward pass keeps the gradients
of the gates' sums of all steps, and the weights' gradient is one large product at the end (Appleyard et al. 2016). What
is left to each step is one product with the recurrent weights, and what stands between two products (`lstm_steps.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlstm.model.lstm_steps import forward_steps
from charlstm.model.products import product_with


def scan(wx: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor, ids: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The equations of `LSTM` for every step.

    Args:
        wx: the projected input, W x + b for the four gates, [T, B, 4H]; its dtype is that of the products.
        weight_hh: R, [4H, H].
        h, c: the state before, [B, H].
        ids: [T, B]; then wx is a table, [N, 4H], and these are the rows of it that are read.

    Returns:
        h and c of every step, [T, B, H]: h in the products' dtype, c in the state's.
    """
    with torch.autocast(wx.device.type, enabled=False):
        hs, cs = _Scan.apply(wx, weight_hh.to(wx.dtype), h.to(wx.dtype), c, ids)  # type: ignore[no-untyped-call]
    return hs, cs


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, wx: Tensor, weight_hh: Tensor, h: Tensor, c: Tensor, ids: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        product, steps = product_with(weight_hh, len(h)), forward_steps(wx, ids, h, c)
        for t, (before, x) in enumerate(zip(steps.hs, steps.added, strict=False)):
            steps.step(t, product(before, x))
        ctx.save_for_backward(weight_hh)
        ctx.steps = steps
        ctx.set_materialize_grads(False)
        return steps.hs[1:], steps.cs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hs: Tensor | None, d_cs: Tensor | None) -> tuple[Tensor | None, ...]:
        (weight_hh,), hs = ctx.saved_tensors, ctx.steps.hs
        d_hs = torch.zeros_like(hs[1:]) if d_hs is None else d_hs.contiguous()
        product, steps = product_with(weight_hh.T, hs.shape[1]), ctx.steps.backward()
        dh = d_hs[-1]
        for t in reversed(range(len(d_hs))):
            if t < len(d_hs) - 1:
                dh = product(steps.d_sums[t + 1], d_hs[t])
            if d_cs is not None:
                steps.dc.add_(d_cs[t])
            steps.step(t, dh)

        d_weight = steps.d_sums.flatten(0, 1).T @ hs[:-1].flatten(0, 1)
        d_h = product(steps.d_sums[0]) if ctx.needs_input_grad[2] else None
        return steps.d_input(), d_weight, d_h, steps.dc, None
