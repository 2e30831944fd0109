"""Dynamic evaluation: a model that goes on learning from a text while it reads it (Krause et al. 2018)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.errors import NOT_FINITE, RunError
from charlstm.model.charlstm import CharLSTM, Member, evaluating
from charlstm.text.ids import Ids
from charlstm.text.lanes import Lanes
from charlstm.training.evaluation import Score, finite
from charlstm.training.members import thread_pool
from charlstm.training.mixing import Mixer
from charlstm.training.ngram import NGrams
from charlstm.training.processes import ALONE, Processes

T = TypeVar("T")
Count = Callable[[int], object]
"""Called with the number of characters that were just read, added up over the members, for a progress bar."""

SEGMENT = 20
"""Characters between two updates of the weights."""

LEARNING_RATE = 8e-4
DECAY = 4e-3
"""How far each update draws the weights back to where they began, where gradients are of average size."""

EPSILON = 0.05
"""Added to the size of a gradient, in average sizes, so that weights that are hardly used don't jump."""

SMALLEST = 1e-7
"""The smallest usual size of a gradient: a model that is sure of what it read has none, and may be surprised yet."""

STATISTICS = 40_000
"""Characters from which the sizes of the gradients are measured."""


Sizes = list[Tensor]
"""The usual size of the gradient, for each weight of a member."""


def gradient_sizes(
    model: CharLSTM, ids: Ids, on_characters: Count = lambda n: None, processes: Processes = ALONE
) -> list[Sizes]:
    """For each member that reads here, the root mean square of each weight's gradient in the first segments of a text.

    The text is [n] with n ≥ 2. For dynamic evaluation it must not be the text that is scored. The model is left as it
    was.

    Args:
        on_characters: called after each segment; see `Count`.
        processes: those that do this together. They share the members.
    """
    ids = ids[: STATISTICS + 1]
    members = _members_of(model, processes)
    squares = [[torch.zeros_like(weight) for weight in member.parameters()] for member in members]

    def measured(member: Member, squares: Sizes) -> Iterator[int]:
        for logs, gradients in _read(member, ids):
            for square, gradient in zip(squares, gradients, strict=True):
                square.addcmul_(gradient, gradient)
            yield len(logs)

    segments = 0
    with _side_by_side(model, map(measured, members, squares)) as parts:
        for lengths in parts:
            segments += 1
            on_characters(sum(lengths))
    return [[square.div_(segments).sqrt_() for square in of_member] for of_member in squares]


def adapt(
    model: CharLSTM,
    ids: Ids,
    sizes: list[Sizes],
    on_characters: Count = lambda n: None,
    *,
    before: Ids | None = None,
    processes: Processes = ALONE,
) -> Score:
    """Let the weights adapt to a text, [n] with n ≥ 2, and score each segment before they see it.

    Each member adapts by itself after each segment. With the gradient g of its mean loss, its weights θ, which began as
    θ₀, the usual sizes s of their gradients, and s̄, the mean of s over all of the member's weights:

        θ ← θ - η g / (s + ε s̄)
        θ ← θ + min(1, λ s / s̄) (θ₀ - θ)

    This is the paper's RMS variant with a global prior: weights with large gradients take smaller steps, and are drawn
    back more. The score is that of a mixture: of the members, and of the n-grams of what was read before. The mixture's
    weights also learn after each segment.

    Args:
        sizes: from `gradient_sizes`.
        on_characters: called after each segment; see `Count`.
        before: a text that the n-grams have read before this one: that which the model learned.
        processes: those that do this together. They share the members; each has the whole score.

    Returns:
        the score of a model that adapts as it reads. It keeps what it has learned; see `restoring`.

    Raises:
        RunError: when the score isn't finite.
    """
    mixer = Mixer(len(model.each))
    ngrams = NGrams(ids[:0] if before is None else before, ids, model.config.vocab_size)
    total = Score(0.0, 0)
    members, own = _members_of(model, processes), processes.share(len(model.each), 1).members
    processes.meet()  # those without a member have had nothing to measure
    with _side_by_side(model, [_adapting(*each, ids) for each in zip(members, sizes, strict=True)]) as parts:
        while total.characters < len(ids) - 1:
            y = ids[total.characters + 1 :][:SEGMENT]
            found = torch.zeros(len(model.each), len(y), model.config.vocab_size)
            if members:
                found[own.start : own.stop] = torch.stack(next(parts)).cpu()
            logs = processes.summed(found).double().numpy()
            if not np.isfinite(logs).all():
                raise RunError(NOT_FINITE)
            evidence = ngrams.evidence(np.exp(logs).mean(0))
            mixed = mixer.mix(logs, evidence)
            total += Score(-float(mixed[np.arange(len(y)), y].sum()), len(y))
            mixer.learn(logs, evidence, mixed, y)
            ngrams.read(len(y))
            on_characters(len(y) * len(model.each))
    return finite(total)


