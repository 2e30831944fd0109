from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.errors import RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.text.ids import Ids
from charlstm.training.dynamic import SEGMENT, adapt, gradient_sizes, restoring
from charlstm.training.evaluation import score


@pytest.fixture
def model() -> CharLSTM:
    torch.manual_seed(1)
    return CharLSTM(ModelConfig(vocab_size=5, hidden_size=16, embedding_dim=8, dropout=0.5)).eval()


def over_and_over(pattern: list[int], times: int) -> Ids:
    return np.array(pattern * times, dtype=np.uint8)


def test_a_text_that_repeats_itself_is_learned_while_it_is_read(model: CharLSTM) -> None:
    text = over_and_over([0, 1, 2, 3, 4, 4, 1], 300)
    static = score(model, text)
    with restoring(model):
        dynamic = adapt(model, text, gradient_sizes(model, text))
        assert max(score(model, text).nats, dynamic.nats) < 0.95 * static.nats  # it keeps what it learned
    assert dynamic.characters == static.characters == len(text) - 1
    assert score(model, text) == static


def test_what_goes_wrong_while_adapting_is_told(model: CharLSTM) -> None:
    text = over_and_over([0, 1, 2, 3, 4], 2 * SEGMENT)
    sizes = gradient_sizes(model, text)
    with restoring(model), pytest.raises(RunError, match="not finite numbers"):
        torch.nn.init.constant_(model.members[0].head.bias, torch.nan)
        adapt(model, text, sizes)


def test_each_segment_is_scored_before_the_weights_see_it(model: CharLSTM) -> None:
    text = over_and_over([0, 1, 2, 3, 4], SEGMENT)[: SEGMENT + 1]
    static = score(model, text).nats
    assert adapt(model, text, gradient_sizes(model, text)).nats == pytest.approx(static, rel=1e-5)
    assert score(model, text).nats < static


def test_what_stood_in_the_text_before_is_expected(model: CharLSTM) -> None:
    """Only by the n-grams: the model itself would need much longer."""
    once = np.random.default_rng(1).integers(5, size=600).astype(np.uint8)
    sizes = gradient_sizes(model, once)

    def nats_of(ids: Ids, before: Ids | None = None) -> float:
        with restoring(model):
            return adapt(model, ids, sizes, before=before).nats

    new = nats_of(once)
    assert new == pytest.approx(score(model, once).nats, rel=0.05)
    assert nats_of(once, before=once) < 0.5 * new


def test_the_sizes_are_root_mean_squares_and_leave_no_trace(model: CharLSTM) -> None:
    text = over_and_over([0, 1, 2, 3], SEGMENT)[: SEGMENT + 1]
    before = score(model, text)
    (sizes,) = gradient_sizes(model.train(), text)
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())
    x = torch.from_numpy(text.astype(np.int64))[None]
    logits, _ = model.eval()(x[:, :-1], model.initial_state(1))
    torch.nn.functional.cross_entropy(logits[0], x[0, 1:]).backward()
    for size, weight in zip(sizes, model.parameters(), strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(size, weight.grad.abs(), rtol=1e-4, atol=1e-7)
    assert score(model, text) == before


def test_the_weights_are_restored_whatever_happens(model: CharLSTM, tmp_path: Path) -> None:
    text = over_and_over([0, 1, 2, 3, 4], 50)
    before = score(model, text)
    sizes = gradient_sizes(model, text)

    def interrupt(characters: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), restoring(model):
        adapt(model, text, sizes, interrupt)
    assert score(model, text) == before


@pytest.mark.parametrize("threads", [1, 2])
def test_members_adapt_each_by_itself_and_are_scored_together(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = CharLSTM(ModelConfig(vocab_size=5, hidden_size=16, embedding_dim=8, ensemble_size=2)).eval()
    text = over_and_over([0, 1, 2, 3, 4, 4, 1], 100)
    static, read = score(model, text), []
    with restoring(model):
        sizes = gradient_sizes(model, text)
        dynamic = adapt(model, text, sizes, read.append)
        adapted = copy.deepcopy([member.state_dict() for member in model.members])
        assert max(score(model, text).nats, dynamic.nats) < 0.95 * static.nats
    assert sum(read) == 2 * (len(text) - 1) == 2 * dynamic.characters
    for number, member in enumerate(adapted):  # which is what it would be alone
        alone = CharLSTM(ModelConfig(vocab_size=5, hidden_size=16, embedding_dim=8))
        alone.members[0].load_state_dict(model.members[number].state_dict())
        adapt(alone, text, sizes[number : number + 1])
        for name, weight in alone.members[0].state_dict().items():
            torch.testing.assert_close(weight, member[name])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failure_ends_it_for_all_members(threads: int) -> None:
    torch.set_num_threads(threads)
    model = CharLSTM(ModelConfig(vocab_size=5, hidden_size=16, embedding_dim=8, ensemble_size=2))
    read: list[int] = []

    def fail(characters: int) -> None:
        read.append(characters)
        if len(read) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gradient_sizes(model, over_and_over([0, 1, 2], 1000), fail)
    assert len(read) == 5
    assert model.training


def test_a_model_that_nothing_surprises_stays_a_model(model: CharLSTM) -> None:
    """The gradients of a model that is certain are zero, and nothing is to be divided by them."""
    ids = over_and_over([0], 3 * SEGMENT)
    with torch.no_grad():
        for member in model.each:
            member.head.weight.zero_()
            member.head.bias.copy_(torch.tensor([500.0, 0, 0, 0, 0]))
    sizes = gradient_sizes(model, ids)
    assert not any(size.any() for of_member in sizes for size in of_member)
    assert adapt(model, ids, sizes).nats == 0
    surprised = adapt(model, over_and_over([0, 1], 3 * SEGMENT), sizes)
    assert np.isfinite(surprised.nats)
    assert all(weight.isfinite().all() for weight in model.parameters())
