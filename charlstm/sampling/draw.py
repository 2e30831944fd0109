"""The draw of an id by its score: the Gumbel-max trick, which needs no exponentials and no sums."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from charlstm.errors import RunError
from charlstm.sampling.filters import NOT_FINITE, Scores

AT_ONCE = 4096
"""Numbers of a text's noise that are made together: ahead for many draws, since a call costs more than its numbers."""

HOTTEST = 1e30
"""A temperature that float32 still holds, and at which everything is equally likely."""


def gumbels(randoms: Sequence[np.random.Generator], ids: int, temperature: float) -> Iterator[Scores]:
    """Without end, what chance adds to scores, [B, ids]: the temperature times -log of an exponential number.

    Each row has its own random numbers, and so doesn't depend on how many others there are.
    """
    draws = max(1, AT_ONCE // ids)
    while True:
        noise = np.zeros((draws, len(randoms), ids), np.float32)
        if temperature:
            for row, each in enumerate(randoms):
                noise[:, row] = each.standard_exponential((draws, ids))
            np.log(np.maximum(noise, np.finfo(np.float32).tiny, out=noise), out=noise)
            noise *= -min(temperature, HOTTEST)
        yield from noise


def draw(scores: Scores, noise: Scores) -> list[int]:
    """The id of each row, [B, V], that is highest with its noise.

    With the noise of `gumbels` an id is drawn as often as softmax(scores / temperature) has it (Gumbel 1954; Maddison
    et al. 2014), down to a temperature of about 1e-4, where the noise is lost in the scores. Without noise it is the
    highest, and of equal ones the first.

    Raises:
        RunError: when the highest isn't a finite number.
    """
    together = scores + noise
    drawn: list[int] = together.argmax(-1).tolist()
    if not math.isfinite(sum(together.item(row, i) for row, i in enumerate(drawn))):
        raise RunError(NOT_FINITE)
    return drawn


def probabilities_of(drawn: Sequence[int], scores: Scores) -> list[float]:
    """What the model itself gave to the id that was drawn of each row, [B, V]: its softmax.

    Raises:
        RunError: when a row's highest score isn't a finite number.
    """
    highest = scores.max(-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise RunError(NOT_FINITE)
    likely = np.exp(np.subtract(scores, highest, dtype=np.float64))
    return [row.item(i) / total for row, i, total in zip(likely, drawn, likely.sum(-1).tolist(), strict=True)]
