"""Files of Keras that are made by hand."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.scripts.importing.compare import vocab
from tests.scripts.importing.networks import IDS, SIZE, UNITS

h5py = pytest.importorskip("h5py")
KERNEL = "layers/lstm/cell/vars/0"
SHAPES = {
    "layers/embedding/vars/0": (IDS, SIZE),
    KERNEL: (SIZE, 4 * UNITS),
    "layers/lstm/cell/vars/1": (UNITS, 4 * UNITS),
    "layers/lstm/cell/vars/2": (4 * UNITS,),
    "layers/dense/vars/0": (UNITS, IDS),
    "layers/dense/vars/1": (IDS,),
}

HUGE = {"shape": (50_000_000, 50_000_000), "dtype": "f4", "chunks": (256, 256)}
"""A dataset that says that it has 8.88 PiB."""


def layer(kind: str, **config: Any) -> dict[str, Any]:
    """What Keras writes of a layer."""
    return {"class_name": kind, "config": {"name": kind.lower(), **config}}


def sequential(*layers: dict[str, Any]) -> str:
    """What Keras writes of a model."""
    return json.dumps({"class_name": "Sequential", "config": {"layers": layers}})


CHAIN = (layer("Embedding"), layer("LSTM"), layer("Dense"))


def weights(change: Callable[[Any], object] = lambda file: None, without: str | None = None) -> bytes:
    """An HDF5 file of a model's weights, after a change."""
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        for name, shape in SHAPES.items():
            if name != without:
                file[name] = np.full(shape, 0.1, np.float32)
        change(file)
    return made.getvalue()


def replaced(**options: Any) -> bytes:
    """Weights with another kernel."""
    return weights(lambda file: file.create_dataset(KERNEL, **options), without=KERNEL)


def archive(
    config: str | bytes | None = None,
    inner: bytes | None = None,
    packed: int = zipfile.ZIP_STORED,
    more: dict[str, bytes] | None = None,
) -> bytes:
    """A `.keras` file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packed) as container:
        container.writestr("metadata.json", "{}")
        container.writestr("config.json", sequential(*CHAIN) if config is None else config)
        container.writestr("model.weights.h5", weights() if inner is None else inner)
        for name, content in (more or {}).items():
            container.writestr(name, content)
    return made.getvalue()


def told(command: ModuleType, name: str, capsys: pytest.CaptureFixture[str], status: int = 2) -> str:
    """The last line that is told of a file; it is the only one where the file is refused."""
    capsys.readouterr()
    assert command.main([name, "--vocab", str(vocab()), "--out", "out.pt"]) == status
    assert Path("out.pt").exists() == (status == 0)
    lines = capsys.readouterr().err.splitlines()
    assert status == 0 or len(lines) == 1
    return lines[-1]