def learn_from(model: CharLSTM, ids: Ids, sizes: list[Sizes], on_characters: Count = lambda n: None) -> None:
    """Let the weights adapt to a text as `adapt` does, without a score."""
    with _side_by_side(model, [_adapting(*each, ids) for each in zip(model.each, sizes, strict=True)]) as parts:
        for part in parts:
            on_characters(sum(map(len, part)))


def _members_of(model: CharLSTM, processes: Processes) -> list[Member]:
    """The members that read the text here: none in a process whose members others have, too. A text is one lane."""
    share = processes.share(len(model.each), 1)
    return [model.each[number] for number in share.members] if share.rows else []


@contextmanager
def restoring(model: CharLSTM) -> Iterator[None]:
    """Put the weights back as they are now, whatever happens in between."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        yield
    finally:
        model.load_state_dict(before)


def _adapting(member: Member, sizes: Sizes, ids: Ids) -> Iterator[Tensor]:
    """Read a text, and adapt to it. Yields the logarithms of the probabilities in each segment, [n, V]."""
    average = float(sum(size.sum() for size in sizes)) / sum(size.numel() for size in sizes)
    rates = [-LEARNING_RATE / (size + EPSILON * average).clamp_(min=SMALLEST) for size in sizes]
    pulls = [(DECAY / max(average, SMALLEST) * size).clamp_(max=1) for size in sizes]
    weights = list(member.parameters())
    origins = [weight.detach().clone() for weight in weights]
    for logs, gradients in _read(member, ids):
        with torch.no_grad():
            for weight, gradient, rate, pull, origin in zip(weights, gradients, rates, pulls, origins, strict=True):
                weight.addcmul_(gradient, rate).lerp_(origin, pull)
        yield logs


def _read(member: Member, ids: Ids) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """Read a text with the state carried through, in segments.

    Yields the logarithms of the probabilities, [n, V], and the gradients of the mean loss.
    """
    lanes, weights = Lanes(ids, 1, SEGMENT), list(member.parameters())
    state = member.stack.initial_state(1)
    for number in range(lanes.batches):
        x, y = (tensor.to(weights[0].device) for tensor in lanes.batch(number))
        logits, state = member(x, state.detach())
        logs = logits[0].log_softmax(-1)
        yield logs.detach(), torch.autograd.grad(F.nll_loss(logs, y[0]), weights)


@contextmanager
def _side_by_side(model: CharLSTM, readers: Iterable[Iterator[T]]) -> Iterator[Iterator[list[T]]]:
    """What the readers of all members yield, part by part. The members read in threads, without dropout."""
    readers = list(readers)
    pool = thread_pool(len(readers)) if readers and model.device.type == "cpu" else None
    with evaluating(model), pool or nullcontext():
        yield iter(lambda: list(itertools.chain(*(pool.map if pool else map)(_next, readers))), [])


def _next(reader: Iterator[T]) -> list[T]:
    """The next item, if there is one."""
    return list(itertools.islice(reader, 1))
