from __future__ import annotations

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.model.transplant import Transplant, transplant


def model_of(characters: str, seed: int, tied: bool = False) -> CharLSTM:
    torch.manual_seed(seed)
    model = CharLSTM(ModelConfig(vocab_size=len(characters), hidden_size=6, tie_weights=tied))
    torch.nn.init.normal_(model.members[0].head.bias)
    return model.eval()


def test_the_same_characters_give_the_same_model() -> None:
    old, new = model_of("abc", 0), model_of("abc", 1)
    assert transplant(old.state_dict(), "abc", new, "abc") == Transplant(known=3, related=0, fresh=0, gone=0)
    assert all(torch.equal(new.state_dict()[name], value) for name, value in old.state_dict().items())


@pytest.mark.parametrize("tied", [False, True])
def test_rows_follow_their_characters(tied: bool) -> None:
    old, new = model_of("Aacz", 0, tied), model_of("BCabｃ", 1, tied)
    before = {name: value.clone() for name, value in new.state_dict().items()}
    moved = transplant(old.state_dict(), "Aacz", new, "BCabｃ")
    assert moved == Transplant(known=1, related=2, fresh=2, gone=3)
    for ours, theirs, fresh in (
        (new.members[0].embedding.weight, old.members[0].embedding.weight, before["members.0.embedding.weight"]),
        (new.members[0].head.weight, old.members[0].head.weight, before["members.0.head.weight"]),
    ):
        assert torch.equal(ours[2], theirs[1])  # a
        assert torch.equal(ours[1], theirs[2])  # C from c
        assert torch.equal(ours[4], theirs[2])  # wide c from c
        assert torch.equal(ours[[0, 3]], fresh[[0, 3]])
    assert new.members[0].head.bias[0] == new.members[0].head.bias[3] == old.members[0].head.bias.min()
    assert torch.equal(new.members[0].stack.layers[0].weight_hh, old.members[0].stack.layers[0].weight_hh)


def test_nothing_in_common_leaves_the_layers() -> None:
    old, new = model_of("abc", 0), model_of("雨河", 1)
    assert transplant(old.state_dict(), "abc", new, "雨河") == Transplant(known=0, related=0, fresh=2, gone=3)
    assert torch.equal(new.members[0].stack.layers[0].weight_ih, old.members[0].stack.layers[0].weight_ih)


def test_what_is_known_is_predicted_as_before() -> None:
    old, new = model_of("abc", 0), model_of("-abc", 1)
    transplant(old.state_dict(), "abc", new, "-abc")
    ids = torch.tensor([[0, 1, 2, 1]])
    theirs, _ = old(ids, old.initial_state(1))
    ours, _ = new(ids + 1, new.initial_state(1))
    torch.testing.assert_close(ours[..., 1:], theirs)


def test_a_character_may_begin_as_another_for_a_reason_of_its_own() -> None:
    old, new = model_of("ab", 0), model_of("bc", 1)
    assert transplant(old.state_dict(), "ab", new, "bc", {"c": "a"}) == Transplant(known=1, related=1, fresh=0, gone=1)
    assert torch.equal(new.members[0].head.weight, old.members[0].head.weight[[1, 0]])
