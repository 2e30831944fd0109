"""Layers of cells over time; dropout between them; their state. Knows nothing of characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from charlstm.model.cell import Cell
from charlstm.model.cells import CELLS
from charlstm.model.dropout import Dropout


class State(NamedTuple):
    """What stacks remember of all that they have read: two tensors [layers, batch, hidden_size] in float32.

    It is handed in and handed out, never kept: whoever reads a text holds that text's state.
    """

    h: Tensor
    c: Tensor

    @classmethod
    def zeros(cls, layers: int, batch_size: int, hidden_size: int, device: torch.device | None = None) -> State:
        """Nothing read yet."""
        return cls(*(torch.zeros(layers, batch_size, hidden_size, device=device) for _ in cls._fields))

    def detach(self) -> State:
        """The same state, with the history of how it came about cut off."""
        return State(self.h.detach(), self.c.detach())

    def forget(self, which: Tensor) -> State:
        """The same state with zeros, as if nothing were read, in the places of the batch that `which` [batch] says."""
        return State(*(tensor.masked_fill(which[:, None], 0.0) for tensor in self))

    def repeated(self, times: int) -> State:
        """The state of a batch of so many texts which begin alike, from that of one."""
        return State(self.h.repeat(1, times, 1), self.c.repeat(1, times, 1))

    def parted(self, parts: int) -> list[State]:
        """The states of so many stacks that were joined."""
        return [State(h, c) for h, c in zip(self.h.chunk(parts), self.c.chunk(parts), strict=True)]

    @classmethod
    def joined(cls, states: Sequence[State]) -> State:
        """The states of several stacks of equal shape in one, the layers of one after those of the other."""
        return states[0] if len(states) == 1 else cls(*(torch.cat(tensors) for tensors in zip(*states, strict=True)))


class Stack(nn.Module):
    """`num_layers` recurrent layers, each reading the outputs of the one below."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        recurrent_dropout: float = 0.0,
        cell: str = "lstm",
    ) -> None:
        super().__init__()
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.hidden_size = hidden_size
        self.layers = nn.ModuleList(
            kind(size, hidden_size, recurrent_dropout)
            for kind, size in zip(kinds_of(cell, num_layers), sizes, strict=True)
        )
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, state: State, ids: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """x [B, T, input_size], state → y [B, T, hidden_size], state after the last step.

        With `ids` [B, T], x is a table of inputs, [rows, input_size], of which each step reads the row that it names.
        Dropout's random numbers come from `generator`, or else from PyTorch's own.
        """
        h, c = [], []
        for number, layer in enumerate(self.layers):
            if number:
                x = self._dropped(x, generator)
            x, (last_h, last_c) = layer(x, (state.h[number], state.c[number]), None if number else ids, generator)
            # Autocast works in lower precision; what is carried to the next sequence is kept in full.
            h.append(last_h.float())
            c.append(last_c.float())
        return x[..., : self.hidden_size], State(torch.stack(h), torch.stack(c))

    def _dropped(self, shown: Tensor, generator: torch.Generator | None) -> Tensor:
        """What a layer shows, with dropout of h, and not of a memory that stands after it."""
        h, memory = shown[..., : self.hidden_size], shown[..., self.hidden_size :]
        h = self.dropout(h, generator)
        return torch.cat([h, memory], -1) if memory.shape[-1] else h


def kinds_of(cell: str, num_layers: int) -> list[type[Cell]]:
    """What each layer is, from the lowest up.

    Raises:
        ValueError: for a cell that isn't known, or no layers.
    """
    if cell not in CELLS or num_layers < 1:
        raise ValueError(f"there must be a layer at least, of {', '.join(CELLS)}: not {num_layers} of {cell!r}")
    kind = CELLS[cell]
    return [kind.lowest or kind] + [kind] * (num_layers - 1)
