"""The weights of an LSTM model, ordered for writing one character at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlstm.model.charlstm import Member

Array = npt.NDArray[np.float32]

LARGEST_TABLE = 1 << 25
"""The most numbers in a table of gates; with a larger vocabulary, each character is projected when it is read."""


def weights_of(member: Member, ordered: Callable[[Tensor], Tensor] = lambda rows: rows) -> list[tuple[Tensor, Tensor]]:
    """For each layer the one matrix that h is multiplied with, and a bias.

    The matrix is its own recurrent weights stacked on the input weights of the layer above (or the head); the bias is
    that of the layer above (or the head).

    Args:
        ordered: puts the rows for a layer's gates into another order.
    """
    layers = member.stack.cells
    above = [(ordered(layer.weight_ih), ordered(layer.bias)) for layer in layers[1:]]
    above.append((member.head.weight, member.head.bias))
    return [
        (torch.cat([ordered(layer.weight_hh), weight]), bias.detach().clone())
        for layer, (weight, bias) in zip(layers, above, strict=True)
    ]
