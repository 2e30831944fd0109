"""Units worth looking at: which ones follow a property that has a name, and what they are worth to the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from charlstm.errors import NOT_FINITE, InputError, RunError
from charlstm.inside.properties import PROPERTIES
from charlstm.model.cell import Cell
from charlstm.model.charlstm import CharLSTM, Member, evaluating
from charlstm.model.products import Linear
from charlstm.model.stack import State
from charlstm.model.steps import CellState, steps
from charlstm.model.unroll import unroll
from charlstm.text.vocab import END, UNKNOWN, Vocab

FEWEST = 20
SMALLEST_SHARE = 0.01
"""Characters that must have a property, and that mustn't, in each half of a text. With fewer, chance decides."""

SHORTEST = 4 * FEWEST
"""Characters of a text that `find_units` takes."""

WEAKEST = 0.3
"""The least strength of a unit that is named."""

PER_PROPERTY = 2
"""Units that are named for a property, at most."""

PLACES = 5
"""Characters at which a unit is shown."""

CHARACTERS_AT_ONCE = 256
"""Characters that are read in one call."""

VALUES_AT_ONCE = 1 << 23
"""Values of a layer, or logits, that one call computes, so that a large vocabulary doesn't take a large memory."""

Count = Callable[[int], object]
"""Called with the number of characters that a layer has just read, for a progress bar."""

Place = tuple[int, int, int]
"""Where a unit is: member, layer and unit, each from 0."""


@dataclass(frozen=True)
class FoundUnit:
    """A unit that follows a property of a text.

    Attributes:
        member, layer, unit: where it is, from 0.
        signal: which of its values follows the property: `h`, its output, or `c`, its memory.
        property: its name in `PROPERTIES`.
        strength: |2·AUC - 1|, measured on the second half of the text: 1 if the value alone tells where the property
            holds, 0 if it tells nothing.
        is_on: whether the value is larger where the property holds. Otherwise it is smaller there.
        places: characters of the text with the property, from 0, after which the value is largest or, for a unit that
            isn't on, smallest. The most extreme one comes first, and all are far from each other.
        lost_inside: the bits per character that the model loses when the unit is held at zero, at predictions made
            after a character with the property.
        lost_outside: the same at all other predictions. Both are measured on the second half.
    """

    member: int
    layer: int
    unit: int
    signal: str
    property: str
    strength: float
    is_on: bool
    places: list[int]
    lost_inside: float = math.nan
    lost_outside: float = math.nan


def find_units(
    model: CharLSTM, vocab: Vocab, text: str, count: int = 12, on_characters: Count = lambda n: None
) -> list[FoundUnit]:
    """The units of a model that best follow the properties of a text, the strongest first.

    The best of thousands of units looks better than it is, since chance chose it, too. So units are chosen by the first
    half of the text, and what is said of them is measured on the second half. The best unit of each property is taken
    before the second best of any. Left out are properties that hold nearly always or nearly never, and units that turn
    out to be weaker than `WEAKEST`.

    Memory grows with the text: 16 bytes for each character and each unit of a layer.

    Args:
        text: in characters that the model knows. Others are read as U+FFFD or, without that, as a space. The end of a
            document or of a line is read before it.
        count: how many units, at most.

    Raises:
        InputError: for a text that is too short, or whose characters can't be read.
        RunError: when the model's values aren't finite.
    """
    if len(text) < SHORTEST:
        raise InputError(f"units are found in a text of at least {SHORTEST} characters: this one has {len(text)}")
    if (substitute := next((c for c in (UNKNOWN, " ") if c in vocab), None)) is not None:
        text = text.translate({ord(c): substitute for c in vocab.missing(text)})
    opening = next(c for c in (END, "\n", " ", vocab.characters[0]) if c in vocab)
    ids = torch.from_numpy(vocab.encode(opening + text)).long().to(model.device)
    masks, half = qualifying(text), len(text) // 2
    if not masks:
        return []
    candidates: list[tuple[float, FoundUnit]] = []
    middle: list[tuple[Tensor, Tensor]] = []
    for member, layer, h, c in _layers(model, ids, on_characters):
        middle.append((h[half].clone(), c[half].clone()))  # after the opening and the first half
        candidates += _followers(model, (member, layer), {"h": h[1:], "c": c[1:]}, masks)
    found = [each for each in _in_turn(candidates) if each.strength >= WEAKEST][:count]
    places = [(each.member, each.layer, each.unit) for each in found]
    state = State(*(torch.stack(tensors)[:, None] for tensors in zip(*middle, strict=True)))
    lost = bits_lost(model, ids[half + 1 :], state, places, on_characters)
    for number, (each, bits) in enumerate(zip(found, lost, strict=True)):
        inside = masks[each.property][half:-1]  # nothing comes after the last character
        found[number] = replace(each, lost_inside=bits[inside].mean().item(), lost_outside=bits[~inside].mean().item())
    return sorted(found, key=lambda each: -each.strength)


