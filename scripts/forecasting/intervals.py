"""Intervals from past errors: as wide as those errors were (conformal prediction, Vovk et al. 2005)."""

from __future__ import annotations

import math

import numpy as np

from forecasting.series import Values

LEAST = 10
"""The errors that must be known of a distance. Farther ones take those of the farthest that has them, made larger."""


class Errors:
    """The sizes of past errors, by how many steps ahead the forecast was.

    Where all values are positive, an error is a ratio, so that the interval grows with the series.

    Args:
        sizes: for each distance, from one step ahead on, the sizes that are known.
    """

    def __init__(self, sizes: list[list[float]], is_ratio: bool) -> None:
        self.sizes, self.is_ratio = sizes, is_ratio

    @classmethod
    def none(cls, steps: int, is_ratio: bool) -> Errors:
        """Before any error is known."""
        return cls([[] for _ in range(steps)], is_ratio)

    def add(self, distance: int, forecast: float, truth: float) -> None:
        """Take note of an error."""
        if self.is_ratio:
            size = abs(math.log(truth / forecast)) if forecast > 0 else math.inf
        else:
            size = abs(truth - forecast)
        self.sizes[distance - 1].append(size)

    def width(self, distance: int, coverage: float) -> float:
        """What a share of `coverage` of the errors doesn't exceed, and the next one neither, if it is like them.

        That is the ⌈(n + 1) · coverage⌉-th of n sizes, in their order; infinite if there are too few.
        """
        known = max((d for d in range(1, len(self.sizes) + 1) if len(self.sizes[d - 1]) >= LEAST), default=1)
        near = min(distance, known)
        sizes = sorted(self.sizes[near - 1])
        rank = math.ceil((len(sizes) + 1) * coverage)
        if rank > len(sizes):
            return math.inf
        return sizes[rank - 1] * math.sqrt(distance / near)  # as the errors of a random walk grow

    def interval(self, distance: int, forecast: float, coverage: float) -> tuple[float, float]:
        """The lower and the upper end around a forecast."""
        width = self.width(distance, coverage)
        if self.is_ratio:
            return forecast * math.exp(-width), forecast * math.exp(min(width, 700.0))
        return forecast - width, forecast + width


def online(errors: Errors, forecasts: Values, truth: Values, coverage: float) -> tuple[Values, Values]:
    """The ends of the interval of each forecast, one step ahead, from the errors known before it.

    Args:
        errors: those known before the first one; each later one is added once its truth is known.
    """
    ends = []
    for forecast, value in zip(forecasts.tolist(), truth.tolist(), strict=True):
        ends.append(errors.interval(1, forecast, coverage))
        errors.add(1, forecast, value)
    lowest, highest = np.array(ends).T
    return lowest, highest
