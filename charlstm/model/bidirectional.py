"""Layers that read whole texts from both ends, for work other than writing: what a text says, or feels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from charlstm.model.cell import Cell
from charlstm.model.dropout import Dropout
from charlstm.model.stack import kinds_of
from charlstm.model.steps import CellState
from charlstm.model.unroll import unroll


class BidirectionalStack(nn.Module):
    """`num_layers` layers. Each has a cell that reads forward and one that reads backward; both read the layer below.

    Texts of different lengths stand side by side. They may be padded at their ends with anything.

    Args:
        cell: its name in `CELLS`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        cell: str = "lstm",
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        sizes = [input_size] + [2 * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(kind(size, hidden_size, recurrent_dropout) for _ in range(2))
            for kind, size in zip(kinds_of(cell, num_layers), sizes, strict=True)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, input_size], lengths [B] int64 → y [B, T, 2H], and the last outputs, [B, 2H].

        Those are the last h of each direction: after the last character forward, after the first one backward. Beyond
        a text's length y is zero.

        Raises:
            ValueError: for lengths outside of 1 to T, and other tensors than these.
        """
        B, T, _ = x.shape
        if not B or lengths.shape != (B,) or lengths.dtype != torch.int64:
            raise ValueError(f"lengths must be int64, one a text: not {lengths.dtype}, {lengths.numel()} for {B} texts")
        if lengths.min() < 1 or lengths.max() > T:
            raise ValueError(f"lengths must be from 1 to {T}, not from {int(lengths.min())} to {int(lengths.max())}")
        first = CellState(*(x.new_zeros(B, self.hidden_size) for _ in range(2)))
        memories: list[Tensor | None] = [None, None]
        y = x
        above = [cast(Sequence[Cell], pair)[0].reads_below for pair in [*self.layers][1:]] + [False]
        for number, (pair, is_read) in enumerate(zip(self.layers, above, strict=True)):
            x = (self.dropout(y) if number else y).transpose(0, 1)
            both = [
                unroll(cell, x, first, below=memory, lengths=lengths, reverse=reverse, keep_c=is_read)
                for cell, memory, reverse in zip(cast(Iterable[Cell], pair), memories, (False, True), strict=True)
            ]
            memories = [each.c for each in both]
            y = torch.cat([each.h for each in both], -1).transpose(0, 1)
        return y, torch.cat([each.state.h for each in both], -1)
