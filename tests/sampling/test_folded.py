from __future__ import annotations

import torch

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.sampling.folded import weights_of


def test_each_layers_h_meets_its_own_weights_and_those_of_the_layer_above() -> None:
    torch.manual_seed(0)
    (member,) = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, num_layers=2)).each
    (low, bias), (high, of_head) = weights_of(member)
    lowest, highest = member.stack.cells
    h = torch.randn(6)
    torch.testing.assert_close(low @ h, torch.cat([lowest.weight_hh @ h, highest.weight_ih @ h]))
    torch.testing.assert_close(high @ h, torch.cat([highest.weight_hh @ h, member.head.weight @ h]))
    assert torch.equal(bias, highest.bias)
    assert torch.equal(of_head, member.head.bias)


def test_rows_of_gates_are_ordered_and_those_of_the_head_are_not() -> None:
    (member,) = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, num_layers=2)).each
    plain, ordered = weights_of(member), weights_of(member, lambda rows: 2 * rows.flip(0))
    for number, ((weight, bias), (of_ordered, its_bias)) in enumerate(zip(plain, ordered, strict=True)):
        own, above = weight[:24], weight[24:]
        expected = [2 * own.flip(0), above] if number else [2 * own.flip(0), 2 * above.flip(0)]
        assert torch.equal(of_ordered, torch.cat(expected))
        assert torch.equal(its_bias, bias if number else 2 * bias.flip(0))


def test_they_are_copies() -> None:
    (member,) = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6)).each
    ((weight, bias),) = weights_of(member)
    before = weight.clone(), bias.clone()
    with torch.no_grad():
        for own in member.parameters():
            own.add_(1)
    assert torch.equal(weight, before[0])
    assert torch.equal(bias, before[1])
    assert not bias.requires_grad
