"""The two forms of the gated recurrent unit; `charlstm.model.cells` explains the signs in the equations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.cell import Cell, Signals
from charlstm.model.products import Linear, Matrix
from charlstm.model.steps import CellState


class GRU(Cell):
    """The gated recurrent unit (Cho et al. 2014), with the reset gate where cuDNN and PyTorch have it.

    r = σ(Wr x + Rr h₋ + br)                  reset gate: how much of the old the new is made from
    z = σ(Wz x + Rz h₋ + bz)                  update gate: how much of the old is kept
    n = tanh(Wn x + r ⊙ (Rn h₋ + b'n) + bn)   candidate; b'n is `bias_n`, and zero at first
    h = z ⊙ h₋ + (1 - z) ⊙ n                  output, which is the memory too
    """

    gates = ("r", "z", "n")
    learning_rate = 0.5

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        self.bias_n = nn.Parameter(torch.zeros(hidden_size))

    def matrices(self, weight_hh: Tensor) -> dict[str, Matrix]:
        """R, with a bias for n alone."""
        return {"weight_hh": (weight_hh, F.pad(self.bias_n, (2 * self.hidden_size, 0)))}

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """r, z and n."""
        rh = linear("weight_hh", state.h)
        two = 2 * self.hidden_size
        r, z = (wx[..., :two] + rh[..., :two]).sigmoid().chunk(2, -1)
        return {"r": r, "z": z, "n": (wx[..., two:] + r * rh[..., two:]).tanh()}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """h."""
        return CellState(torch.lerp(signals["n"], state.h, signals["z"]), state.c)


class ResetBeforeGRU(Cell):
    """The GRU with the reset gate before the product (Cho et al. 2014, arXiv:1406.1078v3; Keras's `reset_after=False`).

    r = σ(Wr x + Rr h₋ + br)           reset gate: how much of the old the new is made from
    z = σ(Wz x + Rz h₋ + bz)           update gate: how much of the old is kept
    n = tanh(Wn x + Rn (r ⊙ h₋) + bn)  candidate
    h = z ⊙ h₋ + (1 - z) ⊙ n           output, which is the memory too
    """

    gates = ("r", "z", "n")
    learning_rate = 0.5

    def matrices(self, weight_hh: Tensor) -> dict[str, Matrix]:
        """R of r and z, and R of n, which has to wait for r."""
        two = 2 * self.hidden_size
        return {"rz": (weight_hh[:two], None), "n": (weight_hh[two:], None)}

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """r, z and n."""
        two = 2 * self.hidden_size
        r, z = linear("rz", state.h, wx[..., :two]).sigmoid().chunk(2, -1)
        return {"r": r, "z": z, "n": linear("n", r * state.h, wx[..., two:]).tanh()}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """h."""
        return CellState(torch.lerp(signals["n"], state.h, signals["z"]), state.c)
