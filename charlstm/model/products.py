"""Products with one matrix, as a recurrence needs them: a few rows at a time, a step at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from charlstm.device import has_layout

Matrix = tuple[Tensor, Tensor | None]
"""W [out, in] and the bias b [out] that goes with it, if any."""


class Linear(Protocol):
    """Products with matrices that have names."""

    def __call__(self, name: str, x: Tensor, added: Tensor | None = None, /) -> Tensor:
        """x W^T + b + added: x [rows, in], added [rows, out] → [rows, out]."""


def plain(matrices: Mapping[str, Matrix]) -> Linear:
    """The products as PyTorch computes them."""

    def linear(name: str, x: Tensor, added: Tensor | None = None) -> Tensor:
        y = F.linear(x, *matrices[name])
        return y if added is None else y + added

    return linear


def compute_dtype(x: Tensor) -> torch.dtype:
    """The dtype of a product with x: autocast's where it is on, else that of x."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


class Product(Protocol):
    """The product with one matrix."""

    def __call__(self, x: Tensor, added: Tensor | None = None, /) -> Tensor:
        """x W^T + added: x [rows, in], added [rows, out] → [rows, out]."""


def product_with(weight: Tensor, rows: int) -> Product:
    """The product with `weight` [out, in], for x of this many rows, all of one dtype.

    On a processor, oneDNN's kernel reads weights in a layout of its own. Here they are brought into it once, as PyTorch
    does for models that it compiles for inference; to do it in each small product takes a third of its time.
    """
    if weight.device.type == "cpu" and has_layout(weight.dtype):
        ahead = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), rows)
        multiply = torch.ops.mkldnn._linear_pointwise.default
        multiply_add = torch.ops.mkldnn._linear_pointwise.binary

        def product(x: Tensor, added: Tensor | None = None) -> Tensor:
            if added is None:
                return multiply(x, ahead, None, "none", [], "")  # type: ignore[no-any-return]
            return multiply_add(x, added, ahead, None, "add")  # type: ignore[no-any-return]

        return product
    transposed = weight.T
    return lambda x, added=None: x @ transposed if added is None else torch.addmm(added, x, transposed)


def rows_of(table: Tensor, ids: Tensor) -> Tensor:
    """The rows of a short table, [rows, n], that ids name: [*ids.shape, n]."""
    rows: Tensor = _Rows.apply(table, ids)  # type: ignore[no-untyped-call]
    return rows


class _Rows(torch.autograd.Function):
    """Its gradient is a product, which adds up in float32; PyTorch's own gradient adds up in bfloat16."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.rows = len(table)
        return F.embedding(ids, table)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        return gathered(d_rows, ids, ctx.rows), None


def gathered(d_rows: Tensor, ids: Tensor, rows: int) -> Tensor:
    """The gradient of a short table, [rows, n], from those of the rows that ids name, [*ids.shape, n]."""
    one_hot = F.one_hot(ids.flatten(), rows).to(d_rows.dtype)
    return one_hot.T @ d_rows.flatten(0, -2)
