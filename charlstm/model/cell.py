"""What all recurrent cells share: weights, how a step becomes a sequence, dropout of the recurrence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.dropout import dropout_mask
from charlstm.model.gathered import Gathered
from charlstm.model.products import rows_of

CellState = tuple[Tensor, Tensor]
"""h, what a cell shows, and c, what it keeps to itself, each [B, H]. A cell without such a thing leaves c as it is."""

FOLDS = 4
"""A table of inputs is projected whole where it is so many times shorter than what is read from it."""


_draws = ContextVar("draws", default=True)


@contextmanager
def undrawn() -> Iterator[None]:
    """Leave the two large matrices of new cells as they are, where others follow at once.

    To draw them takes half a second at 1,024 units.
    """
    before = _draws.set(False)
    try:
        yield
    finally:
        _draws.reset(before)


class Times(Protocol):
    """Products with the matrices of a cell."""

    def __call__(self, name: str, x: Tensor, added: Tensor | None = None, /) -> Tensor:
        """x W^T for the matrix of that name, and what is added to every row, or to each its own."""


class Cell(nn.Module):
    """One layer of recurrent units.

    A subclass says in `step` what happens at one moment. That is its definition, and all else follows from it: a
    sequence, its gradients, how one character is read when text is written.

    Args:
        recurrent_dropout: in training, the share of the units of h that count as zero, the same ones through all of a
            sequence and a batch, while the others count for more: Gal & Ghahramani 2016, with one mask for the batch.
            It keeps a layer that reads a text many times from learning it by heart, which dropout of its outputs alone
            does not.

    Attributes:
        weight_ih: [gates · H, input_size], bias: [gates · H], what the input gives to the gates, one after the other.
        weight_hh: [recurrent · H, H], what h gives to them.
    """

    gates: ClassVar[int]
    """How many times `hidden_size` numbers the input gives."""

    recurrent: ClassVar[int]
    """How many times `hidden_size` numbers h gives."""

    learning_rate: ClassVar[float] = 1.0
    """The one that suits it, in those of an LSTM of equal size: docs/CELLS.md has what was tried."""

    lowest: ClassVar[type[Cell] | None] = None
    """What stands in the lowest layer, where that is another."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.recurrent_dropout = input_size, hidden_size, recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(self.gates * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(self.recurrent * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(self.gates * hidden_size))
        if not _draws.get():
            return
        for weight in self.weight_ih.detach().chunk(self.gates):  # gate by gate
            nn.init.xavier_uniform_(weight)
        self.draw_recurrent(self.weight_hh.detach())

    @property
    def unused(self) -> int:
        """How many numbers of `weight_hh` have no part in anything."""
        return 0

    def draw_recurrent(self, weight_hh: Tensor) -> None:
        """First values for `weight_hh`: orthogonal, gate by gate."""
        for weight in weight_hh.chunk(self.recurrent):
            nn.init.orthogonal_(weight)

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """One moment: what the input gives, as of `project`, and the state before → the state after."""
        raise NotImplementedError

    def project(self, x: Tensor, times: Times) -> Tensor:
        """What the input gives by itself, at every moment at once: x [..., n] → [..., gates · H].

        n is `input_size`, or what `show` of the layer below has. A subclass may give `step` something else.
        """
        return times("weight_ih", x, self.bias)

    def matrices(self, weight_hh: Tensor) -> dict[str, Tensor]:
        """What `step` multiplies with, by name, where `weight_hh` may lack some units of h."""
        return {"weight_hh": weight_hh}

    def show(self, state: CellState) -> Tensor:
        """What the layer above reads, [B, n], h first."""
        return state[0]

    def forward(
        self, x: Tensor, state: CellState, ids: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, CellState]:
        """All steps of a sequence: x [B, T, n], as of `project` → y [B, T, m], as of `show`, and the state.

        With `ids` [B, T], x is a table of inputs, [rows, n], of which each step reads the row that it names.
        A table that is shorter than the sequence is projected once, instead of every step's row. Dropout's random
        numbers come from `generator`, or else from PyTorch's own.
        """
        projected = self.projected(x, ids)
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        with torch.autocast(device, enabled=False):
            times = Gathered(self.matrices(self._thinned(generator)), projected.shape[1], dtype)
            shown = []
            for moment in projected.unbind():
                state = self.step(moment, state, times)
                shown.append(self.show(state))
        return torch.stack(shown, 1).to(dtype), state

    def projected(self, x: Tensor, ids: Tensor | None = None) -> Tensor:
        """What the inputs of all steps give, as of `project`: x [B, T, n], or [rows, n] and `ids` → [T, B, ...]."""
        times = plainly({"weight_ih": self.weight_ih})
        if ids is None:
            return self.project(x.transpose(0, 1), times)
        if FOLDS * len(x) <= ids.numel():
            return rows_of(self.project(x, times), ids.T)
        return self.project(F.embedding(ids.T, x), times)

    def moment(self, x: Tensor, state: CellState) -> CellState:
        """The definition by itself: x [B, n], state → state."""
        times = plainly({"weight_ih": self.weight_ih, **self.matrices(self.weight_hh)})
        return self.step(self.project(x, times), state, times)

    def _thinned(self, generator: torch.Generator | None) -> Tensor:
        """`weight_hh`; in training without the units of h that count as zero."""
        if not self.training or not self.recurrent_dropout:
            return self.weight_hh
        units, device = self.hidden_size, self.weight_hh.device
        return self.weight_hh * dropout_mask(units, share=self.recurrent_dropout, device=device, generator=generator)


def plainly(weights: Mapping[str, Tensor]) -> Times:
    """The products as PyTorch has them."""

    def times(name: str, x: Tensor, added: Tensor | None = None) -> Tensor:
        if added is None or added.dim() == 1:
            return F.linear(x, weights[name], added)
        return F.linear(x, weights[name]) + added

    return times
