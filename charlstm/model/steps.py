"""The loop over time: the steps of a cell, one after the other, with the gradients of its matrices gathered.

Left to itself, PyTorch computes the gradient of a recurrent matrix at every step, as a small product, and adds them up.
Here the backward pass keeps each step's input x and output gradient dy, and one large product at the end, dY^T X, is
the matrix's gradient (Appleyard et al. 2016):

    step             1          2          3            the backward pass goes from step 3 to step 1
    forward          y₁ = W x₁  y₂ = W x₂  y₃ = W x₃    and keeps (x₃, dy₃), (x₂, dy₂), (x₁, dy₁)
    at the end       dW = dy₁^T x₁ + dy₂^T x₂ + dy₃^T x₃ = [dy₃; dy₂; dy₁]^T [x₃; x₂; x₁]

PyTorch differentiates what a step does between its products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charlstm.model.products import Linear, Matrix, compute_dtype, plain, product_with


class CellState(NamedTuple):
    """What a cell goes on from at a step.

    Attributes:
        h: its output at the step before, [B, H].
        c: its memory at the step before, [B, H]. A cell without a memory leaves it as it is.
        below: the memory of the layer below at this step, [B, H], for a cell that `reads_below`.
    """

    h: Tensor
    c: Tensor
    below: Tensor | None = None


class Unrolled(NamedTuple):
    """What a sequence gave.

    Attributes:
        h: the output of each step, [T, B, H].
        c: the memory of each step, [T, B, H], where it was asked for.
        state: the state after the last step.
    """

    h: Tensor
    c: Tensor | None
    state: CellState


Step = Callable[[Tensor, CellState, Linear], CellState]
"""(a step's projected input, the state before, products with the matrices) → the state after."""


def steps(
    step: Step,
    matrices: Mapping[str, Matrix],
    parameters: Iterable[Tensor],
    wx: Tensor,
    state: CellState,
    below: Tensor | None = None,
    keep_c: bool = False,
) -> Unrolled:
    """All steps of a sequence.

    Args:
        matrices: what the step multiplies with, by name.
        parameters: the cell's; the step may read some directly. Those in `matrices` get their gradient there.
        wx, state, below, keep_c: as for `Cell.forward`.
    """
    if torch.compiler.is_exporting():  # which follows nothing but PyTorch's own operations
        return _in_order(step, wx, state, below, keep_c, plain(matrices))
    dtype = compute_dtype(wx)
    with torch.autocast(wx.device.type, enabled=False):
        linear = _Products(matrices, wx.shape[1], dtype)
        if torch.is_grad_enabled():
            inputs = wx, state.h, state.c, below, *linear.tensors, *parameters
            h, c, *last = _Steps.apply(step, linear, keep_c, *inputs)  # type: ignore[no-untyped-call]
            return Unrolled(h.to(dtype), c, CellState(*last))
        run = _in_order(step, wx, state, below, keep_c, linear)
        return run._replace(h=run.h.to(dtype))


def _in_order(step: Step, wx: Tensor, state: CellState, below: Tensor | None, keep_c: bool, linear: Linear) -> Unrolled:
    memories = [None] * len(wx) if below is None else below.unbind()
    hs, cs = [], []
    for x, memory in zip(wx.unbind(), memories, strict=True):
        state = step(x, CellState(state.h, state.c, memory), linear)
        hs.append(state.h)
        cs.append(state.c)
    return Unrolled(torch.stack(hs), torch.stack(cs) if keep_c else None, state)


class _Steps(torch.autograd.Function):
    """The loop over time, with a graph of its own inside. Its backward pass goes through that graph, then gathers."""

    @staticmethod
    def forward(ctx: Any, step: Step, linear: _Products, keep_c: bool, *inputs: Tensor | None) -> Any:
        own = inputs[4 + len(linear.tensors) :]  # the parameters
        given = [None if x is None else x.detach().requires_grad_(x.requires_grad) for x in inputs[:4]]
        wx, h, c, below = given
        with torch.enable_grad():
            run = _in_order(step, wx, CellState(h, c), below, keep_c, linear)  # type: ignore[arg-type]
        ctx.linear, ctx.inputs, ctx.inner = linear, [*given, *own], (run.h, run.c, run.state.h, run.state.c)
        ctx.set_materialize_grads(False)
        outputs = tuple(None if y is None else y.detach() for y in ctx.inner)
        pairs = zip(outputs, ctx.inner, strict=True)
        ctx.mark_non_differentiable(*(y for y, inner in pairs if y is not None and not inner.requires_grad))
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *d_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
        pairs = [(y, dy) for y, dy in zip(ctx.inner, d_outputs, strict=True) if dy is not None]
        wanted = [x is not None and x.requires_grad for x in ctx.inputs]
        found = torch.autograd.grad(
            [y for y, _ in pairs],
            # Only nodes on a way to a wanted input are run. The matrices are detached, so that a dummy, the anchor,
            # is an input of every product: each one is run, and keeps its (x, dy).
            [ctx.linear.anchor, *(x for x, is_wanted in zip(ctx.inputs, wanted, strict=True) if is_wanted)],
            [dy for _, dy in pairs],
            retain_graph=True,  # for as long as the outer graph lives
            allow_unused=True,
        )
        rest = iter(found[1:])
        gradients = [next(rest) if is_wanted else None for is_wanted in wanted]
        return None, None, None, *gradients[:4], *ctx.linear.gradients(), *gradients[4:]


class _Products:
    """A cell's products in a sequence, as of `Linear`. Their backward pass keeps x and dy of each."""

    def __init__(self, matrices: Mapping[str, Matrix], rows: int, dtype: torch.dtype) -> None:
        self.matrices = {name: _Matrix(*matrix, rows, dtype) for name, matrix in matrices.items()}
        self.anchor = torch.zeros((), requires_grad=True)

    def __call__(self, name: str, x: Tensor, added: Tensor | None = None) -> Tensor:
        y: Tensor = _Product.apply(x, added, self.anchor, self.matrices[name])  # type: ignore[no-untyped-call]
        return y

    @property
    def tensors(self) -> list[Tensor | None]:
        """Each matrix and its bias, if it has one."""
        return [tensor for matrix in self.matrices.values() for tensor in (matrix.own, matrix.bias)]

    def gradients(self) -> list[Tensor | None]:
        """The gradients of `tensors`, after a backward pass."""
        return [gradient for matrix in self.matrices.values() for gradient in matrix.gathered()]


class _Matrix:
    """A matrix and its bias for the time of a sequence, for x of `rows` rows; products are computed in `dtype`."""

    def __init__(self, weight: Tensor, bias: Tensor | None, rows: int, dtype: torch.dtype) -> None:
        self.own, self.bias, self.rows = weight, bias, rows
        self.weight = weight.detach().to(dtype)
        self.product = product_with(self.weight, rows)
        self.constant = self.weight.new_zeros(rows, len(weight))
        if bias is not None:
            self.constant += bias.detach()
        self.kept: list[tuple[Tensor, Tensor]] = []  # (x, dy) of each step

    @cached_property
    def back(self) -> Callable[[Tensor], Tensor]:
        """dy [rows, out] → dx = dy W [rows, in]."""
        product, zeros = product_with(self.weight.T, self.rows), self.weight.new_zeros(self.rows, self.weight.shape[1])
        return lambda dy: product(dy, zeros)

    def gathered(self) -> tuple[Tensor | None, Tensor | None]:
        """The gradients of the matrix and of the bias; what was kept is used up."""
        if not self.kept:
            return None, None
        xs, dys = (torch.cat(tensors) for tensors in zip(*self.kept, strict=True))
        self.kept.clear()
        d_weight = (dys.T @ xs).to(self.own.dtype) if self.own.requires_grad else None
        return d_weight, None if self.bias is None else dys.sum(0, dtype=self.bias.dtype)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, added: Tensor | None, anchor: Tensor, matrix: _Matrix) -> Tensor:
        cast = x.to(matrix.weight.dtype)
        ctx.save_for_backward(cast)
        ctx.matrix, ctx.dtypes = matrix, (x.dtype, None if added is None else added.dtype)
        if added is None:
            added = matrix.constant
        elif matrix.bias is not None:
            added = added + matrix.constant
        return matrix.product(cast, added.to(cast.dtype)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (x,), cast = ctx.saved_tensors, dy.to(ctx.matrix.weight.dtype)
        ctx.matrix.kept.append((x, cast))
        dx = ctx.matrix.back(cast).to(ctx.dtypes[0]) if ctx.needs_input_grad[0] else None
        return dx, cast.to(ctx.dtypes[1]) if ctx.needs_input_grad[1] else None, None, None
