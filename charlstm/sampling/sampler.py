"""From scores of the next character to text: the filters, the draw, and the loop that feeds each draw back in."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Generator as Yields
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.errors import RunError

T = TypeVar("T")
StateT = TypeVar("StateT")
Step = Callable[[Tensor, StateT], tuple[Tensor, StateT]]
"""The model's contract: ids [1, T], state → logits [1, T, V], state."""

READ_AT_ONCE = 256
"""Characters that are read in one call, so that a long text doesn't take a large memory."""


@dataclass(frozen=True)
class Context(Generic[StateT]):
    """What was read so far, as a model has it: the scores of what comes next, [V], and its state."""

    scores: Tensor
    state: StateT


class Draw(NamedTuple):
    """An id that was drawn, and the scores, [V], that it was drawn by."""

    id: int
    scores: Tensor

    @property
    def probability(self) -> float:
        """What the model itself gave it, before temperature and filters."""
        return torch.softmax(self.scores.double(), dim=0)[self.id].item()


def read(step: Step[StateT], state: StateT, ids: Tensor) -> Context[StateT]:
    """Read ids, [n] with n ≥ 1, after what a state has read."""
    for part in torch.split(ids.unsqueeze(0), READ_AT_ONCE, dim=1):
        logits, state = step(part, state)
    return Context(logits[0, -1], state)


def generate(
    step: Step[StateT],
    context: Context[StateT],
    config: SampleConfig,
    *,
    never: Collection[int] = (),
    history: Iterable[int] = (),
    random: torch.Generator | None = None,
) -> Iterator[Draw]:
    """Draw one id after another, each fed back to draw the next, without end.

    Args:
        step: the model, or anything with its contract.
        config: of which the filters are used; length and stops are up to the caller.
        never: ids that are not to be drawn.
        history: the ids before, whose runs `config.no_repeat` keeps from coming again.
        random: where the draws come from, on the CPU; None is PyTorch's global generator.
    """
    runs = Runs(config.no_repeat, history) if config.no_repeat else None
    while True:
        excluded = {*never, *runs.completed_by()} if runs else never
        if len(excluded) == len(context.scores):
            excluded = never  # everything would be a repetition: then repeat
        probabilities = next_probabilities(context.scores, config, excluded)
        drawn = torch.multinomial(probabilities, 1, generator=random)
        yield Draw(int(drawn), context.scores)
        if runs:
            runs.add(int(drawn))
        context = read(step, context.state, drawn.to(context.scores.device))


def next_probabilities(scores: Tensor, config: SampleConfig, never: Collection[int] = ()) -> Tensor:
    """What to draw the next id from: scores [V] → probabilities [V], float64, on the CPU.

    In this order: the ids `never` are taken out; the scores are divided by `temperature`, where 0 leaves only the
    likeliest; `top_k` keeps the k likeliest (Fan et al. 2018); `top_p` keeps the fewest of the likeliest that together
    have this probability (Holtzman et al. 2020); `min_p` keeps those that have at least this share of the likeliest's
    probability (Nguyen et al. 2024). Of equal scores the lower id counts as the likelier.

    Raises:
        RunError: when a score isn't finite.
    """
    temperature, top_k, top_p, min_p = config.temperature, config.top_k, config.top_p, config.min_p
    scores = scores.cpu().double()
    if not torch.isfinite(scores).all():
        raise RunError("the model's scores are not finite numbers: its training went wrong; use an earlier checkpoint")
    if never:
        scores = scores.index_fill(0, torch.tensor(list(never)), -torch.inf)
    if temperature == 0:
        top_k, temperature = 1, 1.0
    # The largest score becomes 0 first, so that no temperature, however small, divides to infinity.
    probabilities = torch.softmax((scores - scores.max()) / temperature, dim=0)
    if top_k is None and top_p is None and min_p is None:
        return probabilities
    order = torch.argsort(scores, descending=True, stable=True)
    ranked = probabilities[order]
    kept = torch.ones_like(ranked, dtype=torch.bool)
    if top_k is not None:
        kept[top_k:] = False
    if top_p is not None:
        ranked = ranked * kept
        before = ranked.cumsum(0) - ranked  # the probability of all that are likelier
        kept &= before < top_p * ranked.sum()
    if min_p is not None:
        kept &= ranked >= min_p * ranked[0]
    filtered = torch.zeros_like(probabilities)
    filtered[order[kept]] = probabilities[order[kept]]
    return filtered / filtered.sum()


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


def random_of(seed: int, sample: int) -> torch.Generator:
    """The random numbers of one sample of a seed: the same however many samples are asked for."""
    digest = hashlib.blake2b(f"{seed} {sample}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def until(drawn: Iterable[tuple[str, T]], stops: tuple[str, ...]) -> Yields[tuple[str, T], None, str]:
    """Characters, each with what belongs to it, up to where one of `stops` begins.

    What may be a beginning is held back until it is known. Of several that end at once the longest counts.

    Returns:
        the one that ended the text, or an empty string when the characters came to their end.
    """
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
