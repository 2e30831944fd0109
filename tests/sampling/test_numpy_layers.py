from __future__ import annotations

import numpy as np
import pytest
import torch

from charlstm.model.stack import State
from charlstm.sampling.numpy_layers import NumpyLayers
from tests.sampling.test_fast_step import a_model


@torch.no_grad()
@pytest.mark.parametrize("members", [1, 3])
def test_a_step_is_the_models_and_in_the_memory_of_its_state(members: int) -> None:
    model, texts = a_model(layers=2, members=members), 3
    state = State(*(torch.randn_like(each).tanh() for each in model.initial_state(texts)))
    own = State(*(each.clone() for each in state))
    layers = NumpyLayers(model, own, "float32")
    layers.multiply()
    ids = torch.tensor([4, 0, 9])
    logits = layers.step(ids.numpy())
    for member, before, after, found in zip(model.each, state.split(members), own.split(members), logits, strict=True):
        expected, then = member(ids[:, None], before)
        torch.testing.assert_close(torch.from_numpy(found), expected[:, 0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(after, then, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_large_sums_overflow_nowhere() -> None:
    model = a_model()
    model.members[0].embedding.weight.mul_(1e30)  # type: ignore[union-attr, operator]
    own = model.initial_state(1)
    layers = NumpyLayers(model, own, "float32")
    layers.multiply()
    assert np.isfinite(layers.step(np.zeros(1, np.int64))).all()
    assert own.h.abs().max() <= 1
