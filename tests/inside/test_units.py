from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from charlstm.config import ModelConfig
from charlstm.errors import InputError, RunError
from charlstm.inside import units
from charlstm.inside.properties import PROPERTIES
from charlstm.inside.trace import trace
from charlstm.inside.units import FoundUnit, auc, bits_lost, find_units, qualifying
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM, mean_of
from charlstm.model.products import plain
from charlstm.model.stack import State
from charlstm.model.steps import CellState
from charlstm.text.vocab import END, UNKNOWN, Vocab

VOCAB = Vocab("\n .ABabc")


def text_of(length: int, seed: int = 0) -> str:
    """Random characters of the vocabulary."""
    return "".join(np.random.default_rng(seed).choice([*VOCAB.characters], length))


def model_of(cell: str, vocab: Vocab = VOCAB) -> CharLSTM:
    """Two members of two layers, with dropout, in training; exact enough to be compared to the last digits."""
    torch.manual_seed(0)
    config = ModelConfig(
        vocab_size=len(vocab),
        hidden_size=9,
        num_layers=2,
        embedding_dim=5,
        ensemble_size=2,
        dropout=0.5,
        recurrent_dropout=0.5,
        cell=cell,
    )
    return CharLSTM(config).double()


def by_hand(responses: dict[int, str], vocab: Vocab = VOCAB) -> CharLSTM:
    """A simple net whose units remember nothing: a unit is near 1 at its characters, and near -1 at all others.

    The units that have no characters see random numbers. After a capital letter, "a" is likelier if unit 0 is on.
    """
    torch.manual_seed(0)
    size = len(vocab)
    model = CharLSTM(ModelConfig(vocab_size=size, hidden_size=4, embedding_dim=size, cell="rnn")).eval()
    member = model.each[0]
    (cell,) = member.stack.cells
    with torch.no_grad():
        member.embedding.weight.copy_(torch.eye(size))
        cell.weight_ih.normal_(0, 0.1)
        cell.weight_hh.zero_()
        member.head.weight.zero_()
        member.head.weight[vocab.id_of("a"), 0] = 2
        for unit, characters in responses.items():
            cell.weight_ih[unit] = torch.tensor([1.5 if c in characters else -1.5 for c in vocab.characters])
    return model


def slowly(model: CharLSTM, ids: list[int], before: State, place: tuple[int, int, int] | None) -> Tensor:
    """ln of the probability of each id but the first, with a unit held at zero: one character, one layer at a time."""

    def zeroed(number: int, layer: int, state: CellState) -> CellState:
        h, c = state.h.clone(), state.c.clone()
        if place is not None and place[:2] == (number, layer):
            h[0, place[2]] = 0
            if model.config.cell not in ("rnn", "gru", "gru-reset-before", "clockwork"):
                c[0, place[2]] = 0
        return CellState(h, c)

    outputs: list[list[Tensor]] = []
    for number, (member, state) in enumerate(zip(model.each, before.split(len(model.each)), strict=True)):
        cells = member.stack.cells
        now = [zeroed(number, layer, state.of_layer(layer)) for layer in range(len(cells))]
        outputs.append([])
        for read in ids[:-1]:
            x = member.embedding(torch.tensor([read]))
            for layer, cell in enumerate(cells):
                start = now[layer]._replace(below=now[layer - 1].c if cell.reads_below else None)
                signals = cell.activations(cell.project(x), start, plain(cell.matrices(cell.weight_hh)))
                now[layer] = zeroed(number, layer, cell.update(signals, start))
                x = now[layer].h
            outputs[-1].append(member.head(x)[0])
    logits = mean_of([torch.stack(each) for each in outputs])
    return logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]]


