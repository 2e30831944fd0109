"""What Keras says of a model's layers: which of them charlstm has, and how they are meant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charlstm.errors import InputError
from importing.keras_graph import in_order

LONGEST = 1 << 18
"""The most characters of a description. A layer takes about 1,500."""

ONLY = "only a chain of Embedding, LSTM, GRU or SimpleRNN, dropout and Dense can come"
"""What a model may be."""

WITHOUT_EFFECT = (
    *("InputLayer", "Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    "ActivityRegularization",
)
"""Layers that do nothing when a model writes."""

RECURRENT = ("LSTM", "GRU", "SimpleRNN")

OTHERS = ("Embedding", "Dense", "TimeDistributed", "Activation", "Softmax")

ANSWERS = ("linear", "softmax")
"""What may follow the last product: the logits are what is before a softmax."""


def stored_name(kind: str) -> str:
    """`SimpleRNN` → `simple_rnn`, what Keras 3 calls the weights of a class."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


KNOWN = {stored_name(kind) for kind in (*WITHOUT_EFFECT, *RECURRENT, *OTHERS)}
"""All classes that can come, by these names."""


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    Attributes:
        kind: its class, one of `RECURRENT`, Embedding, Dense or Softmax.
        stored_as: the class under whose name Keras 3 keeps its weights, such as TimeDistributed for a Dense in one.
        reset_after: of a GRU, if it says so.
    """

    name: str
    kind: str
    stored_as: str
    reset_after: bool | None = None
    is_softmax: bool = False


def layers_of(text: str, path: Path) -> list[Layer] | None:
    """The layers that have weights, from the lowest up, from the JSON that Keras writes.

    Returns:
        None for a model of a class of its own, which says nothing of its layers.

    Raises:
        InputError: for a layer that charlstm doesn't have, by its name and class.
    """
    if len(text) > LONGEST:
        raise InputError(f"{path}: what it says of its layers is longer than a model's: use another file")
    try:
        model = json.loads(text)
        config = model["config"]
        if model["class_name"] not in ("Sequential", "Functional", "Model"):
            if isinstance(config, dict) and "layers" in config:
                raise InputError(f"a model of the class {model['class_name']} can't come: {ONLY}")
            return None
        described = in_order(config["layers"] if isinstance(config, dict) else config)
        layers = _checked([layer for each in described if (layer := _layer(each, *_named(each)))])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: what it says of its layers can't be read: save it again with Keras") from None
    return layers


def _checked(layers: list[Layer]) -> list[Layer]:
    """The layers with weights, where all stand in the order that charlstm has them in."""
    order = "".join("R" if layer.kind in RECURRENT else layer.kind[0] for layer in layers)
    softmax = [layer.name for layer in layers if layer.is_softmax]
    if not re.fullmatch("E?R+DS?", order):
        raise InputError(f"its layers are {', '.join(layer.kind for layer in layers) or 'none'}: {ONLY}")
    if len(softmax) > 1:
        raise InputError(f"layers {' and '.join(softmax)} are a softmax each: only one can come")
    return [layer for layer in layers if layer.kind != "Softmax"]


def _named(described: dict[str, Any]) -> tuple[str, str]:
    """The name and the class of a layer, which must be one of Keras's own."""
    kind = str(described["class_name"])
    name = str(described["config"].get("name", kind))
    module = described.get("module")
    if described.get("registered_name") or (module and not module.startswith(("keras", "tf_keras", "tensorflow"))):
        raise InputError(f"layer {name} is of a class of its own, {kind}, and can't come: {ONLY}")
    return name, kind


def _layer(described: dict[str, Any], name: str, kind: str) -> Layer | None:
    """A layer, or None for one without effect.

    Raises:
        InputError: for all others.
    """
    config = described["config"]
    if kind in WITHOUT_EFFECT:
        return None
    if kind in ("Activation", "Softmax"):
        _expect(config, name, {"activation": (None, *ANSWERS), "axis": (None, -1, 2)})
        is_softmax = kind == "Softmax" or _plain(config.get("activation")) == "softmax"
        return Layer(name, "Softmax", kind, is_softmax=True) if is_softmax else None
    if kind == "TimeDistributed":
        inner = config["layer"]
        _, inside = _named(inner)
        if inside == "Dense" and (dense := _layer(inner, name, inside)):
            return replace(dense, stored_as=kind)
        raise InputError(f"layer {name} (TimeDistributed of {inside}) can't come: {ONLY}")
    if kind == "Embedding":
        _expect(config, name, {"mask_zero": (None, False)})
    elif kind == "Dense":
        _expect(config, name, {"activation": (None, *ANSWERS)})
        return Layer(name, kind, kind, is_softmax=_plain(config.get("activation")) == "softmax")
    elif kind in RECURRENT:
        _expect(config, name, dict.fromkeys(("go_backwards", "time_major"), (None, False)))
        _expect(config, name, {"activation": ("tanh",)}, default="tanh")
        if kind != "SimpleRNN":
            _expect(config, name, {"recurrent_activation": ("sigmoid",)}, default="sigmoid")
    else:
        raise InputError(f"layer {name} ({kind}) can't come: {ONLY}")
    # GRUs that don't say so are older than the choice.
    return Layer(name, kind, kind, bool(config.get("reset_after", False)) if kind == "GRU" else None)


def _expect(config: dict[str, Any], name: str, allowed: dict[str, tuple[object, ...]], default: object = None) -> None:
    """Raise InputError for a setting that charlstm's layer doesn't have."""
    for setting, values in allowed.items():
        given = _plain(config.get(setting, default))
        if not any(given is value or (type(given) is type(value) and given == value) for value in values):
            wanted = " or ".join(str(value) for value in values if value is not None)
            raise InputError(f"layer {name} has {setting}={given}: only {wanted} can come")


def _plain(setting: object) -> object:
    """A setting; of a function its name, as some versions of Keras write it."""
    return setting.get("config") if isinstance(setting, dict) else setting
