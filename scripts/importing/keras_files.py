"""A file of Keras: what it says of its layers, and their weights, layer by layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from charlstm.errors import InputError
from importing import hdf5
from importing.keras_archive import unpacked
from importing.keras_config import KNOWN, ONLY, Layer, layers_of

LEAVES = ("embeddings", "kernel", "recurrent_kernel", "bias")
"""What the weights of a layer are called in the older `.h5` files, in the order that newer ones number them in."""

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""Where Keras 3, and 2.12 to 2.15, keep the layers of a model that has a description."""


@dataclass(frozen=True)
class Group:
    """The weights of a layer, in Keras's order.

    Attributes:
        name: of the layer; in files of Keras 3, of its class, with a number, such as `lstm_1`.
    """

    name: str
    weights: tuple[Tensor, ...]


@dataclass(frozen=True)
class Found:
    """What a file holds.

    Attributes:
        layers: what the layers are, from the lowest up; None in a file that doesn't say so.
        groups: the layers that have weights, in no order.
        by_class: whether the groups have the names of classes, and not of layers.
    """

    layers: list[Layer] | None
    groups: list[Group]
    by_class: bool


def read(path: Path) -> Found:
    """Read a `.keras`, `.h5` or `.weights.h5` file.

    Raises:
        InputError: when it is anything else, or holds what charlstm has no layers for.
    """
    hdf5.check_h5py()
    with path.open("rb") as file:
        beginning = file.read(300)
    if beginning.startswith(hdf5.SIGNATURE):
        stored = hdf5.read(path, path)
        is_whole = stored.config is not None and "model_weights" in stored.groups
        layers = layers_of(stored.config or "", path) if is_whole else None
        return _found(stored, layers, path)
    if b"/data.pkl" in beginning:
        raise InputError(f"{path}: no model of Keras: import_torch.py reads models of PyTorch")
    if beginning.startswith(b"PK"):
        with unpacked(path) as (config, weights):
            layers = layers_of(config, path)
            return _found(hdf5.read(weights, path), layers, path)
    raise InputError(f"{path}: no model of Keras: give a file that Keras saved, .keras, .h5 or .weights.h5")


def _found(stored: hdf5.Stored, layers: list[Layer] | None, path: Path) -> Found:
    """The weights of each layer, of what an HDF5 file holds."""
    by_class = any(re.search(r"(^|/)vars/\d+$", name) for name in stored.arrays)
    if layers is None:
        for name in stored.groups:
            _check_class(name, path)
    for name, kind in stored.others.items():
        if "seed_generator" not in name:  # of dropout
            raise InputError(f"{path}: {name} is of type {kind}, and weights must be floats: use another file")
    if not stored.arrays:
        raise InputError(f"{path}: no model of Keras: it has no weights")
    return Found(layers, _groups(stored.arrays, path, by_class), by_class)


def _check_class(name: str, path: Path) -> None:
    """Raise InputError for a group of a layer that can't come, as far as its name says so."""
    first, *rest = name.split("/")
    kind = re.sub(r"_\d+$", "", rest[0]) if first in CONTAINERS and rest else None
    if kind not in {None, *KNOWN} or re.search("attention|bidirectional|forward_layer|backward_layer", name):
        raise InputError(f"{path}: layer {name} can't come: {ONLY}")


def _groups(arrays: dict[str, Tensor], path: Path, by_class: bool) -> list[Group]:
    """The weights of each layer, in their order."""
    layers: dict[str, dict[int, Tensor]] = {}
    for name, array in arrays.items():
        layer, number = _numbered(name, path) if by_class else _named(name, path)
        if number in layers.setdefault(layer, {}):
            raise InputError(f"{path}: {layer} has several cells, or two directions: {ONLY}")
        layers[layer][number] = array
    for layer, weights in layers.items():
        if by_class and sorted(weights) != [*range(len(weights))]:
            raise InputError(f"{path}: {layer} has the weights {sorted(weights)}: some are missing")
    return [Group(layer, tuple(weights[n] for n in sorted(weights))) for layer, weights in layers.items()]


def _numbered(name: str, path: Path) -> tuple[str, int]:
    """`layers/lstm_1/cell/vars/0` → the layer `lstm_1`, and 0."""
    found = re.fullmatch(rf"(?:(?:{'|'.join(CONTAINERS)})/)?(.+?)(?:/cell|/layer)?/vars/(\d+)", name)
    if not found:
        raise InputError(f"{path}: {name} is no weight of a layer that charlstm has: {ONLY}")
    return found[1], int(found[2])


def _named(name: str, path: Path) -> tuple[str, int]:
    """`model_weights/lstm_1/sequential/lstm_1/lstm_cell/kernel:0` → the layer `lstm_1`, and the place of the kernel."""
    groups = name.removeprefix("model_weights/").split("/")
    leaf = groups[-1].partition(":")[0]
    if leaf not in LEAVES or len(groups) < 2:
        raise InputError(f"{path}: {name} is no weight of a layer that charlstm has: {ONLY}")
    return groups[0], LEAVES.index(leaf)
