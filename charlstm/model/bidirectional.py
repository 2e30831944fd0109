"""Layers that read whole texts from both ends: for work other than writing, such as telling what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from charlstm.model.cell import Cell
from charlstm.model.dropout import Dropout
from charlstm.model.stack import kinds_of


class BidirectionalStack(nn.Module):
    """`num_layers` layers, each of a cell that reads forwards and one that reads backwards what both below showed.

    Texts of different lengths stand side by side, filled up at their ends with anything: no answer depends on it.

    Args:
        cell: its name in `CELLS`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int, dropout: float = 0.0, cell: str = "lstm"
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        sizes = [input_size] + [2 * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(kind(size, hidden_size) for _ in range(2))
            for kind, size in zip(kinds_of(cell, num_layers), sizes, strict=True)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, input_size], lengths [B] int64 → y [B, T, 2H], and what stands at the ends, [B, 2H].

        Those are the last h of each direction: forwards after the last character, backwards after the first. Beyond a
        text's length y is zero.

        Raises:
            ValueError: for lengths outside of 1 to T, and other tensors than these.
        """
        B, T, _ = x.shape
        if not B or lengths.shape != (B,) or lengths.dtype != torch.int64:
            raise ValueError(f"lengths must be int64, one a text: not {lengths.dtype}, {lengths.numel()} for {B} texts")
        if lengths.min() < 1 or lengths.max() > T:
            raise ValueError(f"lengths must be from 1 to {T}, not from {int(lengths.min())} to {int(lengths.max())}")
        places = torch.arange(T, device=x.device)
        is_text = (places < lengths[:, None]).unsqueeze(-1)
        backwards = torch.where(is_text[..., 0], lengths[:, None] - 1 - places, places).unsqueeze(-1)
        state = (x.new_zeros(B, self.hidden_size),) * 2
        x = torch.where(is_text, x, 0.0)

        memories: list[Tensor] = []
        for number, pair in enumerate(self.layers):
            ahead, back = cast(Iterable[Cell], pair)
            x = self.dropout(x) if number else x
            inputs = [torch.cat([x, memory], -1) for memory in memories] or [x, x]
            shown, _ = ahead(inputs[0], state)
            turned, _ = back(_in_order(inputs[1], backwards), state)
            both = shown, _in_order(turned, backwards)
            memories = [each[..., self.hidden_size :] for each in both]
            x = torch.cat([each[..., : self.hidden_size] for each in both], -1)
        x = torch.where(is_text, x, 0.0)
        at_end = x[torch.arange(B, device=x.device), lengths - 1, : self.hidden_size]
        return x, torch.cat([at_end, x[:, 0, self.hidden_size :]], -1)


def _in_order(x: Tensor, order: Tensor) -> Tensor:
    """x [B, T, n] with the places [B, T, 1] in another order."""
    return x.gather(1, order.expand(-1, -1, x.shape[-1]))
