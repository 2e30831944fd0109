"""The LSTM's step for one character of each text in a batch, on a processor, with everything possible done ahead.

At batch size 1 a character costs one pass over the recurrent weights; everything else is overhead. So

- the embedding and the lowest layer's input projection are one table of gates, with a row for each character;
- the two matrices that a layer's h is multiplied with, its own recurrent weights and the input weights of the layer
  above (or the head), are one matrix and one product, right after h is known:

      h of layer 1  ×  [ R of layer 1 ; W of layer 2 ]  =  [ part of layer 1's gates at the next step ;
                                                             part of layer 2's gates at this step ]

- weights may be kept as int8, which is a quarter of the memory to read (`few_rows.py`);
- what is between two products is one call of a compiled loop (`compiled_layers.py`), which for a few texts computes the
  int8 product, too. Without numba it is ten calls of NumPy (`numpy_layers.py`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from charlstm.loops.compiling import has_loops
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.sampling.compiled_layers import CompiledLayers
from charlstm.sampling.few_rows import choose_precision
from charlstm.sampling.folded import Array
from charlstm.sampling.numpy_layers import NumpyLayers


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
        self.state = State.zeros(len(model.each) * config.num_layers, batch_size, config.hidden_size)
        self.layers = (CompiledLayers if has_loops() else NumpyLayers)(model, self.state, precision)
        of_each = self.layers.logits
        self.mean = None if len(of_each) == 1 else np.empty_like(of_each[0])
        self.logits = torch.from_numpy(of_each[0] if self.mean is None else self.mean).unsqueeze(1)

    def __call__(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, 1], state → logits [B, 1, V], state."""
        if state is not self.state:  # else the products with h were computed at the end of the last call
            for own, given in zip(self.state, state, strict=True):
                own.copy_(given.detach())
            self.layers.multiply()
        of_each = self.layers.step(ids.numpy()[:, 0])
        if self.mean is not None:
            _log_mean(of_each, self.mean)
        return self.logits, self.state


def _log_mean(logits: Array, out: Array) -> None:
    """The logarithm of the mean of probabilities: logits of each member, [members, B, V], which are lost → [B, V]."""
    logits -= logits.max(-1, keepdims=True)
    likely = np.exp(logits, dtype=np.float64)
    likely /= likely.sum(-1, keepdims=True)
    np.log(np.maximum(likely.mean(0), np.finfo(np.float64).tiny), out=out, casting="same_kind")
