"""The weights of Keras's layers, as charlstm has them: matrices on their side, gates in another order."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from charlstm.errors import InputError
from importing.chain import Product, Recurrent
from importing.gates import CELL_WITH, biases_of_gru, exchanged

GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
"""How many gates each of Keras's layers has."""


def is_recurrent(weights: Sequence[Tensor]) -> bool:
    """Whether weights are of a recurrent layer, and not of a Dense or an Embedding."""
    return len(weights) > 1 and weights[1].dim() == 2


def recurrent(name: str, weights: Sequence[Tensor], kind: str | None = None, reset_after: bool = True) -> Recurrent:
    """A recurrent layer.

    Args:
        weights: kernel [inputs, gates · H], recurrent kernel [H, gates · H], and a bias, if it has one: [gates · H], or
            [2, gates · H] for a GRU that has one for each kernel.
        kind: its class in Keras, if it is known.
        reset_after: of a GRU without a bias, which would show it.

    Raises:
        InputError: for other shapes.
    """
    if len(weights) not in (2, 3) or any(weight.dim() != 2 for weight in weights[:2]):
        raise _odd(name, weights, kind)
    kernel, recurrent_kernel, *biases = weights
    units = len(recurrent_kernel)
    gates = recurrent_kernel.shape[-1] // max(units, 1)
    kinds = {number: each for each, number in GATES.items() if kind in (None, each)}
    bias = biases[0] if biases else torch.zeros(gates * units)
    shapes = [tuple(each.shape) for each in (kernel, recurrent_kernel, bias)]
    wanted = [(shapes[0][0], gates * units), (units, gates * units), (gates * units,)]
    has_two_biases = gates == 3 and shapes[2] == (2, gates * units)
    if gates not in kinds or shapes[:2] != wanted[:2] or not (has_two_biases or shapes[2] == wanted[2]):
        raise _odd(name, weights, kind)
    matrices = {"weight_ih": kernel.T, "weight_hh": recurrent_kernel.T}
    if kinds[gates] == "GRU":
        return _gru(name, matrices, bias, has_two_biases or (reset_after and not biases))
    return Recurrent(name, CELL_WITH[gates], {**matrices, "bias": bias})


def _odd(name: str, weights: Sequence[Tensor], kind: str | None) -> InputError:
    shapes = ", ".join(str(list(weight.shape)) for weight in weights)
    return InputError(f"{name} has weights of the shapes {shapes}: that is no {kind or 'LSTM, GRU or SimpleRNN'}")


def _gru(name: str, matrices: dict[str, Tensor], bias: Tensor, reset_after: bool) -> Recurrent:
    """A GRU: Keras has z, r and n, and charlstm r, z and n."""
    weights = {which: exchanged(weight) for which, weight in matrices.items()}
    if not reset_after:
        return Recurrent(name, "gru-reset-before", {**weights, "bias": exchanged(bias)})
    of_x, of_h = (exchanged(each) for each in (bias if bias.dim() == 2 else (bias, torch.zeros_like(bias))))
    return Recurrent(name, "gru", {**weights, **biases_of_gru(of_x, of_h)})


def product(name: str, weights: Sequence[Tensor]) -> Product:
    """A Dense, from its kernel [inputs, outputs] and its bias [outputs], or an Embedding from its [ids, size].

    Raises:
        InputError: for other shapes.
    """
    ranks = [weight.dim() for weight in weights]
    if ranks not in ([2], [2, 1]):
        raise _odd(name, weights, "Dense or Embedding")
    return Product(name, weights[0], weights[1] if len(weights) > 1 else None)


def turned(dense: Product) -> Product:
    """A Dense as a linear layer of PyTorch, [outputs, inputs]."""
    return Product(dense.name, dense.weight.T, dense.bias)