def area(values: Tensor, mask: Tensor) -> float:
    """The AUC by its definition."""
    pairs = values[mask][:, None] - values[~mask][None]
    return ((pairs > 0).double() + (pairs == 0).double() / 2).mean().item()


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order_with_ties_as_halves() -> None:
    torch.manual_seed(0)
    values = torch.cat([torch.randn(40, 63), torch.randint(4, (40, 3)).float(), torch.zeros(40, 1)], 1)
    masks = torch.stack([torch.rand(40) < share for share in (0.1, 0.5, 0.9)])
    expected = [[area(values[:, unit], mask) for unit in range(values.shape[1])] for mask in masks]
    torch.testing.assert_close(auc(values, masks), torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_what_a_held_unit_costs_is_that_of_a_loop_over_characters(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "CHARACTERS_AT_ONCE", 8)
    model = model_of(cell)
    ids = VOCAB.encode(text_of(30)).tolist()
    model.eval()
    before = trace(model, torch.tensor([ids[:9]])).state
    model.train()
    places = [(1, 1, 2), (0, 0, 8), (1, 0, 0), (0, 0, 8), (0, 1, 5)]
    found = bits_lost(model, torch.tensor(ids[9:]), before, places)
    model.eval()
    whole = slowly(model, ids[9:], before, None)
    expected = [(whole - slowly(model, ids[9:], before, place)) / math.log(2) for place in places]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-9, rtol=1e-9)
    assert (found.abs().amax(1) > 1e-4).all()


def check(found: FoundUnit, values: Tensor, mask: Tensor) -> None:
    """Compare a unit with its values over a text, turned so that they are larger inside."""
    half = len(mask) // 2
    assert found.strength == pytest.approx(2 * area(values[half:], mask[half:]) - 1, abs=1e-6)
    assert found.strength >= units.WEAKEST
    assert area(values[:half], mask[:half]) > 0.5
    assert 0 < len(found.places) <= units.PLACES
    assert mask[found.places].all()
    assert values[found.places[0]] == pytest.approx(values[mask].max().item())
    assert [values[at] for at in found.places] == sorted((values[at] for at in found.places), reverse=True)
    assert min(np.diff(sorted(found.places))) > len(mask) // 10


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_said_of_each_unit_is_so(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "CHARACTERS_AT_ONCE", 50)
    model, text = model_of(cell), text_of(300)
    ids = torch.from_numpy(VOCAB.encode("\n" + text)).long()
    found = find_units(model, VOCAB, text, 8)
    assert 2 <= len(found) <= 8
    assert [each.strength for each in found] == sorted((each.strength for each in found), reverse=True)
    assert len({(each.member, each.layer, each.unit, each.property) for each in found}) == len(found)
    if cell in ("rnn", "gru", "gru-reset-before", "clockwork"):
        assert {each.signal for each in found} == {"h"}
    signals = trace(model.eval(), ids[None]).signals
    middle = trace(model, ids[None, :151]).state
    for each in found:
        values = signals[each.member][each.layer][each.signal][0, 1:, each.unit] * (1 if each.is_on else -1)
        check(each, values, torch.from_numpy(PROPERTIES[each.property](text)))
    (lost,) = bits_lost(model, ids[151:], middle, [(found[0].member, found[0].layer, found[0].unit)])
    inside = torch.from_numpy(PROPERTIES[found[0].property](text))[150:-1]
    assert found[0].lost_inside == pytest.approx(lost[inside].mean().item(), abs=1e-9)
    assert found[0].lost_outside == pytest.approx(lost[~inside].mean().item(), abs=1e-9)


@pytest.mark.parametrize("is_on", [True, False])
def test_a_unit_that_follows_capital_letters_is_found(is_on: bool) -> None:
    model = by_hand({0: "AB" if is_on else "\n .abc"})
    if not is_on:
        model.each[0].head.weight.data.neg_()
    text = "".join(f"{c}a" if c in "AB" else c for c in text_of(600))  # "a" comes after each capital letter
    best = next(each for each in find_units(model, VOCAB, text) if each.property == "upper-case")
    assert (best.member, best.layer, best.unit, best.signal, best.is_on) == (0, 0, 0, "h", is_on)
    assert best.strength > 0.99
    assert all(text[place] in "AB" for place in best.places)
    assert best.lost_inside > 0.5
    assert best.lost_outside != 0


