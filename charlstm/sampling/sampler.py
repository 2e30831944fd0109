"""From scores of the next character to text: the filters, the draw, and the loop that feeds each draw back in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from charlstm.errors import RunError

StateT = TypeVar("StateT")
Step = Callable[[Tensor, StateT], tuple[Tensor, StateT]]
"""The model's contract: ids [1, T], state → logits [1, T, V], state."""

PRIME_AT_ONCE = 256
"""Characters of the prime that are read in one call, so that a long one doesn't take a large memory."""


def generate(
    step: Step[StateT],
    state: StateT,
    prime: Tensor,
    *,
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    never: int | None = None,
    random: torch.Generator | None = None,
) -> Iterator[int]:
    """Read the prime, then draw one id after another, each fed back to draw the next, without end.

    Args:
        step: the model, or anything with its contract.
        prime: ids, [n] with n ≥ 1.
        never: an id that is not to be drawn.
        random: where the draws come from, on the CPU; None is PyTorch's global generator.
    """
    for part in torch.split(prime.unsqueeze(0), PRIME_AT_ONCE, dim=1):
        logits, state = step(part, state)
    while True:
        probabilities = next_probabilities(logits[0, -1], temperature, top_k, top_p, min_p, never)
        drawn = torch.multinomial(probabilities, 1, generator=random)
        yield int(drawn)
        logits, state = step(drawn.view(1, 1).to(prime.device), state)


def next_probabilities(
    logits: Tensor,
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    never: int | None = None,
) -> Tensor:
    """What to draw the next id from: logits [V] → probabilities [V], float64, on the CPU.

    In this order: the id `never` is taken out; the scores are divided by `temperature`, where 0 leaves only the
    likeliest; `top_k` keeps the k likeliest (Fan et al. 2018); `top_p` keeps the fewest of the likeliest that together
    have this probability (Holtzman et al. 2020); `min_p` keeps those that have at least this share of the likeliest's
    probability (Nguyen et al. 2024). Of equal scores the lower id counts as the likelier.

    Raises:
        RunError: when a score isn't finite.
    """
    scores = logits.cpu().double()
    if not torch.isfinite(scores).all():
        raise RunError("the model's scores are not finite numbers: its training went wrong; use an earlier checkpoint")
    if never is not None:
        scores = scores.index_fill(0, torch.tensor([never]), -torch.inf)
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


def random_of(seed: int, sample: int) -> torch.Generator:
    """The random numbers of one sample of a seed: the same however many samples are asked for."""
    digest = hashlib.blake2b(f"{seed} {sample}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def until(characters: Iterable[str], stops: tuple[str, ...]) -> Iterator[str]:
    """The characters up to where one of `stops` begins. What may be a beginning is held back until it is known.

    Of several that end at once the longest counts.
    """
    held = ""
    for character in characters:
        held += character
        if found := max((stop for stop in stops if held.endswith(stop)), key=len, default=""):
            yield from held[: -len(found)]
            return
        while held and not any(stop.startswith(held) for stop in stops):
            yield held[0]
            held = held[1:]
    yield from held
