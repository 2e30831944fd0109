"""From what a file of Keras holds to the tensors of charlstm."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from charlstm.errors import InputError
from importing import keras_files
from importing.chain import Chain
from importing.keras_cells import is_recurrent, product, recurrent, turned
from importing.keras_config import ONLY, RECURRENT, Layer, stored_name
from importing.keras_files import Found, Group
from importing.ordering import embedding_and_head, stacked


def read(path: Path) -> Chain:
    """The model in a file of Keras.

    Raises:
        InputError: for what isn't one, or can't come.
    """
    found = keras_files.read(path)
    try:
        return _alone(found.groups) if found.layers is None else _described(found, found.layers)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _described(found: Found, layers: list[Layer]) -> Chain:
    """The model of a file that says what its layers are."""
    weights = _by_layer(found, layers)
    cells = [
        recurrent(layer.name, weights[layer.name], layer.kind, bool(layer.reset_after))
        for layer in layers
        if layer.kind in RECURRENT
    ]
    embedding = product(layers[0].name, weights[layers[0].name]) if layers[0].kind == "Embedding" else None
    head = turned(product(layers[-1].name, weights[layers[-1].name]))
    return Chain(embedding, head, cells)


def _by_layer(found: Found, layers: list[Layer]) -> dict[str, tuple[Tensor, ...]]:
    """The weights of each layer, by its name.

    Raises:
        InputError: where there are none, or others.
    """
    if not found.by_class:
        weights = {group.name: group.weights for group in found.groups}
        if missing := [layer.name for layer in layers if layer.name not in weights]:
            raise InputError(f"{missing[0]} has no weights in the file")
        return weights
    weights = {}
    for kind in {layer.stored_as for layer in layers}:
        named = [layer.name for layer in layers if layer.stored_as == kind]
        groups = _numbered(found.groups, stored_name(kind))
        if len(groups) != len(named):
            raise InputError(f"it says that it has {len(named)} of {kind}, and has weights of {len(groups)}")
        weights |= {name: group.weights for name, group in zip(named, groups, strict=True)}
    return weights


def _numbered(groups: list[Group], stem: str) -> list[Group]:
    """The groups `lstm`, `lstm_1`, `lstm_2` … in this order."""
    parts = {re.fullmatch(rf"{stem}(?:_(\d+))?", group.name): group for group in groups}
    numbers = {int(part[1] or 0): group for part, group in parts.items() if part}
    return [numbers[number] for number in sorted(numbers)]


def _alone(groups: list[Group]) -> Chain:
    """The model of a file of weights alone: what the layers are follows from the shapes."""
    blocks, products = [], []
    for group in groups:
        if not any(weight.dim() for weight in group.weights):
            continue  # of a metric
        if is_recurrent(group.weights):
            blocks.append([recurrent(group.name, group.weights)])
        else:
            products.append(product(group.name, group.weights))
    if not blocks:
        raise InputError(f"it has no recurrent layer: {ONLY}")
    cells = stacked(blocks)
    unsure = any(len(group.weights) == 2 and is_recurrent(group.weights) for group in groups) and cells[0].cell == "gru"
    defaults = "tanh, sigmoid, reset_after" if unsure else "tanh, sigmoid"
    notes = [f"the file has weights alone: for all else Keras's defaults are taken ({defaults})"]
    return Chain(*embedding_and_head(products, cells, turned), cells, notes)
