"""The layers' step by compiled loops, which do all that is between two products in one call: see `fast_step.py`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.loops.compiling import machine_code
from charlstm.loops.team import Loop, threads_for
from charlstm.model.charlstm import CharLSTM, Member
from charlstm.model.stack import State
from charlstm.sampling.few_rows import (
    BLOCK,
    FEW,
    LARGE,
    choose_precision,
    integers_of,
    kernel_of,
    takes_integers,
)
from charlstm.sampling.folded import LARGEST_TABLE, Array, weights_of

MOST = 2**31 - 1
"""The largest sum of integers."""


def precisions_of_one() -> list[str]:
    """The loops that one text may need here where nobody names a precision: for a small model, and for a large one."""
    precision = choose_precision("auto", 1)
    if precision == "int8" and takes_integers(torch.empty(LARGE, device="meta"), 1):
        return ["int8", "uint8"]
    return [precision]


class CompiledLayers:
    """The layers of all members, on the memory of a state. The members take turns: loops share a layer's units.

    Args:
        state: of B texts; it is overwritten.
        precision: of the weights, as of `choose_precision`.

    Attributes:
        logits: of each member, [members, B, V].
    """

    def __init__(self, model: CharLSTM, state: State, precision: str) -> None:
        config, texts = model.config, state.h.shape[1]
        self.logits = np.empty((len(model.each), texts, config.vocab_size), np.float32)
        self.inputs = [_Input(member, texts) for member in model.each]
        self.layers: list[_Layer] = []
        states = zip(*state, strict=True)
        for member, read, logits in zip(model.each, self.inputs, self.logits, strict=True):
            table, ids = read.table, read.ids
            weights = weights_of(member)
            for number, (weight, bias) in enumerate(weights, 1):
                is_highest = number == len(weights)
                above = logits if is_highest else np.empty((texts, len(bias)), np.float32)
                own = weight.float(), bias.float(), *next(states)
                self.layers.append(_Layer(*own, table, ids, above, precision))
                table, ids = above, np.arange(texts, dtype=np.int64)

    def multiply(self) -> None:
        """Multiply the present h, for each layer's next step."""
        for layer in self.layers:
            layer.multiply()

    def step(self, ids: npt.NDArray[np.int64]) -> Array:
        """ids [B] → the logits of each member."""
        for read in self.inputs:
            read(ids)
        for layer in self.layers:
            layer.step()
        return self.logits


class _Input:
    """The lowest layer's projected input: text b has row `ids[b]` of `table`."""

    def __init__(self, member: Member, texts: int) -> None:
        layer = member.stack.cells[0]
        tensors = member.embedding.weight, layer.weight_ih, layer.bias
        self.embedding, self.weight, self.bias = (tensor.detach().float().clone() for tensor in tensors)
        self.projects = len(self.embedding) * len(self.weight) > LARGEST_TABLE
        if self.projects:
            self.table, self.ids = np.empty((texts, len(self.weight)), np.float32), np.arange(texts, dtype=np.int64)
        else:
            self.table = torch.addmm(self.bias, self.embedding, self.weight.T).numpy()
            self.ids, self.known = np.zeros(texts, np.int64), np.arange(len(self.table), dtype=np.int64)

    def __call__(self, ids: npt.NDArray[np.int64]) -> None:
        if self.projects:
            x = self.embedding[torch.from_numpy(ids)]
            torch.addmm(self.bias, x, self.weight.T, out=torch.from_numpy(self.table))
        else:
            self.known.take(ids, out=self.ids)  # no id leads out of the table: a loop would read other memory


class _Layer:
    """One layer of one member.

    Args:
        weight, bias: as of `weights_of`.
        h, c: [B, H]; they are overwritten.
        table, ids: the input of text b is row ids[b] of the table, [N, 4H]. Their owner overwrites them.
        above: [B, R - 4H], written: what the layer above, or the output, gets.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        h: Tensor,
        c: Tensor,
        table: Array,
        ids: npt.NDArray[np.int64],
        above: Array,
        precision: str,
    ) -> None:
        (texts, size), rows = h.shape, len(weight)
        arrays: list[Tensor | Array] = [h, c, torch.empty(threads_for(size), 5, size)]
        unit = zero = 0
        self.kernel = None
        if precision == "int8" and texts <= FEW and not takes_integers(weight, texts):
            # int16 for h: exact sums, whatever their order, and more digits than bfloat16 has. The largest sum, of
            # `columns` products of 127 and `unit`, is at most MOST.
            columns = size + -size % BLOCK
            unit = min(2**15 - 1, MOST // (127 * columns))
            scales, integers = integers_of(weight)
            arrays += [F.pad(integers, (0, columns - size)), scales / unit, above, bias]
            x, y = torch.zeros(texts, columns, dtype=torch.int16), torch.zeros(texts, rows)
        else:
            x, self.kernel = kernel_of(weight, texts, precision)
            y = self.kernel()
            if x.dtype == torch.uint8:
                precision, unit, zero = "uint8", 127, 128
            else:
                precision = str(x.dtype).removeprefix("torch.")
        self.y, self.bias, self.above, self.split = y, bias, torch.from_numpy(above), 4 * size
        self.sizes = np.array([texts, size, rows, x.shape[1], len(table), unit, zero, 1], np.int64)
        code = machine_code("sampling", "layer", precision)
        self.loop = Loop(code, self.sizes, y, x, ids, table, *arrays, threads=threads_for(size))

    def step(self) -> None:
        """One step, and the products with the new h."""
        self.loop(self.y)
        if self.kernel is not None:
            self.y = self.kernel()
            torch.add(self.y[:, self.split :], self.bias, out=self.above)

    def multiply(self) -> None:
        """The products with the present h."""
        self.sizes[-1] = 0
        self.step()
        self.sizes[-1] = 1
