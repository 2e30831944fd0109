"""The step equations of every recurrent cell, and each cell's fast way through a whole sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.dropout import dropout_mask
from charlstm.model.products import rows_of
from charlstm.model.scan import scan

CellState = tuple[Tensor, Tensor]

FOLDS = 4
"""A table of inputs is projected whole where it is so many times shorter than what is read from it."""


class LSTM(nn.Module):
    """One layer of long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        i = σ(Wi x + Ri h₋ + bi)        input gate: how much of the new is written
        f = σ(Wf x + Rf h₋ + bf)        forget gate: how much of the old is kept
        g = tanh(Wg x + Rg h₋ + bg)     candidate: the new itself
        o = σ(Wo x + Ro h₋ + bo)        output gate: how much is shown
        c = f ⊙ c₋ + i ⊙ g              memory
        h = o ⊙ tanh(c)                 output

    The four gates' weights are stacked in this order, which is PyTorch's: `weight_ih` [4s, x], `weight_hh` [4s, s],
    `bias` [4s]: 4·s·(s + x + 1) parameters for input size x and hidden size s.

    In training, `recurrent_dropout` is the share of the units of h₋ that count as zero, the same ones through all of a
    sequence and a batch, while the others count for more: Gal & Ghahramani 2016, with one mask for the batch. It keeps
    a layer that reads a text many times from learning it by heart, which dropout of its outputs alone does not.
    """

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.recurrent_dropout = recurrent_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        # PyTorch's kernels add a second bias; it stays zero, and is neither a parameter nor saved.
        self.no_bias: Tensor
        self.register_buffer("no_bias", torch.zeros(4 * hidden_size), persistent=False)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Gate by gate: Xavier for the input, orthogonal for the recurrence; a forget bias of 1 (Jozefowicz 2015)."""
        for weight_ih, weight_hh in zip(self.weight_ih.chunk(4), self.weight_hh.chunk(4), strict=True):
            nn.init.xavier_uniform_(weight_ih)
            nn.init.orthogonal_(weight_hh)
        nn.init.zeros_(self.bias)
        _, forget, _, _ = self.bias.chunk(4)
        nn.init.ones_(forget)

    def step(self, x: Tensor, state: CellState) -> CellState:
        """The equations above for one moment: x [B, input_size], state and result two tensors [B, hidden_size]."""
        h, c = state
        i, f, g, o = (x @ self.weight_ih.T + h @ self.weight_hh.T + self.bias).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    def forward(
        self, x: Tensor, state: CellState, ids: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, CellState]:
        """All steps of a sequence: x [B, T, input_size] → y [B, T, hidden_size], state.

        With `ids` [B, T], x is a table of inputs, [rows, input_size], of which each step reads the row that it names.
        A table that is shorter than the sequence is projected once, instead of every step's row. Dropout's random
        numbers come from `generator`, or else from PyTorch's own.
        """
        weight_hh: Tensor = self.weight_hh
        if self.training and self.recurrent_dropout:
            share, units = self.recurrent_dropout, weight_hh.shape[1]
            weight_hh = weight_hh * dropout_mask(units, share=share, device=x.device, generator=generator)
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return self._fused(x if ids is None else F.embedding(ids, x), state, weight_hh)
        if ids is None:
            projected = F.linear(x.transpose(0, 1), self.weight_ih, self.bias)
        elif FOLDS * len(x) <= ids.numel():
            projected = rows_of(F.linear(x, self.weight_ih, self.bias), ids.T)
        else:
            projected = F.linear(F.embedding(ids.T, x), self.weight_ih, self.bias)
        y, h, c = scan(projected, weight_hh, *state)
        return y.transpose(0, 1).contiguous(), (h, c)

    def _fused(self, x: Tensor, state: CellState, weight_hh: Tensor) -> tuple[Tensor, CellState]:
        """The same by PyTorch's fused kernel: cuDNN's on NVIDIA's devices, oneDNN's on a processor."""
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        tensors = (x, *state, self.weight_ih, weight_hh, self.bias, self.no_bias)
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
