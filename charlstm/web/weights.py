"""The weights of a model as a page holds them: rounded, packed, and as base64. `weights.js` reads them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

PRECISIONS = ("int8", "float16", "float32")


def packed(weights: Mapping[str, Tensor], precision: str) -> tuple[list[dict[str, Any]], str]:
    """A description of each tensor, in their order, and all of them, in base64 of deflated bytes.

    With `int8`, each row of a matrix is whole numbers from -127 to 127 and a scale in float32: the scales come first.
    What isn't a matrix stays in float32. A tensor that is another one's (of tied weights) is only named.
    """
    tensors: list[dict[str, Any]] = []
    names: dict[tuple[int, torch.Size], str] = {}
    parts: list[bytes] = []
    for name, weight in weights.items():
        described = {"name": name, "shape": list(weight.shape)}
        tensors.append(described)
        if like := names.get((weight.data_ptr(), weight.shape)):
            described["like"] = like
            continue
        names[weight.data_ptr(), weight.shape] = name
        parts += _bytes(weight.detach().float().cpu().numpy(), precision)
    return tensors, base64.b64encode(zlib.compress(b"".join(parts), 9)).decode()


def _bytes(weight: np.ndarray[Any, np.dtype[np.float32]], precision: str) -> Iterator[bytes]:
    if weight.ndim > 1 and precision == "int8":
        scales = np.abs(weight).max(1, initial=0) / np.float32(127)
        yield scales.astype("<f4").tobytes()
        yield np.rint(weight / np.maximum(scales, np.finfo(np.float32).tiny)[:, None]).astype(np.int8).tobytes()
    else:
        yield weight.astype("<f2" if weight.ndim > 1 and precision == "float16" else "<f4").tobytes()
