"""Many products with one matrix, as a recurrence needs them: a few rows at a time, a step at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Product = Callable[[Tensor, Tensor], Tensor]
"""(x [rows, in], added [rows, out]) → x W^T + added [rows, out]."""


def product_with(weight: Tensor, rows: int) -> Product:
    """The product with `weight` [out, in], for x of so many rows, all of one dtype.

    On a processor the weight is laid out once as oneDNN's kernel reads it. That is what PyTorch does for models that
    it compiles for inference; it saves a third of the time of a small product, which would lay it out anew each time.
    """
    if weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16) and _can_lay_out():
        ahead = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), rows)
        multiply = torch.ops.mkldnn._linear_pointwise.binary
        return lambda x, added: multiply(x, added, ahead, None, "add")
    transposed = weight.T
    return lambda x, added: torch.addmm(added, x, transposed)


def _can_lay_out() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def rows_of(table: Tensor, ids: Tensor) -> Tensor:
    """The rows of a short table, [rows, n], that ids name: [*ids.shape, n]."""
    rows: Tensor = _Rows.apply(table, ids)  # type: ignore[no-untyped-call]
    return rows


class _Rows(torch.autograd.Function):
    """Its gradient is a product, which sums in float32 whatever the dtype is; PyTorch's own sums in bfloat16."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.rows = len(table)
        return F.embedding(ids, table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        which = F.one_hot(ids.flatten(), ctx.rows).to(d_rows.dtype)
        return which.T @ d_rows.flatten(0, -2), None
