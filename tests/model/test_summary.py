from __future__ import annotations

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.model.summary import summary


def test_layers_shapes_and_parameters_add_up(model: CharLSTM) -> None:
    lines = [line.split() for line in summary(model, batch_size=3, seq_len=11).splitlines()]
    assert lines[1] == ["embedding", "(3,", "11,", "5)", "35"]
    assert lines[2] == ["lstm", "1", "(3,", "11,", "6)", str(4 * 6 * (6 + 5 + 1))]
    assert lines[3] == ["lstm", "2", "(3,", "11,", "6)", str(4 * 6 * (6 + 6 + 1))]
    assert lines[4] == ["linear", "(3,", "11,", "7)", str(6 * 7 + 7)]
    assert lines[5] == ["total", str(sum(int(line[-1]) for line in lines[1:5]))]


def test_tied_weights_are_counted_once() -> None:
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, tie_weights=True))
    lines = [line.split() for line in summary(model, 1, 1).splitlines()]
    assert sum(int(line[-1]) for line in lines[1:-1]) == int(lines[-1][-1])
