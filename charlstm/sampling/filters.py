"""Which ids may be drawn."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from charlstm.config import SampleConfig
from charlstm.errors import RunError

Scores = npt.NDArray[np.float32]

NOT_FINITE = "the model's scores are not finite numbers: its training went wrong; use an earlier checkpoint"


def filtered(scores: Scores, config: SampleConfig, never: Sequence[Collection[int]] = ()) -> Scores:
    """Scores [B, V], in a copy with -infinity for what may not be drawn, or as they are where all may.

    In this order: the ids `never`, of each row, are taken out; of the probabilities at this temperature `top_k` keeps
    the k highest (Fan et al. 2018); `top_p` the fewest of the highest that together reach it (Holtzman et al. 2020);
    `min_p` those that have at least this share of the highest (Nguyen et al. 2024). Of equal scores the lower id counts
    as the higher. At a temperature of 0 there is nothing to choose from.

    Raises:
        RunError: with `top_k`, `top_p` or `min_p`, when a row's highest score isn't a finite number.
    """
    choosy = (config.top_k or config.top_p or config.min_p) and config.temperature
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
    """The ids that stay, where the likeliest has 1."""
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
