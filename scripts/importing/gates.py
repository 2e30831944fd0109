"""What the cells of Keras, of PyTorch and of charlstm have in common."""

from __future__ import annotations

import torch
from torch import Tensor

CELL_WITH = {4: "lstm", 3: "gru", 1: "rnn"}
"""The cell that has so many gates."""


def exchanged(rows: Tensor) -> Tensor:
    """The rows of a GRU's first two gates, exchanged: Keras has z, r and n, and charlstm r, z and n."""
    first, second, third = rows.chunk(3)
    return torch.cat([second, first, third])


def biases_of_gru(of_x: Tensor, of_h: Tensor) -> dict[str, Tensor]:
    """The biases of charlstm's GRU from those of W and of R, [3H] each, for r, z and n.

    Those of r and z can be summed. The second one of n can't, since r multiplies it.
    """
    of_r_and_z, of_n = of_h.tensor_split([len(of_h) // 3 * 2])
    return {"bias": of_x + torch.cat([of_r_and_z, torch.zeros_like(of_n)]), "bias_n": of_n}
