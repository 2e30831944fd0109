from __future__ import annotations

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM


def test_logits_of_every_place_and_a_state(model: CharLSTM) -> None:
    logits, state = model(torch.randint(7, (3, 11)), model.initial_state(3))
    assert logits.shape == (3, 11, 7)
    assert state.h.shape == (2, 3, 6)


def test_one_character_at_a_time_is_the_same_as_all_at_once(model: CharLSTM) -> None:
    ids = torch.randint(7, (1, 11))
    whole, _ = model(ids, model.initial_state(1))
    state, single = model.initial_state(1), []
    for moment in ids.split(1, dim=1):
        logits, state = model(moment, state)
        single.append(logits)
    torch.testing.assert_close(torch.cat(single, 1), whole)


def test_a_model_keeps_nothing_of_what_it_read(model: CharLSTM) -> None:
    ids, other = torch.randint(7, (2, 1, 11))
    before, _ = model(ids, model.initial_state(1))
    model(other, model.initial_state(1))
    assert torch.equal(model(ids, model.initial_state(1))[0], before)


def test_tied_weights_are_one_matrix() -> None:
    config = ModelConfig(vocab_size=7, hidden_size=6, tie_weights=True)
    model = CharLSTM(config)
    assert model.members[0].embedding.weight is model.members[0].head.weight
    assert sum(p.numel() for p in model.parameters()) == 7 * 6 + 4 * 6 * (6 + 6 + 1) + 7
    again = CharLSTM(config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.members[0].embedding.weight, again.members[0].head.weight)


def test_an_ensemble_says_the_mean_of_what_its_members_say() -> None:
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, num_layers=2, ensemble_size=3)).eval()
    ids, state = torch.randint(7, (4, 5)), model.initial_state(4)
    assert state.h.shape == (6, 4, 6)
    logits, after = model(ids, state)
    alone = [member(ids, part) for member, part in zip(model.members, state.split(3), strict=True)]
    torch.testing.assert_close(logits.exp(), torch.stack([said.softmax(-1) for said, _ in alone]).mean(0))
    torch.testing.assert_close(after.split(3), [member_state for _, member_state in alone])
    assert not torch.equal(alone[0][0], alone[1][0])


@pytest.mark.parametrize("rows", [1, 300])
def test_projecting_the_vocabulary_once_is_the_same_as_projecting_each_character(rows: int) -> None:
    """A batch of 300 rows has more characters than the vocabulary, so that the fast way is taken."""
    for cell in CELLS:
        model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, embedding_dim=5, dropout=0.0, cell=cell)).double()
        (member,) = model.each
        ids, state = torch.randint(7, (rows, 3)), model.initial_state(rows)
        y, _ = member.stack(member.embedding(ids), state)
        ours, theirs = model(ids, state)[0], member.head(y)
        torch.testing.assert_close(ours, theirs)
        weights = list(model.parameters())
        gradients = (torch.autograd.grad(logits.square().sum(), weights) for logits in (ours, theirs))
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_are_those_of_the_weights_without_a_weight(cell: str) -> None:
    config = ModelConfig(vocab_size=7, hidden_size=10, num_layers=2, ensemble_size=2, cell=cell)
    assert CharLSTM.shapes(config) == {name: weight.shape for name, weight in CharLSTM(config).state_dict().items()}
    huge = ModelConfig(vocab_size=10**6, hidden_size=2**16, num_layers=100, cell=cell)
    assert len(CharLSTM.shapes(huge)) > 300
