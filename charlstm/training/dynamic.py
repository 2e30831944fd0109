"""Dynamic evaluation: a model that goes on learning from a text while it reads it (Krause et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM, Member, evaluating
from charlstm.text.ids import Ids
from charlstm.text.lanes import Lanes
from charlstm.training.evaluation import Score, finite
from charlstm.training.members import thread_pool

T = TypeVar("T")
Count = Callable[[int], object]
"""Called with the number of characters that a member has just read, for a progress bar."""

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


def gradient_sizes(model: CharLSTM, ids: Ids, on_characters: Count = lambda n: None) -> list[Sizes]:
    """For each member, the root mean square of each weight's gradient over the first segments of a text.

    The text is [n] with n ≥ 2. For dynamic evaluation it must not be the text that is scored. The model is left as it
    was.

    Args:
        on_characters: called by each member with the number of characters it has just read.
    """

    def sizes_of(member: Member, count: Count) -> Sizes:
        squares = [torch.zeros_like(weight) for weight in member.parameters()]
        segments = 0
        for nats, gradients in _read(member, ids[: STATISTICS + 1]):
            for square, gradient in zip(squares, gradients, strict=True):
                square.addcmul_(gradient, gradient)
            segments += 1
            count(len(nats))
        return [square.div_(segments).sqrt_() for square in squares]

    return _of_each(model, sizes_of, on_characters)


def adapt(model: CharLSTM, ids: Ids, sizes: list[Sizes], on_characters: Count = lambda n: None) -> Score:
    """Let the weights adapt to a text, [n] with n ≥ 2, and score each segment before they see it.

    Each member adapts by itself after each segment. With the gradient g of its mean loss, its weights θ, which began as
    θ₀, the usual sizes s of their gradients, and s̄, the mean of s over all of the member's weights:

        θ ← θ - η g / (s + ε s̄)
        θ ← θ + min(1, λ s / s̄) (θ₀ - θ)

    This is the paper's RMS variant with a global prior: weights with large gradients take smaller steps, and are drawn
    back more. The score is that of the members' mean probabilities.

    Args:
        sizes: from `gradient_sizes`.
        on_characters: called by each member with the number of characters it has just read.

    Returns:
        the score of a model that adapts as it reads. It keeps what it has learned; see `restoring`.

    Raises:
        RunError: when the score isn't finite.
    """
    of = dict(zip(model.each, sizes, strict=True))

    def adapted(member: Member, count: Count) -> Tensor:
        average = float(sum(size.sum() for size in of[member])) / sum(size.numel() for size in of[member])
        rates = [-LEARNING_RATE / (size + EPSILON * average).clamp_(min=SMALLEST) for size in of[member]]
        pulls = [(DECAY / max(average, SMALLEST) * size).clamp_(max=1) for size in of[member]]
        weights = list(member.parameters())
        origins = [weight.detach().clone() for weight in weights]
        read = []
        for nats, gradients in _read(member, ids):
            with torch.no_grad():
                for weight, gradient, rate, pull, origin in zip(weights, gradients, rates, pulls, origins, strict=True):
                    weight.addcmul_(gradient, rate).lerp_(origin, pull)
            read.append(nats)
            count(len(nats))
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
    """Read a text with the state carried through. Yields each segment's nats, [n], and the gradients of their mean."""
    lanes, weights = Lanes(ids, 1, SEGMENT), list(member.parameters())
    state = member.stack.initial_state(1)
    for number in range(lanes.batches):
        x, y = (tensor.to(weights[0].device) for tensor in lanes.batch(number))
        logits, state = member(x, state.detach())
        nats = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
        yield nats.detach().cpu(), torch.autograd.grad(nats.mean(), weights)


def _of_each(model: CharLSTM, do: Callable[[Member, Count], T], on_characters: Count) -> list[T]:
    """The result of `do` for each member, without dropout, in threads. If one fails, the others end, too."""
    failures: list[BaseException] = []
    lock = Lock()

    def count(characters: int) -> None:
        with lock:
            if failures:
                raise CancelledError
            on_characters(characters)

    def done(member: Member) -> T:
        try:
            return do(member, count)
        except BaseException as failure:
            failures.append(failure)
            raise

    pool = thread_pool(len(model.members)) if model.device.type == "cpu" else None
    with evaluating(model), pool or nullcontext():  # which ends when all threads have
        try:
            return list((pool.map if pool else map)(done, model.each))
        except BaseException as failure:  # also Ctrl-C, which comes to this thread
            failures.append(failure)
            raise failures[0] from None
