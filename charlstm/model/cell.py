"""What all recurrent cells share: weights, their initialisation, and how a step becomes a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar

import torch
from torch import Tensor, nn

from charlstm.model.dropout import dropout_mask
from charlstm.model.products import Linear, Matrix, plain, rows_of
from charlstm.model.steps import CellState, Unrolled, steps

Signals = dict[str, Tensor]
"""What happens inside a cell at a step, by name: its gates after their nonlinearities, and what else it computes."""

_initialises = ContextVar("initialises", default=True)


@contextmanager
def skip_init() -> Iterator[None]:
    """Make modules without initialising their weights, where loaded weights follow at once.

    The orthogonal matrices alone take half a second at 1,024 units.
    """
    token = _initialises.set(False)
    try:
        yield
    finally:
        _initialises.reset(token)


def initialises() -> bool:
    """Whether new modules initialise their weights."""
    return _initialises.get()


class Cell(nn.Module):
    """One layer of recurrent units: the names of its gates, and its equations.

    A subclass says in `activations` and `update` what happens at one step. All else follows from these two: a sequence,
    its gradients, one character at a time, and a look at its gates.

    Args:
        recurrent_dropout: in training, the share of the units of h that the recurrence sees as zero, the same ones for
            a whole batch, while the others are scaled up (Gal & Ghahramani 2016, with one mask for the batch). It keeps
            a layer that reads a text many times from learning it by heart; dropout of its outputs alone doesn't.

    Attributes:
        weight_ih: [gates · H, input_size], the weights of the input, gate after gate.
        bias: [gates · H].
        weight_hh: [recurrent gates · H, H], the weights of h.
    """

    gates: ClassVar[tuple[str, ...]]
    """The names of the gates, in the order of their rows in `weight_ih` and `bias`."""

    input_only: ClassVar[tuple[str, ...]] = ()
    """The gates that h has no weights for. They are the last ones."""

    reads_below: ClassVar[bool] = False
    """Whether it reads the memory of the layer below."""

    lowest: ClassVar[type[Cell] | None] = None
    """The cell of the lowest layer, where that must be another one."""

    learning_rate: ClassVar[float] = 1.0
    """The best learning rate, relative to an LSTM's of equal size (docs/CELLS.md has what was tried)."""

    head_pace: ClassVar[float] = 1.0
    """The best rate of an output layer above it, relative to its own (docs/EXPERIMENTS.md has what was tried)."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.recurrent_dropout = input_size, hidden_size, recurrent_dropout
        recurrent = len(self.gates) - len(self.input_only)
        self.weight_ih = nn.Parameter(torch.empty(len(self.gates) * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(recurrent * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(len(self.gates) * hidden_size))
        if "f" in self.gates:  # a forget gate begins open (Jozefowicz et al. 2015)
            nn.init.ones_(self.bias.detach().chunk(len(self.gates))[self.gates.index("f")])
        if initialises():
            for weight in self.weight_ih.detach().chunk(len(self.gates)):
                nn.init.xavier_uniform_(weight)
            self.init_recurrent(self.weight_hh.detach())

    def init_recurrent(self, weight_hh: Tensor) -> None:
        """Initialise `weight_hh`: an orthogonal matrix for each gate."""
        for weight in weight_hh.chunk(len(weight_hh) // self.hidden_size):
            nn.init.orthogonal_(weight)

    @property
    def unused(self) -> int:
        """How many entries of `weight_hh` are always zero."""
        return 0

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """The gates at one step, after their nonlinearities, [B, H] each; wx is the step's part of `project`."""
        raise NotImplementedError

    def update(self, signals: Signals, state: CellState) -> CellState:
        """The state after a step, from what `activations` gave and the state before."""
        raise NotImplementedError

    def step(self, wx: Tensor, state: CellState, linear: Linear) -> CellState:
        """One step: the state before → the state after."""
        return self.update(self.activations(wx, state, linear), state)

    def project(self, x: Tensor, linear: Linear | None = None) -> Tensor:
        """W x + b for all gates and all steps at once: x [..., input_size] → wx [..., gates · H].

        A subclass may hand something else to its steps.

        Args:
            linear: the product with `weight_ih`; None for PyTorch's own.
        """
        return (linear or plain(self.input_matrices()))("weight_ih", x)

    def input_matrices(self) -> dict[str, Matrix]:
        """The matrices that `project` uses, by name."""
        return {"weight_ih": (self.weight_ih, self.bias)}

    def matrices(self, weight_hh: Tensor) -> dict[str, Matrix]:
        """The matrices of `activations`, by name; `weight_hh` is that of `recurrent_weight`, with its dropout."""
        return {"weight_hh": (weight_hh, None)}

    def recurrent_weight(self) -> Tensor:
        """`weight_hh`; in training with recurrent dropout, a random share of its columns is zero."""
        if not self.training or not self.recurrent_dropout:
            return self.weight_hh
        return self.weight_hh * dropout_mask(self.hidden_size, share=self.recurrent_dropout, like=self.weight_hh)

    def reads_input(self, device: torch.device) -> bool:
        """Whether `sequence` is faster than `project` and `forward`, since one kernel does both."""
        return False

    def sequence(self, x: Tensor, state: CellState, below: Tensor | None = None, keep_c: bool = False) -> Unrolled:
        """All steps of a sequence, x [T, B, input_size]; the rest is as for `forward`."""
        return self.forward(self.project(x), state, below, keep_c)

    def read(self, table: Tensor, ids: Tensor, state: CellState, keep_c: bool = False) -> Unrolled:
        """All steps of a sequence whose projected inputs are the rows of a table, [N, ...], that ids name, [T, B]."""
        return self(rows_of(table, ids), state, keep_c=keep_c)  # type: ignore[no-any-return]

    def forward(self, wx: Tensor, state: CellState, below: Tensor | None = None, keep_c: bool = False) -> Unrolled:
        """All steps of a sequence.

        Args:
            wx: the projected input, [T, B, ...].
            below: the memory of the layer below at each step, [T, B, H], for a cell that `reads_below`.
            keep_c: whether to return the memory of each step, and not the last one alone.
        """
        matrices = self.matrices(self.recurrent_weight())
        return steps(self.step, matrices, self.parameters(), wx, state, below, keep_c)
