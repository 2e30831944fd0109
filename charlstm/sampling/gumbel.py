"""The draw of an id by its score: the Gumbel-max trick, which needs no exponentials and no sums."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from charlstm.errors import NOT_FINITE, RunError
from charlstm.sampling.filters import Scores

AT_ONCE = 4096
"""Numbers of a text's noise that are made in one call, for many draws: a call costs more than its numbers."""

HOTTEST = 1e30
"""A temperature that float32 still holds, and at which everything is equally likely."""


def gumbels(randoms: Sequence[np.random.Generator], ids: int, temperature: float) -> Iterator[Scores]:
    """Without end, the noise that is added to scores, [B, ids]: the temperature times Gumbel noise.

    Each row has its own random numbers, so it doesn't depend on how many other rows there are.
    """
    draws = max(1, AT_ONCE // ids)
    while True:
        noise = np.zeros((draws, len(randoms), ids), np.float32)
        if temperature:
            for row, each in enumerate(randoms):
                # Gumbel noise is -log of an exponentially distributed number.
                noise[:, row] = each.standard_exponential((draws, ids))
            np.log(np.maximum(noise, np.finfo(np.float32).tiny, out=noise), out=noise)
            noise *= -min(temperature, HOTTEST)
        yield from noise


def draw(scores: Scores, noise: Scores) -> list[int]:
    """For each row, [B, V], the id whose score plus noise is highest.

    With the noise of `gumbels` an id is drawn as often as softmax(scores / temperature) has it (Gumbel 1954; Maddison
    et al. 2014), down to a temperature of about 1e-4, where the noise is lost in the scores. Without noise it is the id
    of the highest score, and the first one of equal scores.

    Raises:
        RunError: when the highest isn't a finite number.
    """
    together = scores + noise
    drawn: list[int] = together.argmax(-1).tolist()
    highest = together.item(0, drawn[0]) if len(drawn) == 1 else together.max(-1).sum().item()
    if not math.isfinite(highest):
        raise RunError(NOT_FINITE)
    return drawn


def probabilities_of(drawn: Sequence[int], scores: Scores) -> list[float]:
    """The probability of each row's drawn id by the model itself: the softmax of the scores, [B, V].

    Raises:
        RunError: when a row's highest score isn't a finite number.
    """
    highest = scores.max(-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise RunError(NOT_FINITE)
    likely = np.exp(np.subtract(scores, highest, dtype=np.float64))
    return [row.item(i) / total for row, i, total in zip(likely, drawn, likely.sum(-1).tolist(), strict=True)]
