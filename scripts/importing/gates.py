"""What Keras's cells and PyTorch's have in common."""

from __future__ import annotations

import torch
from torch import Tensor

CELL_WITH = {4: "lstm", 3: "gru", 1: "rnn"}
"""The cell that has so many gates."""


def biases_of_gru(of_x: Tensor, of_h: Tensor) -> dict[str, Tensor]:
    """The biases of charlstm's GRU from those of W and of R, [3H] each, for r, z and n.

    Those of r and z can be summed. The second one of n can't, since r multiplies it.
    """
    of_r_and_z, of_n = of_h.tensor_split([len(of_h) // 3 * 2])
    return {"bias": of_x + torch.cat([of_r_and_z, torch.zeros_like(of_n)]), "bias_n": of_n}
