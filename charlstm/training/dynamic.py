"""Dynamic evaluation: a model that goes on learning from a text while it reads it (Krause et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM
from charlstm.text.ids import Ids
from charlstm.text.lanes import Lanes
from charlstm.training.evaluation import Score

SEGMENT = 20
"""Characters from one change of the weights to the next."""

LEARNING_RATE = 8e-4
DECAY = 4e-3
"""How far the weights are drawn back to where they began, at each change, where gradients are of average size."""

EPSILON = 0.05
"""Added to the size of a gradient, in average sizes, so that weights that are hardly used don't leap."""

STATISTICS = 40_000
"""Characters from which the size of the gradients is learned."""


def gradient_sizes(model: CharLSTM, ids: Ids, on_characters: Callable[[int], object] = lambda n: None) -> list[Tensor]:
    """The root mean square of each weight's gradient in the first segments of a text, [n] with n ≥ 2.

    For dynamic evaluation the text must not be the one that is to be scored. The model is left as it was.
    """
    squares = [torch.zeros_like(weight) for weight in model.parameters()]
    segments = 0
    with _evaluating(model):
        for score, gradients in _read(model, ids[: STATISTICS + 1]):
            for square, gradient in zip(squares, gradients, strict=True):
                square.addcmul_(gradient, gradient)
            segments += 1
            on_characters(score.characters)
    return [square.div_(segments).sqrt_() for square in squares]


def adapt(
    model: CharLSTM, ids: Ids, sizes: list[Tensor], on_characters: Callable[[int], object] = lambda n: None
) -> Score:
    """Let the weights adapt to a text, [n] with n ≥ 2, and score each segment before they see it.

    After each segment, with the gradient g of its mean loss, the weights θ that the model came with and the size s that
    their gradients usually have, in units of the average size s̄ of all of them:

        θ ← θ - η g / (s + ε s̄)
        θ ← θ + min(1, λ s / s̄) (θ₀ - θ)

    which is the paper's RMS variant with a global prior: weights that matter move, and are held, the more.

    Args:
        sizes: from `gradient_sizes`.

    Returns:
        the score of a model that adapts as it reads. It keeps what it has learned; see `restoring`.
    """
    average = sum(size.sum() for size in sizes) / sum(size.numel() for size in sizes)
    rates = [-LEARNING_RATE / (size + EPSILON * average) for size in sizes]
    pulls = [(DECAY / average * size).clamp_(max=1) for size in sizes]
    weights = list(model.parameters())
    origins = [weight.detach().clone() for weight in weights]
    total = Score(0.0, 0)
    with _evaluating(model):
        for score, gradients in _read(model, ids):
            with torch.no_grad():
                for weight, gradient, rate, pull, origin in zip(weights, gradients, rates, pulls, origins, strict=True):
                    weight.addcmul_(gradient, rate).lerp_(origin, pull)
            total += score
            on_characters(score.characters)
    return total


@contextmanager
def restoring(model: CharLSTM) -> Iterator[None]:
    """Put the weights back as they are now, whatever happens in between."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        yield
    finally:
        model.load_state_dict(before)


def _read(model: CharLSTM, ids: Ids) -> Iterator[tuple[Score, tuple[Tensor, ...]]]:
    """Read a text with the state carried through: of each segment its score, and the gradients of its mean loss."""
    lanes = Lanes(ids, 1, SEGMENT)
    state = model.initial_state(1)
    for number in range(lanes.batches):
        x, y = (tensor.to(model.device) for tensor in lanes.batch(number))
        logits, state = model(x, state.detach())
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
        yield Score(loss.item() * y.numel(), y.numel()), torch.autograd.grad(loss, list(model.parameters()))


@contextmanager
def _evaluating(model: CharLSTM) -> Iterator[None]:
    """Without dropout."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
