"""Networks of Keras, and their files."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

from tests.scripts.importing.compare import CHARACTERS

IDS, SIZE, UNITS = len(CHARACTERS), 5, 7

Kind = tuple[str, dict[str, Any]]
"""The class of a layer, and its options."""

LSTM: Kind = ("LSTM", {})


def import_keras() -> Any:
    """Keras, on top of PyTorch."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def network(keras: Any, kinds: list[Kind], *, one_hot: bool = False, answer: str | None = None, **dense: Any) -> Any:
    """The tutorials' network, with dropout between its layers and random weights."""
    made = keras.layers
    layers = [keras.Input(batch_shape=(1, None, IDS) if one_hot else (1, None))]
    if not one_hot:
        layers.append(made.Embedding(IDS, SIZE))
    for kind, options in kinds:
        layers += [getattr(made, kind)(UNITS, return_sequences=True, **options), made.Dropout(0.2)]
    return filled(keras.Sequential([*layers, made.Dense(IDS, activation=answer, **dense)]))


def filled(model: Any) -> Any:
    """The model with weights that are neither small nor zero, the biases too."""
    random = np.random.default_rng(1)
    model.set_weights([random.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def save(model: Any, ending: str) -> str:
    """The file of a model, in one of Keras's formats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(model, "save_weights" if ending == ".weights.h5" else "save")(f"model{ending}")
    return f"model{ending}"
