from __future__ import annotations

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.inside.trace import trace
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM
from charlstm.model.products import plain
from charlstm.model.steps import CellState


@pytest.fixture(params=CELLS)
def model(request: pytest.FixtureRequest) -> CharLSTM:
    """Two members of two layers, with dropout, in training."""
    torch.manual_seed(0)
    return CharLSTM(
        ModelConfig(
            vocab_size=7,
            hidden_size=6,
            num_layers=2,
            embedding_dim=5,
            ensemble_size=2,
            dropout=0.5,
            recurrent_dropout=0.5,
            cell=request.param,
        )
    )


def test_every_signal_of_every_layer_and_member_is_the_definitions(model: CharLSTM) -> None:
    ids = torch.randint(7, (3, 9))
    found = trace(model, ids)
    assert model.training
    assert len(found.signals) == 2
    for member, layers in zip(model.each, found.signals, strict=True):
        assert len(layers) == 2
        x, below = member.embedding(ids), None
        for cell, signals in zip(member.stack.cells, layers, strict=True):
            assert {*cell.gates, "h", "c"} <= set(signals)
            linear = plain(cell.matrices(cell.weight_hh))
            state = CellState(torch.zeros(3, 6), torch.zeros(3, 6))
            for t in range(9):
                state = CellState(state.h, state.c, below[:, t] if cell.reads_below else None)
                expected = cell.activations(cell.project(x[:, t]), state, linear)
                state = cell.update(expected, state)
                for name, values in {**expected, "h": state.h, "c": state.c}.items():
                    torch.testing.assert_close(signals[name][:, t], values, atol=1e-6, rtol=1e-6)
            x, below = signals["h"], signals["c"]


def test_its_logits_and_its_state_are_the_models_own(model: CharLSTM) -> None:
    ids = torch.randint(7, (3, 9))
    model.eval()
    with torch.no_grad():
        expected, after = model(ids, model.initial_state(3))
    whole = trace(model, ids)
    torch.testing.assert_close(whole.logits, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(tuple(whole.state), tuple(after), atol=1e-6, rtol=1e-5)
    first = trace(model, ids[:, :4])
    rest = trace(model, ids[:, 4:], first.state)
    torch.testing.assert_close(rest.logits, expected[:, 4:], atol=1e-6, rtol=1e-5)
