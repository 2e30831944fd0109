from __future__ import annotations

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM
from charlstm.sampling import cell_step
from charlstm.sampling.cell_step import CellStep
from tests.sampling.test_fast_step import HOW_CLOSE


def a_model(cell: str, layers: int = 1, members: int = 1) -> CharLSTM:
    torch.manual_seed(1)
    shape = {"hidden_size": 32, "num_layers": layers, "ensemble_size": members}
    return CharLSTM(ModelConfig(vocab_size=11, cell=cell, dropout=0.5, **shape)).eval()


@pytest.mark.parametrize("precision", HOW_CLOSE)
@pytest.mark.parametrize("cell", CELLS)
def test_it_is_the_model_one_character_at_a_time(cell: str, precision: str) -> None:
    for layers, members, batch in ((1, 1, 1), (2, 2, 3)):
        model = a_model(cell, layers, members)
        step, state, seen = CellStep(model, batch, precision), model.initial_state(batch), []
        ids = torch.randint(11, (batch, 12))
        with torch.no_grad():
            expected, end = model(ids, state)
        for moment in ids.split(1, dim=1):
            scores, state = step(moment, state)
            seen.append(scores.clone())
        close = HOW_CLOSE[precision]
        torch.testing.assert_close(torch.cat(seen, 1).log_softmax(-1), expected.log_softmax(-1), atol=close, rtol=close)
        torch.testing.assert_close(state, end, atol=close, rtol=close)


@pytest.mark.parametrize("cell", CELLS)
def test_it_keeps_the_weights_that_it_was_made_with(cell: str) -> None:
    model = a_model(cell, layers=2)
    step, same = (CellStep(model, precision="float32") for _ in range(2))
    ids, state = torch.zeros(1, 1, dtype=torch.long), model.initial_state(1)
    before = same(ids, state)[0].clone()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    torch.testing.assert_close(step(ids, state)[0], before)
    assert CellStep(model, precision="float32")(ids, state)[0].sub(before).abs().max() > 0.1


def test_a_vocabulary_too_large_for_a_table_is_projected_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_step, "LARGEST_TABLE", 100)
    model = a_model("gru")
    ids, state = torch.zeros(1, 1, dtype=torch.long), model.initial_state(1)
    torch.testing.assert_close(CellStep(model, precision="float32")(ids, state)[0], model(ids, state)[0])
