from __future__ import annotations

import pytest

from charlstm.config import CELLS, ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.model.summary import layers_of, summary


def test_layers_shapes_and_parameters_add_up(model: CharLSTM) -> None:
    lines = [line.split() for line in summary(model.config, batch_size=3, seq_len=11).splitlines()]
    assert lines[1] == ["embedding", "(3,", "11,", "5)", "35"]
    assert lines[2] == ["lstm", "1", "(3,", "11,", "6)", str(4 * 6 * (6 + 5 + 1))]
    assert lines[3] == ["lstm", "2", "(3,", "11,", "6)", str(4 * 6 * (6 + 6 + 1))]
    assert lines[4] == ["linear", "(3,", "11,", "7)", str(6 * 7 + 7)]
    assert lines[5] == ["total", str(sum(int(line[-1]) for line in lines[1:5]))]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True])
def test_nothing_is_left_out_and_tied_weights_are_counted_once(cell: str, tied: bool) -> None:
    config = ModelConfig(vocab_size=7, hidden_size=6, num_layers=12, ensemble_size=2, cell=cell, tie_weights=tied)
    parameters = sum(weight.numel() for weight in CharLSTM(config).parameters())
    assert 2 * sum(layer.parameters for layer in layers_of(config)) == parameters
    assert summary(config, 1, 1).endswith(f"{parameters:,}")
