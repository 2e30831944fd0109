from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
import torch

from charlstm.web.weights import PRECISIONS, packed

WEIGHTS = {
    "matrix": torch.tensor([[1.0, -0.5, 0.25], [0.0, 0.0, 0.0], [-3.0, 2.0, 1e-9]]),
    "bias": torch.tensor([0.1, -1e-7, 300.0]),
}


def unpacked(packed_weights: str) -> bytes:
    return zlib.decompress(base64.b64decode(packed_weights))


def test_a_matrix_in_int8_has_a_scale_a_row_and_a_bias_stays_as_it_is() -> None:
    tensors, weights = packed(WEIGHTS, "int8")
    assert tensors == [{"name": "matrix", "shape": [3, 3]}, {"name": "bias", "shape": [3]}]
    found = unpacked(weights)
    scales, rows = np.frombuffer(found[:12], "<f4"), np.frombuffer(found[12:21], np.int8).reshape(3, 3)
    np.testing.assert_allclose(scales, [1 / 127, 0, 3 / 127])
    assert rows.tolist() == [[127, -64, 32], [0, 0, 0], [-127, 85, 0]]
    assert np.frombuffer(found[21:], "<f4").tolist() == WEIGHTS["bias"].tolist()


@pytest.mark.parametrize(("precision", "kind"), [("float16", "<f2"), ("float32", "<f4")])
def test_other_precisions_are_plain_numbers(precision: str, kind: str) -> None:
    _, weights = packed(WEIGHTS, precision)
    expected = WEIGHTS["matrix"].numpy().astype(kind).tobytes() + WEIGHTS["bias"].numpy().tobytes()
    assert unpacked(weights) == expected


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tied_weights_are_there_once(precision: str) -> None:
    tensors, weights = packed({**WEIGHTS, "tied": WEIGHTS["matrix"]}, precision)
    assert tensors[-1] == {"name": "tied", "shape": [3, 3], "like": "matrix"}
    assert weights == packed(WEIGHTS, precision)[1]
