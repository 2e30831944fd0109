"""Products with the matrices of a recurrent layer, step after step, whose gradients are gathered.

Left to itself, the gradient of a weight that every step uses is computed at every step, as a small product, and summed.
Here the way back keeps what entered and what came back at each step, and one large product at the end gives the
gradient (Appleyard et al. 2016). What a step does between its products is PyTorch's to differentiate.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlstm.model.products import Product, product_with


class Gathered:
    """`times(name, x)` is x W^T for the matrix of that name, and `times(name, x, added)` what is added to it, too.

    Args:
        weights: the matrices, [out, in].
        rows: of each x, [rows, in].
        dtype: of the products; what goes in and comes out has its own.
    """

    def __init__(self, weights: Mapping[str, Tensor], rows: int, dtype: torch.dtype) -> None:
        self._matrices = {name: _Matrix(weight, rows, dtype) for name, weight in weights.items()}

    def __call__(self, name: str, x: Tensor, added: Tensor | None = None) -> Tensor:
        """x [rows, in], added [rows, out] or, at every step the same, [out] → [rows, out] in the dtype of x."""
        matrix = self._matrices[name]
        bias = None if added is None or added.dim() == 2 else added
        gathered = matrix.gathered(bias)
        if added is None or bias is not None:
            added = gathered.bias
        y: Tensor = _Product.apply(x, added, gathered.token, gathered.passed, matrix)  # type: ignore[no-untyped-call]
        return y


class _Matrix:
    """A matrix for the time of one sequence."""

    def __init__(self, weight: Tensor, rows: int, dtype: torch.dtype) -> None:
        self.own, self.weight = weight, weight.detach().to(dtype)
        self.rows, self.dtype = rows, dtype
        self.product = product_with(self.weight, rows)
        self._gathered: dict[int, _Passing] = {}

    def gathered(self, bias: Tensor | None) -> _Passing:
        """What passes the matrix together with a bias."""
        if id(bias) not in self._gathered:
            self._gathered[id(bias)] = _Passing(self, bias)
        return self._gathered[id(bias)]

    def back(self, dy: Tensor) -> Tensor:
        """dy [rows, out] → dy W [rows, in]."""
        multiply, nothing = self._transposed
        return multiply(dy, nothing)

    @cached_property
    def _transposed(self) -> tuple[Product, Tensor]:
        return product_with(self.weight.T, self.rows), self.weight.new_zeros(self.rows, self.weight.shape[1])


class _Passing:
    """A matrix with a bias, which each step adds to every row, or none; and what passed both on the way back."""

    def __init__(self, matrix: _Matrix, bias: Tensor | None) -> None:
        nothing = matrix.weight.new_zeros(matrix.rows, len(matrix.weight))
        self.own = bias  # so that no other has its id
        self.bias = nothing if bias is None else nothing + bias.detach().to(matrix.dtype)
        self.passed: list[tuple[int, Tensor, Tensor]] = []  # which way back it was, x, dy
        # Each step's product depends on the token, so that the way back comes there last, when all of them have passed.
        self.token: Tensor = _Gather.apply(matrix.own, bias, self.passed)  # type: ignore[no-untyped-call]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None, passed: list[tuple[int, Tensor, Tensor]]) -> Tensor:
        ctx.passed, ctx.dtype = passed, weight.dtype
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_token: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        now = torch._C._current_graph_task_id()  # an earlier way back may not have come here
        pairs = [pair for way, *pair in ctx.passed if way == now]
        ctx.passed.clear()
        xs, dys = (torch.cat(tensors) for tensors in zip(*pairs, strict=True))
        d_weight = (dys.T @ xs).to(ctx.dtype) if ctx.needs_input_grad[0] else None
        return d_weight, dys.sum(0, dtype=ctx.dtype) if ctx.needs_input_grad[1] else None, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, added: Tensor, token: Tensor, passed: list[tuple[int, Tensor, Tensor]], matrix: _Matrix
    ) -> Tensor:
        lower = x.to(matrix.dtype)
        ctx.save_for_backward(lower)
        ctx.passed, ctx.matrix, ctx.dtypes = passed, matrix, (x.dtype, added.dtype)
        return matrix.product(lower, added.to(matrix.dtype)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        (x,), matrix = ctx.saved_tensors, ctx.matrix
        lower = dy.to(matrix.dtype)
        if ctx.needs_input_grad[2]:
            ctx.passed.append((torch._C._current_graph_task_id(), x, lower))
        dx = matrix.back(lower).to(ctx.dtypes[0]) if ctx.needs_input_grad[0] else None
        d_added = lower.to(ctx.dtypes[1]) if ctx.needs_input_grad[1] else None
        return dx, d_added, None, None, None
