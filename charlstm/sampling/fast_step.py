"""The LSTM's step for one character of each text in a batch, on a processor, with everything possible done ahead.

At batch size 1 a character costs one pass over the recurrent weights; everything else is overhead. So

- the embedding and the lowest layer's input projection are one table of gates, with a row for each character;
- the two matrices that a layer's h is multiplied with, its own recurrent weights and the input weights of the layer
  above (or the head), are one matrix and one product, right after h is known:

      h of layer 1  ×  [ R of layer 1 ; W of layer 2 ]  =  [ part of layer 1's gates at the next step ;
                                                             part of layer 2's gates at this step ]

- weights may be kept as int8, which is a quarter of the memory to read (`few_rows.py`);
- PyTorch computes the products, NumPy the small operations, on the same memory: its calls take a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlstm.model.charlstm import CharLSTM, Member
from charlstm.model.stack import State
from charlstm.sampling.few_rows import choose_precision, product_of

Array = npt.NDArray[np.float32]
LARGEST_TABLE = 1 << 25
"""The most numbers in a table of gates; with a larger vocabulary, each character is projected when it is read."""


class FastStep:
    """`logits, state = step(ids, state)`, the model's own contract, for ids [B, 1].

    What it returns is overwritten by its next call. It keeps the weights that the model has when it is made.

    Args:
        model: on the CPU.
        batch_size: B.
        precision: of the weights, as of `choose_precision`.
    """

    @torch.no_grad()
    def __init__(self, model: CharLSTM, batch_size: int = 1, precision: str = "auto") -> None:
        config, precision = model.config, choose_precision(precision, batch_size)
        if not all(weight.isfinite().all() for weight in model.parameters()):
            precision = "float32"  # no integer could tell of it
        members = model.each
        self.state = State.zeros(len(members) * config.num_layers, batch_size, config.hidden_size)
        self.inputs = [_inputs(member) for member in members]
        shape = len(members), config.num_layers, batch_size, config.hidden_size
        h, c = (tensor.view(shape).transpose(0, 1) for tensor in self.state)
        weights = zip(*map(weights_of, members), strict=True)
        self.layers = [_Layer(each, precision, *state) for each, *state in zip(weights, h, c, strict=True)]
        of_each = self.layers[-1].rising
        self.mean = None if len(members) == 1 else np.empty_like(of_each[0])
        self.logits = torch.from_numpy(of_each[0] if self.mean is None else self.mean).unsqueeze(1)

    def __call__(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, 1], state → logits [B, 1, V], state."""
        if state is not self.state:  # else the products with h were computed at the end of the last call
            for own, given in zip(self.state, state, strict=True):
                own.copy_(given.detach())
            for layer in self.layers:
                layer.multiply()
        read = ids.numpy()[:, 0]
        rising: Iterable[Array] = [project(read) for project in self.inputs]
        for layer in self.layers:
            layer.step(rising)
            layer.multiply()
            rising = layer.rising
        if self.mean is not None:
            _log_mean(self.layers[-1].rising, self.mean)
        return self.logits, self.state


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
        self.biases = np.stack([_as_array(bias) for _, bias in weights])[:, None]
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


def _inputs(member: Member) -> Callable[[npt.NDArray[np.int64]], Array]:
    """ids [B] → the lowest layer's projected input, [B, 4H]."""
    embedding, layer = member.embedding.weight, member.stack.cells[0]
    weight, bias = _reordered(layer.weight_ih), _reordered(layer.bias)
    if len(embedding) * len(weight) > LARGEST_TABLE:
        embedding = embedding.detach().clone()
        return lambda ids: _as_array(torch.addmm(bias, embedding[torch.from_numpy(ids)], weight.T))
    table = _as_array(torch.addmm(bias, embedding, weight.T))
    return lambda ids: table.take(ids, axis=0)


def weights_of(member: Member) -> list[tuple[Tensor, Tensor]]:
    """For each layer the one matrix that h is multiplied with, and a bias.

    The matrix is its own recurrent weights stacked on the input weights of the layer above (or the head); the bias is
    that of the layer above (or the head).
    """
    layers = member.stack.cells
    above = [(_reordered(layer.weight_ih), _reordered(layer.bias)) for layer in layers[1:]]
    above.append((member.head.weight, member.head.bias))
    return [
        (torch.cat([_reordered(layer.weight_hh), weight]), bias.detach().clone())
        for layer, (weight, bias) in zip(layers, above, strict=True)
    ]


def _as_array(tensor: Tensor) -> Array:
    array: Array = tensor.numpy()
    return array


def _log_mean(logits: Array, out: Array) -> None:
    """The logarithm of the mean of probabilities: logits of each member, [members, B, V], which are lost → [B, V]."""
    logits -= logits.max(-1, keepdims=True)
    likely = np.exp(logits, dtype=np.float64)
    likely /= likely.sum(-1, keepdims=True)
    np.log(np.maximum(likely.mean(0), np.finfo(np.float64).tiny), out=out, casting="same_kind")