def qualifying(text: str) -> dict[str, Tensor]:
    """The masks, [len(text)], of the properties that hold neither too often nor too rarely in each half of a text."""
    half = len(text) // 2
    masks = {name: torch.from_numpy(mask_of(text)) for name, mask_of in PROPERTIES.items()}

    def is_balanced(part: Tensor) -> bool:
        return min(part.sum().item(), (~part).sum().item()) >= max(FEWEST, SMALLEST_SHARE * len(part))

    return {name: mask for name, mask in masks.items() if is_balanced(mask[:half]) and is_balanced(mask[half:])}


def has_memory(cell: Cell) -> bool:
    """Whether the cell's c is a memory of each unit. In cells without a forget gate it is unused, or a clock."""
    return "f" in cell.gates


def auc(values: Tensor, masks: Tensor) -> Tensor:
    """The area under the ROC curve of each unit for each property, [P, n], in float64, on the CPU.

    It is the share of the pairs, a character with the property and one without it, in which the value at the first is
    larger. Equal values count half. It is computed from ranks, as the Mann-Whitney U statistic.

    Args:
        values: [T, n], of n units.
        masks: [P, T], of P properties, each with characters that have it and characters that don't.
    """
    masks = masks.double()
    inside = masks.sum(1, keepdim=True)
    sums = torch.cat([masks @ _ranks(some.cpu()) for some in torch.split(values, 64, 1)], 1)
    return (sums - inside * (inside + 1) / 2) / (inside * (masks.shape[1] - inside))


def bits_lost(
    model: CharLSTM, ids: Tensor, state: State, places: Sequence[Place], on_characters: Count = lambda n: None
) -> Tensor:
    """What the model loses at each prediction when a unit is held at zero, in bits, [len(places), T - 1], on the CPU.

    Its h and its memory, if any, are zero for all that reads them: the next step, the layers above, and the output.

    Args:
        ids: [T] with T ≥ 2. Each but the first is predicted from those before it.
        state: what the model read before, with a batch of one. The unit is set to zero in it, too.
        places: the units. Each is held at zero by itself.

    Raises:
        RunError: when the model's scores aren't finite.
    """
    logs: list[Tensor] = []
    rows = [sorted({(layer, unit) for of, layer, unit in places if of == number}) for number in range(len(model.each))]
    with torch.no_grad(), evaluating(model):
        for member, before, held in zip(model.each, state.split(len(rows)), rows, strict=True):
            logs.append(_log_likelihoods(member, ids, before, held, on_characters))
    whole = torch.stack([each[0] for each in logs])  # [members, T - 1]
    lost = whole.new_empty(len(places), whole.shape[1])
    for row, (number, layer, unit) in enumerate(places):
        ablated = whole.clone()
        ablated[number] = logs[number][1 + rows[number].index((layer, unit))]
        lost[row] = (whole.logsumexp(0) - ablated.logsumexp(0)) / math.log(2)  # of the mean probabilities
    if not whole.isfinite().all() or not lost.isfinite().all():
        raise RunError(NOT_FINITE)
    return lost


@torch.no_grad()
def _layers(model: CharLSTM, ids: Tensor, on_characters: Count) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """h and c of each layer after each of the ids, [T]: member, layer, h [T, H], c [T, H].

    One layer after the other reads the whole text, so that no more than two have their values in memory.
    """
    for number, member in enumerate(model.each):
        x, memory = member.embedding(ids), torch.empty(0)
        for layer, cell in enumerate(member.stack.cells):
            h, c = (x.new_empty(len(ids), cell.hidden_size) for _ in State._fields)
            state = member.stack.initial_state(1).of_layer(layer)
            for begin in range(0, len(ids), CHARACTERS_AT_ONCE):
                piece = slice(begin, begin + CHARACTERS_AT_ONCE)
                below = memory[piece, None] if cell.reads_below else None
                with evaluating(model):
                    run = unroll(cell, x[piece, None], state, below=below, keep_c=True)
                assert run.c is not None
                h[piece], c[piece], state = run.h[:, 0], run.c[:, 0], run.state
                on_characters(len(run.h))
            yield number, layer, h, c
            x, memory = h, c


