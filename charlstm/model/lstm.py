"""Long short-term memory, and its own fast ways through a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.cell import Cell, CellState, Times
from charlstm.model.lstm_scan import scan


class PlainLSTM(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        i = σ(Wi x + Ri h₋ + bi)        input gate: how much of the new is written
        f = σ(Wf x + Rf h₋ + bf)        forget gate: how much of the old is kept
        g = tanh(Wg x + Rg h₋ + bg)     candidate: the new itself
        o = σ(Wo x + Ro h₋ + bo)        output gate: how much is shown
        c = f ⊙ c₋ + i ⊙ g              memory
        h = o ⊙ tanh(c)                 output

    The gates stand in this order, which is PyTorch's: 4·s·(s + x + 1) parameters for input size x and hidden size s.
    The forget gate's bias begins at 1 (Jozefowicz et al. 2015).
    """

    gates = recurrent = 4

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        nn.init.ones_(self.bias[hidden_size : 2 * hidden_size].detach())

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above."""
        h, c = state
        return self.gated(times("weight_hh", h, x), c)

    @staticmethod
    def gated(gates: Tensor, c: Tensor) -> CellState:
        """From what the four gates are given, [B, 4H]."""
        i, f, g, o = gates.chunk(4, -1)
        c = torch.addcmul(f.sigmoid() * c, i.sigmoid(), g.tanh())
        return o.sigmoid() * c.tanh(), c


class LSTM(PlainLSTM):
    """Long short-term memory: the equations of `PlainLSTM`, in fast ways of its own."""

    def forward(
        self, x: Tensor, state: CellState, ids: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, CellState]:
        """As of `Cell`, by kernels of PyTorch's or, to learn on a processor, by a scan of its own."""
        weight_hh = self._thinned(generator)
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return self._fused(x if ids is None else F.embedding(ids, x), state, weight_hh)
        y, h, c = scan(self.projected(x, ids), weight_hh, *state)
        return y.transpose(0, 1).contiguous(), (h, c)

    def _fused(self, x: Tensor, state: CellState, weight_hh: Tensor) -> tuple[Tensor, CellState]:
        """The same by PyTorch's fused kernel: cuDNN's on NVIDIA's devices, oneDNN's on a processor."""
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        # PyTorch's kernels add a second bias, which is zero.
        tensors = (x, *state, self.weight_ih, weight_hh, self.bias, torch.zeros_like(self.bias))
        # Left to itself, autocast has cuDNN compute in float16, whose small numbers are too few for gradients.
        with torch.autocast(device, enabled=False):
            x, h, c, *weights = (tensor.to(dtype) for tensor in tensors)
            y, h, c = torch.lstm(
                x,
                (h.unsqueeze(0), c.unsqueeze(0)),
                weights,
                has_biases=True,
                num_layers=1,
                dropout=0.0,
                train=torch.is_grad_enabled(),  # without which cuDNN keeps nothing for a way back
                bidirectional=False,
                batch_first=True,
            )
        return y, (h.squeeze(0), c.squeeze(0))
