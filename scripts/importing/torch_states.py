"""From a state dict of plain PyTorch to the tensors of charlstm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charlstm.errors import InputError
from charlstm.saved import container
from importing.chain import Chain, Product, Recurrent
from importing.gates import CELL_WITH, biases_of_gru
from importing.ordering import embedding_and_head, stacked

RECURRENT = re.compile(r"(.*?)\.?(weight|bias)_(ih|hh|hr)_l(\d+)(_reverse)?")
"""The names of the weights of nn.LSTM, nn.GRU and nn.RNN: module, kind, of x or h, layer, direction."""

ONLY = "a chain of nn.Embedding, nn.LSTM, nn.GRU or nn.RNN, and nn.Linear can come"
"""What a model may be."""


def read(path: Path) -> Chain:
    """The model in a file of a state dict.

    Raises:
        InputError: for what isn't one, or can't come.
    """
    with path.open("rb") as file:
        if file.read(4) == b"\x89HDF":
            raise InputError(f"{path}: no model of PyTorch: import_keras.py reads models of Keras")
    try:
        contents = container.load(path)
    except InputError as error:
        raise InputError(f"{error}; {REMEDY}") from None
    try:
        return _model(_state_dict(contents))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


REMEDY = "what can come is written by torch.save(model.state_dict(), FILE)"


def _state_dict(contents: Any) -> dict[str, Tensor]:
    """The tensors by name: those of the file, or of the one dictionary of tensors that is in it."""
    inside = contents if isinstance(contents, dict) else {}
    if "model_config" in inside and "vocab" in inside:
        raise InputError("it is a checkpoint of charlstm: nothing needs to be brought in")
    named = {str(name): each for name, each in inside.items() if _is_state_dict(each)}
    if _is_state_dict(contents):
        return dict(contents)
    if len(named) > 1:
        raise InputError(f"it has several models, {', '.join(named)}: save one alone")
    if not named:
        raise InputError(f"no state dict of PyTorch: {REMEDY}")
    return next(iter(named.values()))


def _is_state_dict(value: Any) -> bool:
    """Whether a value is a dictionary of tensors by name."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def _model(tensors: dict[str, Tensor]) -> Chain:
    """The layers of a state dict."""
    modules: dict[str, dict[int, dict[str, Tensor]]] = {}
    rest = dict(tensors)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise InputError(f"{name} is of type {tensor.dtype}, and weights must be floats")
        if part := RECURRENT.fullmatch(name):
            module, kind, of, layer, reverse = part.groups()
            if reverse or of == "hr":
                what = "two directions (bidirectional)" if reverse else "a projection (proj_size)"
                raise InputError(f"{module or name} has {what}: {ONLY}")
            modules.setdefault(module, {}).setdefault(int(layer), {})[f"{kind}_{of}"] = rest.pop(name).float()
    if not modules:
        raise InputError(f"it has no nn.LSTM, nn.GRU or nn.RNN: {ONLY}")
    layers = stacked([_layers(module, found) for module, found in modules.items()])
    embedding, head = embedding_and_head(_products(rest), layers)
    notes = ["tanh is taken for the nn.RNN: a state dict doesn't say which it was"] if layers[0].cell == "rnn" else []
    return Chain(embedding, head, layers, notes)


def _layers(module: str, found: dict[int, dict[str, Tensor]]) -> list[Recurrent]:
    """The layers of one module, from the lowest up."""
    if sorted(found) != [*range(len(found))]:
        raise InputError(f"{module} has the layers {', '.join(map(str, sorted(found)))}: some are missing")
    return [_recurrent(f"{module}_l{number}" if number else module, found[number]) for number in range(len(found))]


def _recurrent(name: str, found: dict[str, Tensor]) -> Recurrent:
    """A layer from its weight_ih and weight_hh, [gates · H, ...], and bias_ih and bias_hh, if it has them.

    Raises:
        InputError: for other shapes.
    """
    of_x, of_h = (found.get(f"weight_{each}", torch.empty(0)) for each in ("ih", "hh"))
    rows, size = of_h.shape if of_h.dim() == 2 else (0, 0)
    gates = rows // max(size, 1)
    bias_x, bias_h = (found.get(f"bias_{each}", torch.zeros(rows)) for each in ("ih", "hh"))
    if ("bias_ih" in found) != ("bias_hh" in found):
        raise InputError(f"{name} has one bias, and nn.LSTM, nn.GRU and nn.RNN have two, or none")
    shapes = [tuple(each.shape) for each in (of_x, of_h, bias_x, bias_h)]
    wanted = [(rows, *of_x.shape[1:]), (gates * size, size), (rows,), (rows,)]
    if gates not in CELL_WITH or shapes != wanted or of_x.dim() != 2:
        raise InputError(f"{name} has weights of the shapes {shapes}: that is no nn.LSTM, nn.GRU or nn.RNN")
    biases = biases_of_gru(bias_x, bias_h) if gates == 3 else {"bias": bias_x + bias_h}
    return Recurrent(name, CELL_WITH[gates], {"weight_ih": of_x, "weight_hh": of_h, **biases})


def _products(rest: dict[str, Tensor]) -> list[Product]:
    """The matrices that are left, with their biases.

    Raises:
        InputError: for anything else that is left.
    """
    products = []
    for name in [name for name, tensor in rest.items() if name.endswith("weight") and tensor.dim() == 2]:
        weight, bias = rest.pop(name), rest.pop(f"{name.removesuffix('weight')}bias", None)
        products.append(Product(name, weight, bias))
    if rest:
        raise InputError(f"what {next(iter(rest))} is for can't be told: {ONLY}")
    return products
