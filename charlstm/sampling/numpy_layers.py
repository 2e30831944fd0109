"""The layers' step by NumPy, whose calls take a third of the time of PyTorch's: see `fast_step.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlstm.model.charlstm import CharLSTM, Member
from charlstm.model.stack import State
from charlstm.sampling.few_rows import product_of
from charlstm.sampling.folded import LARGEST_TABLE, Array, weights_of


class NumpyLayers:
    """The layers of all members, on the memory of a state.

    Args:
        state: of B texts; it is overwritten.
        precision: of the weights, as of `choose_precision`.
    """

    def __init__(self, model: CharLSTM, state: State, precision: str) -> None:
        config, members = model.config, model.each
        self.inputs = [_input_of(member) for member in members]
        shape = len(members), config.num_layers, *state.h.shape[1:]
        h, c = (tensor.view(shape).transpose(0, 1) for tensor in state)
        weights = zip(*(weights_of(member, _reordered) for member in members), strict=True)
        self.layers = [_Layer(each, precision, *own) for each, *own in zip(weights, h, c, strict=True)]

    @property
    def logits(self) -> Array:
        """Of each member, [members, B, V]."""
        return self.layers[-1].rising

    def multiply(self) -> None:
        """Multiply the present h, for each layer's next step."""
        for layer in self.layers:
            layer.multiply()

    def step(self, ids: npt.NDArray[np.int64]) -> Array:
        """ids [B] → the logits of each member."""
        rising: Iterable[Array] = [project(ids) for project in self.inputs]
        for layer in self.layers:
            layer.step(rising)
            layer.multiply()
            rising = layer.rising
        return self.logits


class _Layer:
    """One layer of all members.

    Args:
        weights: for each member its matrix and its bias, as of `weights_of`.
        h, c: of all members, [members, B, H]; they are overwritten.
    """

    def __init__(self, weights: Sequence[tuple[Tensor, Tensor]], precision: str, h: Tensor, c: Tensor) -> None:
        members, rows, size = h.shape
        out = torch.empty(members, rows, len(weights[0][0]))
        self.products = [product_of(*each, precision) for each in zip((w for w, _ in weights), h, out, strict=True)]
        self.biases = np.stack([bias.numpy() for _, bias in weights])[:, None]
        # The next step's gates stand where the products with h are written, and become gates in their place.
        self.gates, self.above = out.numpy()[..., : 4 * size], out.numpy()[..., 4 * size :]
        self.i, self.f, self.o, self.g = (self.gates[..., n * size : (n + 1) * size] for n in range(4))
        self.sigmoids = self.gates[..., : 3 * size]
        self.rising = np.empty_like(self.above)
        self.h, self.c = h.numpy(), c.numpy()

    def multiply(self) -> None:
        """Multiply the present h: for this layer's next step, and, in `rising`, for the layer above at this step."""
        for product in self.products:
            product()
        np.add(self.above, self.biases, out=self.rising)

    def step(self, rising: Iterable[Array]) -> None:
        """The equations of `LSTM`, in place, with the gates in the order and the scale of `_reordered`."""
        for gates, given in zip(self.gates, rising, strict=True):
            np.add(gates, given, out=gates)
        np.tanh(self.gates, out=self.gates)
        np.multiply(self.sigmoids, 0.5, out=self.sigmoids)
        np.add(self.sigmoids, 0.5, out=self.sigmoids)
        np.multiply(self.f, self.c, out=self.c)
        np.multiply(self.i, self.g, out=self.g)
        np.add(self.c, self.g, out=self.c)
        np.tanh(self.c, out=self.g)
        np.multiply(self.o, self.g, out=self.h)


def _reordered(rows: Tensor) -> Tensor:
    """Rows for the gates i, f, g, o → for i, f, o, g, the first three halved: σ(x) = tanh(x / 2) / 2 + 1 / 2."""
    i, f, g, o = rows.chunk(4)
    return torch.cat([i / 2, f / 2, o / 2, g])


def _input_of(member: Member) -> Callable[[npt.NDArray[np.int64]], Array]:
    """ids [B] → the lowest layer's projected input, [B, 4H]."""
    embedding, layer = member.embedding.weight, member.stack.cells[0]
    weight, bias = _reordered(layer.weight_ih), _reordered(layer.bias)
    if len(embedding) * len(weight) > LARGEST_TABLE:
        embedding = embedding.detach().clone()
        return lambda ids: torch.addmm(bias, embedding[torch.from_numpy(ids)], weight.T).numpy()
    table = torch.addmm(bias, embedding, weight.T).numpy()
    return lambda ids: table.take(ids, axis=0)
