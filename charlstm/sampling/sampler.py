"""The loop that draws a character and feeds it back in, and where a text ends."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Generator as Yields
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.randomness import seed_from
from charlstm.sampling.choosing import chooser
from charlstm.sampling.gumbel import gumbels, probabilities_of

T = TypeVar("T")
StateT = TypeVar("StateT")
Step = Callable[[Tensor, StateT], tuple[Tensor, StateT]]
"""The model's contract: ids [B, T], state → logits [B, T, V], state."""

READ_AT_ONCE = 256
"""Characters that are read in one call, so that a long text doesn't take a large memory."""


@dataclass(frozen=True)
class Context(Generic[StateT]):
    """What was read so far, as a model has it: the scores of the next id, [B, V], and its state."""

    scores: Tensor
    state: StateT


class Draw(NamedTuple):
    """An id that was drawn, and the probability that the model itself gave it, before temperature and filters.

    The probability is nan unless it was asked for.
    """

    id: int
    probability: float


def read(step: Step[StateT], state: StateT, ids: Tensor) -> Context[StateT]:
    """Read ids, [n] with n ≥ 1, after what a state has read."""
    for part in torch.split(ids.unsqueeze(0), READ_AT_ONCE, dim=1):
        logits, state = step(part, state)
    return Context(logits[:, -1], state)


def draws(
    step: Step[StateT],
    context: Context[StateT],
    config: SampleConfig,
    randoms: Sequence[np.random.Generator],
    *,
    never: Collection[int] = (),
    history: Iterable[int] = (),
    scored: bool = False,
) -> Iterator[list[Draw]]:
    """Draw an id for each text of a batch, feed them back to draw the next ones, and so on without end.

    Args:
        step: the model, or anything with its contract.
        context: what was read of each text.
        config: its temperature and filters are used; length and stops are up to the caller.
        randoms: for each text, where its draws come from.
        never: ids that are not to be drawn.
        history: the ids before. `config.no_repeat` keeps runs of them from coming again.
        scored: whether to compute the draws' probabilities.
    """
    logits, state = context.scores.unsqueeze(1), context.state
    history = list(history)
    runs = [Runs(config.no_repeat, history) for _ in randoms] if config.no_repeat else []
    excluded: list[Collection[int]] = [never] * len(randoms) if never else []
    ids = torch.empty(len(randoms), 1, dtype=torch.int64)
    column = ids.numpy()[:, 0]
    choose = chooser(config, len(randoms), context.scores.shape[-1])
    unscored = [Draw(i, math.nan) for i in range(context.scores.shape[-1])]
    device, last = logits.device, None
    for noise in gumbels(randoms, len(unscored), config.temperature):
        if logits is not last or device.type != "cpu":  # a fast step always writes into the same memory
            last, scores = logits, logits.numpy(force=True)[:, -1]
        if runs:  # where everything would be a repetition, it repeats
            completed = ({*never, *each.completed_by()} for each in runs)
            excluded = [barred if len(barred) < scores.shape[-1] else never for barred in completed]
        drawn = choose(scores, noise, excluded)
        if scored:
            yield list(map(Draw, drawn, probabilities_of(drawn, scores)))
        else:
            yield [unscored[i] for i in drawn]
        for each, i in zip(runs, drawn, strict=False):
            each.add(i)
        column[:] = drawn
        logits, state = step(ids.to(device), state)


class Runs:
    """The runs of `length` ids in a text that grows."""

    def __init__(self, length: int, ids: Iterable[int] = ()) -> None:
        self._last: deque[int] = deque(maxlen=length - 1)
        self._followers: dict[tuple[int, ...], set[int]] = {}
        for i in ids:
            self.add(i)

    def add(self, i: int) -> None:
        """The text goes on with an id."""
        if len(self._last) == self._last.maxlen:
            self._followers.setdefault(tuple(self._last), set()).add(i)
        self._last.append(i)

    def completed_by(self) -> Collection[int]:
        """The ids with which the text would go on as it did before."""
        return self._followers.get(tuple(self._last), ())


def random_of(seed: int, sample: int) -> np.random.Generator:
    """The random numbers of one sample of a seed: the same however many samples are asked for."""
    return np.random.Generator(np.random.PCG64(seed_from(seed, sample)))


def until(drawn: Iterable[tuple[str, T]], stops: tuple[str, ...]) -> Yields[tuple[str, T], None, str]:
    """Characters, each with what belongs to it, up to where one of `stops` begins.

    What may be a beginning is held back until it is known. Of several that end at once the longest counts.

    Returns:
        the one that ended the text, or an empty string when the characters came to their end.
    """
    if not stops:
        yield from drawn
        return ""
    held: deque[tuple[str, T]] = deque()
    for each in drawn:
        held.append(each)
        text = "".join(character for character, _ in held)
        if found := max((stop for stop in stops if text.endswith(stop)), key=len, default=""):
            for _ in range(len(text) - len(found)):
                yield held.popleft()
            return found
        while text and not any(stop.startswith(text) for stop in stops):
            yield held.popleft()
            text = text[1:]
    yield from held
    return ""
