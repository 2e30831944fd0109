"""From scores of the next character to its draw."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from charlstm.config import SampleConfig
from charlstm.errors import RunError

Array = npt.NDArray[np.float64]


def likelihoods(scores: npt.NDArray[np.floating], config: SampleConfig, never: Sequence[Collection[int]] = ()) -> Array:
    """How likely the next ids are, to the likeliest, that is 1: scores [B, V] → [B, V].

    In this order: the ids `never`, of each row, are taken out; the scores are divided by `temperature`, where 0 leaves
    only the likeliest; `top_k` keeps the k likeliest (Fan et al. 2018); `top_p` keeps the fewest of the likeliest that
    together have this probability (Holtzman et al. 2020); `min_p` keeps those that have at least this share of the
    likeliest's probability (Nguyen et al. 2024). Of equal scores the lower id counts as the likelier.

    Raises:
        RunError: when a score isn't a finite number.
    """
    if any(never):
        scores = scores.copy()
        for row, ids in zip(scores, never, strict=True):
            row[list(ids)] = -np.inf
    highest = np.maximum.reduce(scores, axis=-1, keepdims=True)
    if not math.isfinite(sum(highest[:, 0].tolist())):
        raise RunError("the model's scores are not finite numbers: its training went wrong; use an earlier checkpoint")
    likely: Array
    if config.temperature == 0:
        likely = np.zeros(scores.shape)
        likely[np.arange(len(scores)), scores.argmax(-1)] = 1.0
        return likely
    # The highest score becomes 0 first, so that it stays when a tiny temperature takes all others to -infinity.
    likely = np.subtract(scores, highest, dtype=np.float64)
    if config.temperature != 1:
        with np.errstate(over="ignore"):
            likely /= config.temperature
    np.exp(likely, out=likely)
    if config.top_k is not None or config.top_p is not None or config.min_p is not None:
        for row in likely:
            _filter(row, config)
    return likely


def draw(likely: Array, randoms: Sequence[np.random.Generator]) -> list[int]:
    """An id of each row, by chance: likelihoods [B, V] → B of them."""
    ends = np.add.accumulate(likely, axis=-1)
    # Of a row's length a share above 0 and up to 1, so that no id is drawn whose likelihood is 0.
    return [int(row.searchsorted((1.0 - each.random()) * row[-1])) for row, each in zip(ends, randoms, strict=True)]


def _filter(likely: Array, config: SampleConfig) -> None:
    """Make zeros of what isn't kept, where the likeliest has 1."""
    ids = np.arange(len(likely))
    if config.top_k is not None and config.top_k < len(likely):
        least = np.partition(likely, -config.top_k)[-config.top_k]
        above, equal = np.flatnonzero(likely > least), np.flatnonzero(likely == least)
        ids = np.concatenate([above, equal[: config.top_k - len(above)]])
    if config.top_p is not None:
        ids = ids[np.lexsort((ids, -likely[ids]))]
        before = likely[ids].cumsum() - likely[ids]  # the probability of all that are likelier
        ids = ids[before < config.top_p * likely[ids].sum()]
    if config.min_p is not None:
        ids = ids[likely[ids] >= config.min_p]
    kept = likely[ids]
    likely[:] = 0
    likely[ids] = kept
