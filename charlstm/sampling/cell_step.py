"""The model's step for one character of each of some texts, whatever its cells are, on a processor.

`FastStep` does the same for the LSTM alone, with fewer operations: at 1 x 512 and batch size 1, sampling with it is 2.2
times as fast (`python scripts/bench.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM, Member, mean_of
from charlstm.model.products import Matrix
from charlstm.model.stack import State
from charlstm.model.steps import CellState
from charlstm.sampling.few_rows import choose_precision, product_of
from charlstm.sampling.folded import LARGEST_TABLE


class CellStep:
    """`logits, state = step(ids, state)`, the model's own contract, for ids [B, 1].

    It keeps the weights that the model has when it is made, and computes in float32 at most.

    Args:
        model: on the CPU.
        batch_size: B.
        precision: of the weights, as of `choose_precision`.
    """

    @torch.no_grad()
    def __init__(self, model: CharLSTM, batch_size: int = 1, precision: str = "auto") -> None:
        precision = choose_precision(precision, batch_size, bounded=False)
        self.members = [_Member(member, batch_size, precision) for member in model.each]

    @torch.no_grad()
    def __call__(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, 1], state → logits [B, 1, V], state."""
        states = State(state.h.float(), state.c.float()).split(len(self.members))
        each = [member(ids[:, 0], before) for member, before in zip(self.members, states, strict=True)]
        return mean_of([logits for logits, _ in each]).unsqueeze(1), State.joined([after for _, after in each])


class _Member:
    """The step of a member of a model."""

    def __init__(self, member: Member, batch_size: int, precision: str) -> None:
        self.cells = copy.deepcopy(member.stack).float().cells
        matrices = ({**cell.input_matrices(), **cell.matrices(cell.weight_hh)} for cell in self.cells)
        self.linears = [_Products(each, batch_size, precision) for each in matrices]
        head = {"head": (member.head.weight.float().clone(), member.head.bias.float().clone())}
        self.head = _Products(head, batch_size, precision)
        self.read = self._reader(member.embedding.weight.float().clone())

    def _reader(self, embedding: Tensor) -> Callable[[Tensor], Tensor]:
        """ids [B] → the lowest layer's projected input: a row of a table, if that isn't too large."""
        cell, linear = self.cells[0], self.linears[0]
        if len(embedding) * len(cell.weight_ih) > LARGEST_TABLE:
            return lambda ids: cell.project(F.embedding(ids, embedding), linear)
        table = cell.project(embedding)
        return lambda ids: F.embedding(ids, table)

    def __call__(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B], state → logits [B, V], state."""
        after: list[CellState] = []
        for number, (cell, linear) in enumerate(zip(self.cells, self.linears, strict=True)):
            wx = cell.project(after[-1].h, linear) if number else self.read(ids)
            before = CellState(state.h[number], state.c[number], after[-1].c if cell.reads_below else None)
            after.append(cell.step(wx, before, linear))
        h, c = torch.stack([each.h for each in after]), torch.stack([each.c for each in after])
        return self.head("head", h[-1]), State(h, c)


class _Products:
    """Products with some matrices, in a precision."""

    def __init__(self, matrices: Mapping[str, Matrix], rows: int, precision: str) -> None:
        self.matrices, self.rows, self.precision = matrices, rows, precision
        self.prepared: dict[str, tuple[Tensor, Tensor, Callable[[], None]]] = {}

    def __call__(self, name: str, x: Tensor, added: Tensor | None = None) -> Tensor:
        """x W^T + b + added, as of `Linear`."""
        weight, bias = self.matrices[name]
        if name not in self.prepared:  # some are never asked for, where a table stands in their place
            into, y = torch.zeros(self.rows, weight.shape[1]), torch.zeros(self.rows, len(weight))
            self.prepared[name] = into, y, product_of(weight, into, y, self.precision, bounded=False)
        into, y, product = self.prepared[name]
        into.copy_(x)
        product()
        # y is overwritten by the next product with this matrix, so a sum or a copy is returned.
        if bias is None:
            return y.clone() if added is None else y + added
        return y + bias if added is None else (y + bias).add_(added)
