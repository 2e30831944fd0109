"""Dynamic evaluation: a model that goes on learning from a text while it reads it (Krause et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM, Member, evaluating
from charlstm.model.stack import State
from charlstm.text.ids import Ids
from charlstm.text.lanes import Lanes
from charlstm.training.evaluation import Score, finite
from charlstm.training.members import side_by_side

T = TypeVar("T")
Told = Callable[[int], object]
"""Told how many more characters a member has read, for a progress bar."""

SEGMENT = 20
"""Characters from one change of the weights to the next."""

LEARNING_RATE = 8e-4
DECAY = 4e-3
"""How far the weights are drawn back to where they began, at each change, where gradients are of average size."""

EPSILON = 0.05
"""Added to the size of a gradient, in average sizes, so that weights that are hardly used don't leap."""

STATISTICS = 40_000
"""Characters from which the size of the gradients is learned."""


Sizes = list[Tensor]
"""Of each weight of a member, how large its gradient usually is."""


def gradient_sizes(model: CharLSTM, ids: Ids, on_characters: Told = lambda n: None) -> list[Sizes]:
    """Of each member, the root mean square of each weight's gradient in the first segments of a text, [n] with n ≥ 2.

    For dynamic evaluation the text must not be the one that is to be scored. The model is left as it was.

    Args:
        on_characters: told, by each member, how many more characters it has read.
    """

    def sizes_of(member: Member, told: Told) -> Sizes:
        squares = [torch.zeros_like(weight) for weight in member.parameters()]
        segments = 0
        for nats, gradients in _read(member, ids[: STATISTICS + 1]):
            for square, gradient in zip(squares, gradients, strict=True):
                square.addcmul_(gradient, gradient)
            segments += 1
            told(len(nats))
        return [square.div_(segments).sqrt_() for square in squares]

    return _of_each(model, sizes_of, on_characters)


def adapt(model: CharLSTM, ids: Ids, sizes: list[Sizes], on_characters: Told = lambda n: None) -> Score:
    """Let the weights adapt to a text, [n] with n ≥ 2, and score each segment before they see it.

    Each member by itself adapts after each segment, with the gradient g of its mean loss, the weights θ that it came
    with and the size s that their gradients usually have, in units of s̄, the average size of all of the member's:

        θ ← θ - η g / (s + ε s̄)
        θ ← θ + min(1, λ s / s̄) (θ₀ - θ)

    which is the paper's RMS variant with a global prior: weights that matter move, and are held, the more. What is
    scored is what the members say together.

    Args:
        sizes: from `gradient_sizes`.
        on_characters: told, by each member, how many more characters it has read.

    Returns:
        the score of a model that adapts as it reads. It keeps what it has learned; see `restoring`.

    Raises:
        RunError: when the score isn't finite.
    """
    of = dict(zip(model.members, sizes, strict=True))

    def adapted(member: Member, told: Told) -> Tensor:
        average = sum(size.sum() for size in of[member]) / sum(size.numel() for size in of[member])
        rates = [-LEARNING_RATE / (size + EPSILON * average) for size in of[member]]
        pulls = [(DECAY / average * size).clamp_(max=1) for size in of[member]]
        weights = list(member.parameters())
        origins = [weight.detach().clone() for weight in weights]
        read = []
        for nats, gradients in _read(member, ids):
            with torch.no_grad():
                for weight, gradient, rate, pull, origin in zip(weights, gradients, rates, pulls, origins, strict=True):
                    weight.addcmul_(gradient, rate).lerp_(origin, pull)
            read.append(nats)
            told(len(nats))
        return torch.cat(read)

    nats = torch.stack(_of_each(model, adapted, on_characters))
    together = math.log(len(nats)) - (-nats).logsumexp(0)
    return finite(Score(float(together.sum(dtype=torch.float64)), together.numel()))


@contextmanager
def restoring(model: CharLSTM) -> Iterator[None]:
    """Put the weights back as they are now, whatever happens in between."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        yield
    finally:
        model.load_state_dict(before)


def _read(member: Member, ids: Ids) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """Read a text with the state carried through: of each segment its nats, [n], and the gradients of their mean."""
    lanes, layers = Lanes(ids, 1, SEGMENT), len(member.stack.layers)
    weights = list(member.parameters())
    state = State.zeros(layers, 1, member.stack.hidden_size, weights[0].device)
    for number in range(lanes.batches):
        x, y = (tensor.to(weights[0].device) for tensor in lanes.batch(number))
        logits, state = member(x, state.detach())
        nats = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
        yield nats.detach().cpu(), torch.autograd.grad(nats.mean(), weights)


def _of_each(model: CharLSTM, do: Callable[[Member, Told], T], on_characters: Told) -> list[T]:
    """What is to be done with each member, without dropout, done side by side. If one fails, the others end too."""
    failures: list[BaseException] = []
    telling = Lock()

    def told(characters: int) -> None:
        with telling:
            if failures:
                raise CancelledError
            try:
                on_characters(characters)
            except BaseException as failure:
                failures.append(failure)
                raise

    def done(member: Member) -> T:
        try:
            return do(member, told)
        except BaseException as failure:
            failures.append(failure)
            raise

    members = cast(list[Member], list(model.members))
    pool = side_by_side(len(members)) if model.device.type == "cpu" else None
    with evaluating(model), pool or nullcontext():  # which ends when all threads have
        try:
            return list((pool.map if pool else map)(done, members))
        except BaseException as failure:
            failures.append(failure)
            raise failures[0] from None
