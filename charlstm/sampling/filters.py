"""Which ids may be drawn."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from charlstm.config import SampleConfig
from charlstm.errors import NOT_FINITE, RunError

Scores = npt.NDArray[np.float32]
"""[B, V], a score for each id in each row."""


def filters(config: SampleConfig) -> bool:
    """Whether `top_k`, `top_p` or `min_p` count."""
    return bool((config.top_k or config.top_p or config.min_p) and config.temperature)


def filtered(scores: Scores, config: SampleConfig, never: Sequence[Collection[int]] = ()) -> Scores:
    """Scores [B, V] with -infinity for the ids that may not be drawn: a copy, or the scores themselves if all may.

    In this order: the ids in `never`, one collection a row, are excluded. Among the probabilities at this temperature,
    `top_k` keeps the k highest (Fan et al. 2018); `top_p` the smallest number of the highest ones that together reach
    it (Holtzman et al. 2020); `min_p` those of at least this share of the highest (Nguyen et al. 2024). Of two equal
    scores, the lower id counts as the higher one. At a temperature of 0 only `never` counts.

    Raises:
        RunError: with `top_k`, `top_p` or `min_p`, when a row's highest score isn't a finite number.
    """
    choosy = filters(config)
    if not (choosy or any(never)):
        return scores
    scores = scores.copy()
    if any(never):
        for row, ids in zip(scores, never, strict=True):
            row[list(ids)] = -np.inf
    for row in scores if choosy else ():
        highest = row.max()
        if not math.isfinite(highest):
            raise RunError(NOT_FINITE)
        with np.errstate(over="ignore"):  # of a tiny temperature
            likely = np.exp(np.subtract(row, highest, dtype=np.float64) / config.temperature)
        dropped = np.ones(len(row), bool)
        dropped[_kept(likely, config)] = False
        row[dropped] = -np.inf
    return scores


def _kept(likely: npt.NDArray[np.float64], config: SampleConfig) -> npt.NDArray[np.intp]:
    """The ids that stay; the highest of `likely` is 1."""
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
    return ids
