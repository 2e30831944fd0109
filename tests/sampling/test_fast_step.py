from __future__ import annotations

import pytest
import torch
from torch import Tensor

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.sampling import compiled_layers, numpy_layers
from charlstm.sampling.fast_step import FastStep

pytestmark = pytest.mark.usefixtures("with_and_without_loops")

HOW_CLOSE = {"float32": 1e-5, "bfloat16": 0.05, "int8": 0.05}


def a_model(layers: int = 1, members: int = 1, hidden_size: int = 32) -> CharLSTM:
    torch.manual_seed(1)
    config = ModelConfig(vocab_size=11, hidden_size=hidden_size, num_layers=layers, ensemble_size=members, dropout=0.5)
    return CharLSTM(config).eval()


def followed(model: CharLSTM, step: FastStep, batch: int, moments: int = 12) -> tuple[Tensor, Tensor, State, State]:
    """Both ways through some random texts, the fast one in single steps: logits [B, T, V], and states."""
    ids = torch.randint(model.config.vocab_size, (batch, moments))
    begin = State(*(torch.randn_like(tensor).tanh() for tensor in model.initial_state(batch)))
    with torch.no_grad():
        expected, end = model(ids, begin)
    logits, state = [], begin
    for moment in ids.split(1, dim=1):
        scores, state = step(moment, state)
        logits.append(scores.clone())
    return torch.cat(logits, 1), expected, state, end


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize(
    ("layers", "members", "batch"), [(1, 1, 1), (3, 1, 1), (1, 2, 3), (2, 3, 5), (2, 1, 9), (1, 2, 64)]
)
def test_it_is_the_model_one_character_at_a_time(layers: int, members: int, batch: int, precision: str) -> None:
    model = a_model(layers, members)
    logits, expected, state, end = followed(model, FastStep(model, batch, precision), batch)
    close = HOW_CLOSE[precision]
    torch.testing.assert_close(logits.log_softmax(-1), expected.log_softmax(-1), atol=close, rtol=close)
    torch.testing.assert_close(state, end, atol=close, rtol=close)


@pytest.mark.parametrize("batch", [1, 16])
def test_what_is_not_a_number_stays_none(batch: int) -> None:
    model = a_model()
    torch.nn.init.constant_(model.members[0].embedding.weight, torch.nan)
    logits, *_ = followed(model, FastStep(model, batch, "int8"), batch, moments=2)
    assert logits.isnan().all()


@pytest.mark.parametrize("size", [1, 6, 33, 64, 100])
def test_int8_reads_nothing_beyond_a_row(size: int) -> None:
    model = a_model(hidden_size=size)
    logits, expected, _, _ = followed(model, FastStep(model, precision="int8"), 1)
    torch.testing.assert_close(logits, expected, atol=0.05, rtol=0.05)


def test_it_goes_on_from_any_state_and_leaves_it_as_it_was() -> None:
    model = a_model(2)
    step = FastStep(model, precision="float32")
    for _ in range(2):
        logits, expected, _, _ = followed(model, step, 1)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    given = State(torch.ones(2, 1, 32), torch.ones(2, 1, 32))
    step(torch.zeros(1, 1, dtype=torch.long), given)
    assert given.h.eq(1).all()
    assert given.c.eq(1).all()


def test_it_goes_on_from_a_state_with_a_history() -> None:
    model = a_model()
    ids = torch.zeros(1, 1, dtype=torch.long)
    _, state = model.train()(ids, model.initial_state(1))
    assert state.h.requires_grad
    assert not FastStep(model)(ids, state)[0].requires_grad


def test_a_vocabulary_too_large_for_a_table_is_projected_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for layers in (compiled_layers, numpy_layers):
        monkeypatch.setattr(layers, "LARGEST_TABLE", 100)
    model = a_model()
    logits, expected, _, _ = followed(model, FastStep(model, 2, "float32"), 2)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_what_no_member_expects_is_still_a_number() -> None:
    model = a_model(members=2)
    with torch.no_grad():
        for member in model.members:
            member.head.bias[3] = -500.0  # type: ignore[union-attr, operator, index]
    logits, expected, _, _ = followed(model, FastStep(model, 1, "float32"), 1)
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-5)


def test_it_keeps_the_weights_that_it_was_made_with() -> None:
    model = a_model()
    step, same = (FastStep(model, precision="float32") for _ in range(2))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    ids, state = torch.zeros(1, 1, dtype=torch.long), model.initial_state(1)
    torch.testing.assert_close(step(ids, state)[0], same(ids, state)[0])
    assert FastStep(model, precision="float32")(ids, state)[0].sub(same(ids, state)[0]).abs().max() > 0.1


@pytest.mark.parametrize("largest", [100, 1 << 25])
def test_ids_beyond_the_vocabulary_are_refused(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no memory is read that isn't the table's."""
    for layers in (compiled_layers, numpy_layers):
        monkeypatch.setattr(layers, "LARGEST_TABLE", largest)
    model = a_model()
    with pytest.raises(IndexError):
        FastStep(model)(torch.tensor([[11]]), model.initial_state(1))
