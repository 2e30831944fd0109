"""How well a model predicts a text, in bits per character."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.errors import NOT_FINITE, RunError
from charlstm.model.charlstm import CharLSTM, evaluating
from charlstm.text.ids import Ids
from charlstm.text.lanes import Lanes
from charlstm.training.processes import ALONE, Processes

LOGITS_AT_ONCE = 1 << 23
"""Logits that are computed at a time, so that a large vocabulary doesn't take a large memory."""

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
    model: CharLSTM,
    ids: Ids,
    context: int | None = None,
    on_characters: Callable[[int], object] = lambda n: None,
    processes: Processes = ALONE,
) -> Score:
    """Score a text, [n] with n ≥ 2. Its first character is context and isn't scored.

    The model reads the text once from front to back with its state carried through: one lane, so that every character
    is predicted from all that stands before it. How the reading is cut into calls doesn't change the score.

    Args:
        context: set the state to zero every `context` characters, to compare with models of a fixed context length.
        on_characters: called with the number of characters just scored, for a progress bar.
        processes: those that do this together, as in `surprises`.

    Raises:
        RunError: when the score isn't finite.
    """
    total = Score(0.0, 0)
    for stretch, rows in _stretches(ids, context):
        lanes = Lanes(stretch, rows, characters_at_once(model, rows, longest=context))
        total += score_lanes(model, lanes, lanes.batches, on_characters, processes)
    return finite(total)


@dataclass(frozen=True)
class Line:
    """A line of a text, `ids[begin:end]` with what ends it, and its score."""

    begin: int
    end: int
    score: Score


def score_lines(
    model: CharLSTM, ids: Ids, line_ends: Collection[int], on_characters: Callable[[int], object] = lambda n: None
) -> Iterator[Line]:
    """Score a text as `score` does, line by line, while it is read.

    Args:
        line_ends: the ids that end a line.
        on_characters: called with the number of characters just scored, for a progress bar.

    Raises:
        RunError: when a score isn't finite.
    """
    lanes = Lanes(ids, 1, characters_at_once(model, 1))
    begin, nats = 0, 0.0
    if ids[0] in line_ends:
        yield Line(0, 1, Score(0.0, 0))  # nothing but the text's context, which isn't scored
        begin = 1
    place = 0
    for targets, costs in surprises(model, lanes, lanes.batches):
        for target, cost in zip(targets[0].tolist(), costs[0].tolist(), strict=True):
            place += 1
            nats += cost
            if target in line_ends:
                yield Line(begin, place + 1, finite(Score(nats, place + 1 - max(begin, 1))))
                begin, nats = place + 1, 0.0
        on_characters(targets.shape[1])
    if begin < len(ids):
        yield Line(begin, len(ids), finite(Score(nats, len(ids) - max(begin, 1))))


def finite(result: Score) -> Score:
    """The score, if it is a number.

    Raises:
        RunError: when it is none.
    """
    if not math.isfinite(result.nats):
        raise RunError(NOT_FINITE)
    return result


def score_lanes(
    model: CharLSTM,
    lanes: Lanes,
    batches: int,
    on_characters: Callable[[int], object] = lambda n: None,
    processes: Processes = ALONE,
) -> Score:
    """Score the first `batches` batches of lanes, each lane with a state of its own that begins at zero."""
    total = Score(0.0, 0)
    for y, nats in surprises(model, lanes, batches, processes):
        total += Score(nats.sum().item(), y.numel())
        on_characters(y.numel())
    return total


@torch.inference_mode()
def surprises(
    model: CharLSTM, lanes: Lanes, batches: int, processes: Processes = ALONE
) -> Iterator[tuple[Tensor, Tensor]]:
    """The targets of the first `batches` batches and the nats of each, [B, T] both, on the CPU.

    Args:
        processes: those that call this together. Each needs the weights of those members only that it learns, and
            reads the lanes that it learns; what is yielded is of all.
    """
    share = processes.share(len(model.each), lanes.batch_size)
    members = [model.each[number] for number in share.members]
    states = [member.stack.initial_state(share.rows) for member in members]
    with evaluating(model):
        for number in range(batches):
            x, y = lanes.batch(number)
            logs = torch.zeros(share.all_members, *y.shape)  # of the probability that each member gives to y
            if share.rows:
                mine, following = x[share.lanes].to(model.device), y[share.lanes].to(model.device)
                for place, member in enumerate(members):
                    logits, states[place] = member(mine, states[place])
                    costs = F.cross_entropy(logits.flatten(0, 1), following.flatten(), reduction="none")
                    logs[share.members[place], share.lanes] = -costs.view_as(following).cpu()
            # The probabilities are averaged, as in `mean_of`.
            mean = processes.summed(logs).double().logsumexp(0) - math.log(share.all_members)
            yield y, -mean


def characters_at_once(model: CharLSTM, rows: int, longest: int | None = None) -> int:
    """How many characters of each row to read in one call."""
    fitting = LOGITS_AT_ONCE // (rows * model.config.vocab_size * model.config.ensemble_size)
    return max(1, min(256, fitting, longest or 256))


def _stretches(ids: Ids, context: int | None) -> Iterator[tuple[Ids, int]]:
    """The text in stretches. Each is read as a number of equal rows side by side, each from a zero state."""
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
