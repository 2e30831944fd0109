"""How well a model predicts a text, in bits per character."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM
from charlstm.text.corpus import Ids
from charlstm.text.lanes import Lanes

LOGITS_AT_ONCE = 1 << 23
"""How many logits are computed at a time, so that a large vocabulary doesn't take a large memory."""

ROWS_AT_ONCE = 64
"""Stretches of `context` characters that are read side by side."""


@dataclass(frozen=True)
class Score:
    """The negative log-likelihood of `characters` characters, in nats."""

    nats: float
    characters: int

    @property
    def nats_per_char(self) -> float:
        """The mean loss, as training has it."""
        return self.nats / self.characters

    @property
    def bits_per_char(self) -> float:
        """The same to the base of 2."""
        return self.nats_per_char / math.log(2)

    def __add__(self, other: Score) -> Score:
        return Score(self.nats + other.nats, self.characters + other.characters)


def score(
    model: CharLSTM, ids: Ids, context: int | None = None, on_characters: Callable[[int], object] = lambda n: None
) -> Score:
    """Score a text, [n] with n ≥ 2. Its first character is context and isn't scored.

    The model reads the text once from front to back with its state carried through: one lane, so that every character
    is predicted from all that stands before it. How the reading is cut into calls doesn't change the score.

    Args:
        context: zero the state every so many characters instead, as a model of a fixed context would have it.
        on_characters: told how many more were scored, for a progress bar.
    """
    total = Score(0.0, 0)
    for stretch, rows in _stretches(ids, context):
        lanes = Lanes(stretch, rows, characters_at_once(model, rows, longest=context))
        total += score_lanes(model, lanes, lanes.batches, on_characters)
    return total


@torch.inference_mode()
def score_lanes(
    model: CharLSTM, lanes: Lanes, batches: int, on_characters: Callable[[int], object] = lambda n: None
) -> Score:
    """Score the first `batches` batches of lanes, each lane with a state of its own that begins at zero."""
    device = model.head.weight.device
    was_training = model.training
    model.eval()
    state = model.initial_state(lanes.batch_size)
    nats = torch.zeros((), dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)
    characters = 0
    for number in range(batches):
        x, y = (tensor.to(device) for tensor in lanes.batch(number))
        logits, state = model(x, state)
        nats += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").to(nats.dtype).sum()
        characters += y.numel()
        on_characters(y.numel())
    model.train(was_training)
    return Score(nats.item(), characters)


def characters_at_once(model: CharLSTM, rows: int, longest: int | None = None) -> int:
    """How many characters of each row to read in one call."""
    fitting = LOGITS_AT_ONCE // (rows * model.config.vocab_size)
    return max(1, min(256, fitting, longest or 256))


def _stretches(ids: Ids, context: int | None) -> Iterator[tuple[Ids, int]]:
    """The text in stretches to be read as so many equal rows side by side, each from a zero state."""
    targets = len(ids) - 1
    if context is None:
        yield ids, 1
        return
    begin = 0
    while begin < targets:
        rows = min(ROWS_AT_ONCE, max(1, (targets - begin) // context))
        end = min(begin + rows * context, targets)
        yield ids[begin : end + 1], rows
        begin = end
