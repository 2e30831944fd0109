"""Keras: the weights of the tutorials' network, in a file that its `load_weights` reads.

The file is HDF5. Keras finds a layer in it by the name of its class, and counts the layers of each class:

    layers/embedding/vars/0             [V, E]        embedding.weight
    layers/lstm/cell/vars/0, 1          [E or H, 4H], [H, 4H]: the lowest layer's weight_ih and weight_hh, transposed
    layers/lstm/cell/vars/2             [4H]          its bias
    layers/lstm_1/…                                   the next layer
    layers/dense/vars/0, 1              [H, V], [V]   head.weight, transposed, and head.bias

The attributes of the file have what `described` gives. Keras doesn't look at them.
"""

from __future__ import annotations

import io

import h5py
import torch
from importing.gates import exchanged
from torch import Tensor

from charlstm.config import ModelConfig
from charlstm.errors import NOT_FINITE, InputError
from charlstm.saved.checkpoint import Checkpoint
from exporting.exported import Exported, described

LAYERS = {
    "lstm": ("lstm", "LSTM({}, return_sequences=True, stateful=True)"),
    "gru": ("gru", "GRU({}, return_sequences=True, stateful=True)"),
    "gru-reset-before": ("gru", "GRU({}, return_sequences=True, stateful=True, reset_after=False)"),
    "rnn": ("simple_rnn", "SimpleRNN({}, return_sequences=True, stateful=True)"),
}
"""Keras's layer for a cell: its name in the file, and how it is made."""


def to_keras(saved: Checkpoint) -> Exported:
    """The weights of an Embedding, of recurrent layers and of a Dense layer.

    Raises:
        InputError: for a model that isn't made of Keras's layers, and as of `described`.
    """
    config = saved.model_config
    if config.cell not in LAYERS:
        raise InputError(f"Keras has no {config.cell} cell (it has {', '.join(LAYERS)}): use --format onnx")
    if config.ensemble_size > 1:
        raise InputError(f"the tutorials' network is one, and this is of {config.ensemble_size}: use --format onnx")
    if not all(weight.isfinite().all() for weight in saved.weights.values()):
        raise InputError(NOT_FINITE)
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root.attrs.update(described(saved))
        for group, tensors in _groups(saved).items():
            for number, tensor in enumerate(tensors):
                root[f"layers/{group}/vars/{number}"] = tensor.float().numpy()
    return Exported(file.getvalue(), "in the layout of Keras 3", _use(config))


def _groups(saved: Checkpoint) -> dict[str, list[Tensor]]:
    """The tensors of each group in the file, in their order there."""
    config = saved.model_config
    weights = {name.removeprefix("members.0."): weight for name, weight in saved.weights.items()}
    groups = {"embedding": [weights["embedding.weight"]]}
    for number in range(config.num_layers):
        prefix = f"stack.layers.{number}."
        layer = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
        name, _ = LAYERS[config.cell]
        groups[f"{name}_{number}/cell" if number else f"{name}/cell"] = _layer(config.cell, layer)
    groups["dense"] = [weights["head.weight"].T, weights["head.bias"]]
    return groups


def _layer(cell: str, weights: dict[str, Tensor]) -> list[Tensor]:
    """Keras's kernel, recurrent kernel and bias, from a layer's weights."""
    weight_ih, weight_hh, bias = (weights[name] for name in ("weight_ih", "weight_hh", "bias"))
    if LAYERS[cell][0] == "gru":
        weight_ih, weight_hh, bias = map(exchanged, (weight_ih, weight_hh, bias))
    if cell == "gru":  # has a bias for the input, and one for h
        bias = torch.stack([bias, torch.cat([torch.zeros_like(bias[: -len(weights["bias_n"])]), weights["bias_n"]])])
    return [weight_ih.T, weight_hh.T, bias]


def _use(config: ModelConfig) -> str:
    """The lines that make the network and read the file."""
    recurrent = [LAYERS[config.cell][1].format(config.hidden_size)] * config.num_layers
    layers = [f"Embedding({config.vocab_size}, {config.embedding_dim})", *recurrent, f"Dense({config.vocab_size})"]
    made = "".join(f"    keras.layers.{layer},\n" for layer in layers)
    return f"model = keras.Sequential([\n{made}])\nmodel.build((1, None))\nmodel.load_weights({{file}})"
