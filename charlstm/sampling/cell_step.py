"""The model's step for one character of each of some texts, whatever its cells are, on a processor.

`FastStep` does the same for the LSTM alone, with fewer operations; see there for why weights are kept as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.model.cell import Cell, plainly
from charlstm.model.charlstm import CharLSTM, Member, mean_of
from charlstm.model.stack import State
from charlstm.sampling.fast_step import LARGEST_TABLE
from charlstm.sampling.few_rows import choose_precision, product_of


class CellStep:
    """`logits, state = step(ids, state)`, the model's own contract, for ids [B, 1].

    It keeps the weights that the model has when it is made.

    Args:
        model: on the CPU.
        batch_size: B.
        precision: of the weights, as `choose_precision` has it.
    """

    @torch.no_grad()
    def __init__(self, model: CharLSTM, batch_size: int = 1, precision: str = "auto") -> None:
        precision = choose_precision(precision, batch_size, bounded=False)
        self.members = [_Member(cast(Member, member), batch_size, precision) for member in model.members]

    @torch.no_grad()
    def __call__(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, 1], state → logits [B, 1, V], state."""
        each = [
            member(ids[:, 0], part) for member, part in zip(self.members, state.parted(len(self.members)), strict=True)
        ]
        logits = mean_of([logits for logits, _ in each])
        return logits.unsqueeze(1), State.joined([after for _, after in each])


class _Member:
    """The step of a member of a model."""

    def __init__(self, member: Member, batch_size: int, precision: str) -> None:
        self.size = member.head.weight.shape[1]
        self.cells = cast(list[Cell], list(copy.deepcopy(member.stack.layers)))
        weights = ({"weight_ih": cell.weight_ih, **cell.matrices(cell.weight_hh)} for cell in self.cells)
        self.times = [_Times(each, batch_size, precision) for each in weights]
        self.head = _Times({"head": member.head.weight.detach().clone()}, batch_size, precision)
        self.bias = member.head.bias.detach().clone()
        self.read = self._reader(member.embedding.weight.detach().clone())

    def _reader(self, embedding: Tensor) -> Callable[[Tensor], Tensor]:
        """ids [B] → what they give to the first layer: a row of a table, if that isn't too large."""
        cell, times = self.cells[0], self.times[0]
        if len(embedding) * len(cell.weight_ih) > LARGEST_TABLE:
            return lambda ids: cell.project(F.embedding(ids, embedding), times)
        table = cell.project(embedding, plainly({"weight_ih": cell.weight_ih}))
        return lambda ids: F.embedding(ids, table)

    def __call__(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B], state → logits [B, V], state."""
        after = []
        x = self.read(ids)
        for number, (cell, times) in enumerate(zip(self.cells, self.times, strict=True)):
            if number:
                x = cell.project(x, times)
            after.append(cell.step(x, (state.h[number], state.c[number]), times))
            x = cell.show(after[-1])
        h, c = zip(*after, strict=True)
        return self.head("head", x[:, : self.size], self.bias), State(torch.stack(h), torch.stack(c))


class _Times:
    """Products with some matrices, in a precision."""

    def __init__(self, weights: Mapping[str, Tensor], rows: int, precision: str) -> None:
        self.weights, self.rows, self.precision = weights, rows, precision
        self.matrices: dict[str, tuple[Tensor, Tensor, Callable[[], None]]] = {}

    def __call__(self, name: str, x: Tensor, added: Tensor | None = None) -> Tensor:
        """x [rows, in], added [rows, out] or [out] → [rows, out]."""
        if name not in self.matrices:  # some are never asked for, where a table stands in their place
            weight = self.weights[name]
            into, y = torch.zeros(self.rows, weight.shape[1]), torch.zeros(self.rows, len(weight))
            self.matrices[name] = into, y, product_of(weight, into, y, self.precision, bounded=False)
        into, y, product = self.matrices[name]
        into.copy_(x)
        product()
        return y.clone() if added is None else y + added  # the next with this matrix is written into y
