"""Intervals from past errors: as wide as those errors were (conformal prediction, Vovk et al. 2005)."""

from __future__ import annotations

import math

import numpy as np

from forecasting.series import Values


class Errors:
    """The sizes of past errors, by how many steps ahead the forecast was.

    Where all values are positive, an error is a ratio, so that the interval grows with the series.

    Errors of several steps ahead overlap, and those of a chosen forecaster are smaller than new ones will be. So an
    interval's coverage is no promise: a backtest shows what it is.

    Args:
        sizes: for each distance, from one step ahead on, the sizes that are known.
    """

    def __init__(self, sizes: list[list[float]], is_ratio: bool) -> None:
        self.sizes, self.is_ratio = sizes, is_ratio

    @classmethod
    def none(cls, steps: int, is_ratio: bool) -> Errors:
        """Before any error is known."""
        return cls([[] for _ in range(steps)], is_ratio)

    def copy(self) -> Errors:
        """The same errors, to which others can be added."""
        return Errors([list(sizes) for sizes in self.sizes], self.is_ratio)

    def add(self, distance: int, forecast: float, truth: float) -> None:
        """Take note of an error."""
        size = abs(truth - forecast)
        if self.is_ratio:
            size = abs(math.log(truth / forecast)) if forecast > 0 and truth > 0 else math.inf
        self.sizes[distance - 1].append(size)

    def width(self, distance: int, coverage: float) -> float:
        """What a share of `coverage` of the errors doesn't exceed, and the next one neither, if it is like them.

        That is the ⌈(n + 1) · coverage⌉-th of n sizes, in their order. Where there are too few, it is that of the
        farthest distance that has enough, made larger as the errors of a random walk grow; infinite if none has.
        """
        for near in range(min(distance, len(self.sizes)), 0, -1):
            sizes = sorted(self.sizes[near - 1])
            rank = math.ceil((len(sizes) + 1) * coverage)
            if rank <= len(sizes):
                return sizes[rank - 1] * math.sqrt(distance / near)
        return math.inf

    def interval(self, distance: int, forecast: float, coverage: float) -> tuple[float, float]:
        """The lower and the upper end around a forecast; infinite where too little is known."""
        width = self.width(distance, coverage)
        if math.isinf(width) or (self.is_ratio and forecast <= 0):
            return -math.inf, math.inf
        if self.is_ratio:
            return forecast * math.exp(-width), forecast * math.exp(min(width, 700.0))
        return forecast - width, forecast + width


def online(
    errors: Errors, forecasts: Values, truth: Values, coverage: float, distance: int = 1
) -> tuple[Values, Values]:
    """The ends of the interval of each forecast, from the errors known when it is made.

    Args:
        errors: those known before the first one; each later one is added once its truth is known, which is `distance`
            steps later.
        forecasts, truth: of neighbouring moments, [n].
    """
    ends = []
    for number, forecast in enumerate(forecasts.tolist()):
        if number >= distance:
            errors.add(distance, float(forecasts[number - distance]), float(truth[number - distance]))
        ends.append(errors.interval(distance, forecast, coverage))
    lowest, highest = np.array(ends).T
    return lowest, highest


def covered(errors: Errors, forecasts: Values, truth: Values, coverage: float, distance: int) -> tuple[int, int]:
    """How many of the truth lie inside their interval, as of `online`; and how many intervals are known."""
    lowest, highest = online(errors, forecasts, truth, coverage, distance)
    is_known = np.isfinite(lowest)
    return int(((lowest <= truth) & (truth <= highest) & is_known).sum()), int(is_known.sum())
