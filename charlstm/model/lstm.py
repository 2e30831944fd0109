"""Long short-term memory: its definition, and the same through fast kernels."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from charlstm.model.cell import Cell, Signals
from charlstm.model.lstm_scan import scan
from charlstm.model.products import Linear, compute_dtype
from charlstm.model.steps import CellState, Unrolled


class LSTM(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        i = σ(Wi x + Ri h₋ + bi)        input gate: how much of the new is written
        f = σ(Wf x + Rf h₋ + bf)        forget gate: how much of the old is kept
        g = tanh(Wg x + Rg h₋ + bg)     candidate: the new itself
        o = σ(Wo x + Ro h₋ + bo)        output gate: how much is shown
        c = f ⊙ c₋ + i ⊙ g              memory
        h = o ⊙ tanh(c)                 output

    The gates stand in this order, which is PyTorch's: 4·s·(s + x + 1) parameters for input size x and hidden size s.
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """i, f, g and o."""
        return self.squashed(linear("weight_hh", state.h, wx))

    @staticmethod
    def squashed(sums: Tensor) -> Signals:
        """The gates from what stands inside their σ and tanh, [B, 4H]."""
        i, f, g, o = sums.chunk(4, -1)
        return {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """c and h."""
        c = torch.addcmul(signals["f"] * state.c, signals["i"], signals["g"])
        return CellState(signals["o"] * c.tanh(), c)


class FastLSTM(LSTM):
    """The equations of `LSTM`, a whole sequence in one kernel.

    Training on a CPU uses our own scan (`lstm_scan.py`). All else uses PyTorch's fused kernel: cuDNN's on NVIDIA GPUs,
    oneDNN's for evaluation on a CPU.
    """

    head_pace = 3.0

    def reads_input(self, device: torch.device) -> bool:
        """PyTorch's kernel projects the input itself."""
        return (device.type != "cpu" or not torch.is_grad_enabled()) and not torch.compiler.is_exporting()

    def sequence(self, x: Tensor, state: CellState, below: Tensor | None = None, keep_c: bool = False) -> Unrolled:
        """All steps; PyTorch's kernel returns no memory but the last."""
        if keep_c or not self.reads_input(x.device):
            return super().sequence(x, state, below, keep_c)
        return self._fused(x, state)

    def forward(self, wx: Tensor, state: CellState, below: Tensor | None = None, keep_c: bool = False) -> Unrolled:
        """All steps by the scan."""
        if torch.compiler.is_exporting():
            return super().forward(wx, state, below, keep_c)
        return self._scanned(wx, state)

    def read(self, table: Tensor, ids: Tensor, state: CellState, keep_c: bool = False) -> Unrolled:
        """All steps by the scan, which reads the table itself."""
        return (
            super().read(table, ids, state, keep_c)
            if torch.compiler.is_exporting()
            else self._scanned(table, state, ids)
        )

    def _scanned(self, wx: Tensor, state: CellState, ids: Tensor | None = None) -> Unrolled:
        h, c = scan(wx, self.recurrent_weight(), state.h, state.c, ids)
        return Unrolled(h, c, CellState(h[-1].to(state.h.dtype), c[-1]))

    def _fused(self, x: Tensor, state: CellState) -> Unrolled:
        dtype = compute_dtype(x)
        # PyTorch's kernels add a second bias, which is zero.
        tensors = (x, state.h, state.c, self.weight_ih, self.recurrent_weight(), self.bias, torch.zeros_like(self.bias))
        # Left to itself, autocast has cuDNN compute in float16, whose range is too small for gradients.
        with torch.autocast(x.device.type, enabled=False):
            x, h, c, *weights = (tensor.to(dtype) for tensor in tensors)
            y, h, c = torch.lstm(
                x,
                (h.unsqueeze(0), c.unsqueeze(0)),
                weights,
                has_biases=True,
                num_layers=1,
                dropout=0.0,
                train=torch.is_grad_enabled(),  # without which cuDNN keeps nothing for a backward pass
                bidirectional=False,
                batch_first=False,
            )
        return Unrolled(y, None, CellState(h.squeeze(0), c.squeeze(0)))