def _followers(
    model: CharLSTM, where: tuple[int, int], signals: dict[str, Tensor], masks: dict[str, Tensor]
) -> Iterator[tuple[float, FoundUnit]]:
    """The best units of a layer for each property, each with its strength on the first half, which chose it.

    Of each unit, the signal that follows the property better counts.
    """
    names = ["h", "c"] if has_memory(model.each[where[0]].stack.cells[where[1]]) else ["h"]
    stacked = torch.stack(list(masks.values()))
    half = stacked.shape[1] // 2
    each = torch.stack([2 * auc(signals[name][:half], stacked[:, :half]) - 1 for name in names])  # [signals, P, H]
    better = each.abs().argmax(0, keepdim=True)
    signed = each.gather(0, better)[0]
    best = signed.abs().topk(min(PER_PROPERTY, signed.shape[1])).indices
    for row, name in enumerate(masks):
        for unit in best[row].tolist():
            signal, is_on = names[int(better[0, row, unit])], bool(signed[row, unit] > 0)
            values = signals[signal][:, unit].cpu() * (1 if is_on else -1)
            strength = 2 * auc(values[half:, None], stacked[row : row + 1, half:]).item() - 1
            found = FoundUnit(*where, unit, signal, name, strength, is_on, _largest(values, masks[name]))
            yield abs(signed[row, unit].item()), found


def _in_turn(candidates: Sequence[tuple[float, FoundUnit]]) -> list[FoundUnit]:
    """The best of all layers: first the best one of each property, then the second best ones."""
    of_property: dict[str, list[FoundUnit]] = {}
    for _, each in sorted(candidates, key=lambda pair: -pair[0]):
        of_property.setdefault(each.property, []).append(each)
    return [units[rank] for rank in range(PER_PROPERTY) for units in of_property.values() if rank < len(units)]


def _ranks(values: Tensor) -> Tensor:
    """The rank of each value in its column, from 1, [T, n], in float64. Equal values share the mean of their ranks."""
    ordered, order = values.sort(0)
    place = torch.arange(len(values))[:, None]
    is_first = torch.ones_like(order, dtype=torch.bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    first = place.where(is_first, 0).cummax(0).values
    last = place.where(is_first.roll(-1, 0), len(values)).flip(0).cummin(0).values.flip(0)
    return torch.empty_like(values, dtype=torch.float64).scatter_(0, order, (first + last).double() / 2 + 1)


def _largest(values: Tensor, mask: Tensor) -> list[int]:
    """Where some values, [T], are largest within a mask. Between any two of these places is a tenth of T at least."""
    values, gap, places = values.masked_fill(~mask, -math.inf), len(values) // (2 * PLACES), list[int]()
    while len(places) < PLACES and values.max() > -math.inf:
        places.append(int(values.argmax()))
        values[max(0, places[-1] - gap) : places[-1] + gap + 1] = -math.inf
    return places


def _log_likelihoods(
    member: Member, ids: Tensor, state: State, held: Sequence[tuple[int, int]], on_characters: Count
) -> Tensor:
    """ln of the probability of each id but the first, [1 + len(held), T - 1], in float64, on the CPU.

    The rows of a batch read the same text: the first one as it is, each other one with a unit (layer, unit) at zero.
    """
    cells, rows = member.stack.cells, 1 + len(held)
    keep = state.h.new_ones(len(cells), rows, member.stack.hidden_size)
    for row, (layer, unit) in enumerate(held, 1):
        keep[layer, row, unit] = 0
    now = [_kept(cell, keep[layer], state.of_layer(layer)) for layer, cell in enumerate(cells)]
    largest = max(member.head.out_features, *(len(cell.weight_ih) for cell in cells))
    at_once = max(1, min(CHARACTERS_AT_ONCE, VALUES_AT_ONCE // (rows * largest)))
    found = []
    for x, targets in zip(torch.split(ids[:-1], at_once), torch.split(ids[1:], at_once), strict=True):
        y: Tensor = member.embedding(x)[:, None]  # [t, 1, E]; above the lowest layer [t, rows, H]
        memory: Tensor | None = None
        for layer, cell in enumerate(cells):
            step = partial(_held_step, cell, keep[layer])
            wx = cell.project(y).expand(-1, rows, -1).contiguous()
            below = memory if cell.reads_below else None
            y, memory, now[layer] = steps(step, cell.matrices(cell.weight_hh), (), wx, now[layer], below, keep_c=True)
            on_characters(len(x))
        logs = member.head(y).log_softmax(-1)
        found.append(logs.gather(-1, targets[:, None, None].expand(-1, rows, 1)).squeeze(-1).cpu().double())
    return torch.cat(found).T


def _held_step(cell: Cell, keep: Tensor, wx: Tensor, before: CellState, linear: Linear) -> CellState:
    return _kept(cell, keep, cell.step(wx, before, linear))


def _kept(cell: Cell, keep: Tensor, state: CellState) -> CellState:
    """The state of each row, [rows, H], with zeros where `keep` has them."""
    return CellState(state.h * keep, state.c * keep if has_memory(cell) else state.c.expand_as(keep))
