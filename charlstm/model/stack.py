"""Layers of cells over time; dropout between them; their state. Knows nothing of characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from charlstm.model.cell import Cell
from charlstm.model.cells import CELLS
from charlstm.model.dropout import Dropout
from charlstm.model.steps import CellState, Unrolled
from charlstm.model.unroll import unroll


class State(NamedTuple):
    """What stacks remember of all that they have read: h and c, [layers, batch, hidden_size] each.

    It is handed in and handed out, never kept: whoever reads a text holds that text's state. It has the dtype of the
    weights, whatever the dtype of the products is.
    """

    h: Tensor
    c: Tensor

    @classmethod
    def zeros(cls, layers: int, batch_size: int, hidden_size: int, like: Tensor | None = None) -> State:
        """The state before anything is read, of the device and the dtype of `like`."""
        like = torch.empty(0) if like is None else like
        return cls(*(like.new_zeros(layers, batch_size, hidden_size) for _ in cls._fields))

    def of_layer(self, number: int) -> CellState:
        """The state of one layer."""
        return CellState(self.h[number], self.c[number])

    def detach(self) -> State:
        """The same state, without the history of its computation."""
        return State(self.h.detach(), self.c.detach())

    def forget(self, which: Tensor) -> State:
        """The same state, with zeros for the texts that the mask `which`, [batch], names."""
        return State(*(tensor.masked_fill(which[:, None], 0.0) for tensor in self))

    def repeated(self, times: int) -> State:
        """The state of a batch of texts with the same beginning, from the state of one."""
        return State(self.h.repeat(1, times, 1), self.c.repeat(1, times, 1))

    def split(self, parts: int) -> list[State]:
        """The states of several stacks that were joined."""
        return [State(h, c) for h, c in zip(self.h.chunk(parts), self.c.chunk(parts), strict=True)]

    @classmethod
    def joined(cls, states: Sequence[State]) -> State:
        """The states of several stacks of equal shape in one: all layers of the first, all of the second, …"""
        return states[0] if len(states) == 1 else cls(*(torch.cat(tensors) for tensors in zip(*states, strict=True)))


class Stack(nn.Module):
    """`num_layers` recurrent layers, each reading the outputs of the one below.

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
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.hidden_size = hidden_size
        self.layers = nn.ModuleList(
            kind(size, hidden_size, recurrent_dropout)
            for kind, size in zip(kinds_of(cell, num_layers), sizes, strict=True)
        )
        self.dropout = Dropout(dropout)

    @property
    def cells(self) -> list[Cell]:
        """The layers, from the lowest up."""
        return cast(list[Cell], list(self.layers))

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read."""
        return State.zeros(len(self.layers), batch_size, self.hidden_size, like=self.cells[0].weight_hh)

    def forward(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """x [B, T, input_size], state → y [B, T, hidden_size], state after the last step.

        Args:
            lengths: how long each text is, [B], where they differ. Beyond a text's length x has no influence and y is
                zero; the state is the one after the text's own last step.
        """
        lowest = unroll(
            self.cells[0], x.transpose(0, 1), state.of_layer(0), lengths=lengths, keep_c=self._is_read_from(1)
        )
        return self._rest(lowest, state, lengths)

    def read(self, table: Tensor, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """As `forward`, where the lowest layer's projected inputs are the rows of a table that ids name, [B, T]."""
        return self._rest(self.cells[0].read(table, ids.T, state.of_layer(0), keep_c=self._is_read_from(1)), state)

    def _is_read_from(self, number: int) -> bool:
        """Whether there is a layer of this number that reads the memory of the one below it."""
        return number < len(self.layers) and self.cells[number].reads_below

    def _rest(self, lowest: Unrolled, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """The layers above the lowest."""
        done = [lowest]
        for number, cell in enumerate(self.cells[1:], 1):
            below = done[-1]
            done.append(
                unroll(
                    cell,
                    self.dropout(below.h.transpose(0, 1)).transpose(0, 1),
                    state.of_layer(number),
                    below=below.c if cell.reads_below else None,
                    lengths=lengths,
                    keep_c=self._is_read_from(number + 1),
                )
            )
        h, c = (torch.stack([getattr(each.state, name) for each in done]) for name in State._fields)
        # Products may be in lower precision; what is carried to the next sequence is in full.
        return done[-1].h.transpose(0, 1), State(h.to(state.h.dtype), c.to(state.c.dtype))


def kinds_of(cell: str, num_layers: int) -> list[type[Cell]]:
    """What each layer is, from the lowest up.

    Raises:
        ValueError: for a cell that isn't known, or no layers.
    """
    if cell not in CELLS or num_layers < 1:
        raise ValueError(f"there must be a layer at least, of {', '.join(CELLS)}: not {num_layers} of {cell!r}")
    kind = CELLS[cell]
    return [kind.lowest or kind] + [kind] * (num_layers - 1)