def test_a_unit_that_nothing_reads_is_worth_nothing() -> None:
    model = by_hand({0: "AB"})
    model.each[0].head.weight.data.zero_()
    found = find_units(model, VOCAB, text_of(600))
    assert found[0].strength > 0.99
    assert {(each.lost_inside, each.lost_outside) for each in found} == {(0.0, 0.0)}


def test_a_unit_that_the_second_half_denies_is_not_named() -> None:
    """Unit 0 is on at A and b, unit 1 at A and B; the first half has A and a only, the second one B and b."""
    model = by_hand({0: "Ab", 1: "AB", 2: "\n", 3: "\n"})
    rng = np.random.default_rng(0)
    text = "".join([*rng.choice([*"Aa "], 300), *rng.choice([*"Bb "], 300)])
    found = [each for each in find_units(model, VOCAB, text, 100) if each.property == "upper-case"]
    assert [each.unit for each in found] == [1]
    assert found[0].strength > 0.99


def test_a_property_that_nearly_never_holds_in_a_half_is_left_out() -> None:
    half, rarely = "a" * 80 + "A" * 20, "a" * 81 + "A" * 19
    assert "upper-case" in qualifying(half + half)
    assert "upper-case" not in qualifying(half + rarely)
    assert "upper-case" not in qualifying(rarely + half)
    assert "upper-case" not in qualifying((half + half).swapcase().replace("a", "A", 1))
    assert "upper-case" not in qualifying(("a" * 2970 + "A" * 29) * 2)
    assert find_units(by_hand({}), VOCAB, "a" * 200) == []


def test_a_text_must_be_long_enough_and_readable() -> None:
    model = by_hand({})
    for text in ("", "a" * (units.SHORTEST - 1)):
        with pytest.raises(InputError, match="at least 80 characters"):
            find_units(model, VOCAB, text)
    letters = Vocab("ABab")
    with pytest.raises(InputError, match="never saw"):
        find_units(by_hand({}, letters), letters, text_of(100))


@pytest.mark.parametrize("characters", ["\n ABab", "\n ABab\ufffd"])
def test_an_unknown_character_is_read_as_what_stands_for_it(characters: str) -> None:
    vocab = Vocab(characters)
    model, text = by_hand({0: "AB"}, vocab), text_of(500)
    known = text.translate({ord(c): UNKNOWN if UNKNOWN in vocab else " " for c in ".c"})
    found = find_units(model, vocab, text)
    assert found
    assert found == find_units(model, vocab, known)


def test_a_model_of_documents_reads_the_end_of_one_first(monkeypatch: pytest.MonkeyPatch) -> None:
    vocab = Vocab("\n .ABabc" + END)
    read: list[Tensor] = []
    layers = units._layers

    def spied(model: CharLSTM, ids: Tensor, on_characters: Callable[[int], object]) -> object:
        read.append(ids)
        return layers(model, ids, on_characters)

    monkeypatch.setattr(units, "_layers", spied)
    find_units(by_hand({0: "AB"}, vocab), vocab, text_of(200))
    assert vocab.decode(read[0].numpy()) == END + text_of(200)


def test_the_model_stays_as_it_is_and_all_reading_is_counted() -> None:
    model, text = model_of("lstm"), text_of(300)
    before, counted = copy.deepcopy(model.state_dict()), []
    found = find_units(model, VOCAB, text, 3, counted.append)
    assert len(found) == 3
    assert all(isinstance(each, FoundUnit) for each in found)
    assert model.training
    assert all(part.training for part in model.modules())
    torch.testing.assert_close(model.state_dict(), before, atol=0, rtol=0)
    assert sum(counted) == 2 * 2 * (301 + 149)


def test_a_broken_model_is_an_error_that_says_so() -> None:
    model = by_hand({0: "AB"})
    model.each[0].head.weight.data[0, 0] = math.nan
    with pytest.raises(RunError, match="not finite"):
        find_units(model, VOCAB, text_of(300))
