from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from charlstm.loops.compiling import has_loops
from charlstm.model.stack import State
from charlstm.sampling import compiled_layers, few_rows
from charlstm.sampling.compiled_layers import CompiledLayers
from charlstm.sampling.few_rows import FEW
from charlstm.sampling.numpy_layers import NumpyLayers
from tests.sampling.test_fast_step import a_model

pytestmark = pytest.mark.skipif(not has_loops(), reason="there are no compiled loops")

STEPS = 8


@torch.no_grad()
def written(precision: str, texts: int, kind: type = CompiledLayers, size: int = 100) -> Tensor:
    """The logits of some steps, [T, members, B, V]. The first texts are the same, however many there are."""
    model = a_model(layers=2, members=2, hidden_size=size)
    torch.manual_seed(2)
    begin = State(*torch.randn(2, 4, FEW, size).tanh()[:, :, :texts].clone())
    ids = torch.randint(model.config.vocab_size, (STEPS, FEW))[:, :texts].clone()
    layers = kind(model, begin, precision)
    layers.multiply()
    return torch.stack([torch.from_numpy(layers.step(each.numpy()).copy()) for each in ids])


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_the_size_of_a_team_changes_no_bit(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own products stay on one thread here: with more, the last bits of a table may be others."""
    alone = written(precision, 3)
    for threads in (2, 3):
        monkeypatch.setattr(compiled_layers, "threads_for", lambda units, threads=threads: threads)
        assert torch.equal(written(precision, 3), alone)


def test_a_text_is_what_it_would_be_alone_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_layers, "takes_integers", lambda weight, rows: False)
    eight = written("int8", FEW)
    for texts in (1, 3):
        assert torch.equal(written("int8", texts), eight[:, :, :texts])


@pytest.mark.parametrize("size", [5, 100])
def test_int8_of_few_texts_is_nearer_to_the_model_than_one_percent(size: int) -> None:
    ours, exact = (written(precision, 2, size=size) for precision in ("int8", "float32"))
    assert (ours - exact).abs().max() < 0.01 * exact.abs().max()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_they_are_numpys(precision: str) -> None:
    ours, theirs = (written(precision, 5, kind) for kind in (CompiledLayers, NumpyLayers))
    close = 1e-5 if precision == "float32" else 0.03
    torch.testing.assert_close(ours, theirs, atol=close, rtol=close)


def test_the_largest_sum_of_integers_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and h are as large as they can be, and a row is longer than any: no sum overflows."""
    monkeypatch.setattr(compiled_layers, "takes_integers", lambda weight, rows: False)
    size = 1024
    weight, h = torch.ones(4 * size + 3, size), torch.ones(1, size)
    above, table = np.zeros((1, 3), np.float32), np.zeros((1, 4 * size), np.float32)
    layer = compiled_layers._Layer(
        weight, torch.zeros(3), h, torch.zeros(1, size), table, np.zeros(1, np.int64), above, "int8"
    )
    layer.multiply()
    np.testing.assert_allclose(above, size, rtol=1e-3)
    assert layer.sizes[5] * 127 * layer.sizes[3] <= compiled_layers.MOST


@pytest.mark.parametrize(("has_vnni", "precisions"), [(False, ["int8"]), (True, ["int8", "uint8"])])
def test_a_large_model_may_need_another_loop(
    has_vnni: bool, precisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few_rows, "_has_int8", lambda: True)
    monkeypatch.setattr(few_rows, "_has_vnni", lambda: has_vnni)
    assert compiled_layers.precisions_of_one() == precisions
