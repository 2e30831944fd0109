"""What any forecast must beat, one step ahead: plain rules, a ridge regression, and Holt-Winters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from forecasting.series import Values

PENALTY = 3.0
"""Of the ridge regression, on inputs of scale 1."""


def last_value(values: Values, begin: int, season: int | None) -> Values:
    """Nothing changes."""
    return values[begin - 1 : -1]


def season_before(values: Values, begin: int, season: int | None) -> Values | None:
    """All is as it was a season ago."""
    return values[begin - season : -season] if season and begin > season else None


def with_growth(values: Values, begin: int, season: int | None) -> Values | None:
    """As a season ago, times the latest growth over a season."""
    if not season or begin <= season + 1 or (values[:begin] <= 0).any():
        return None
    return values[begin - season : -season] * values[begin - 1 : -1] / values[begin - season - 1 : -season - 1]


def holt_winters(values: Values, begin: int, season: int | None) -> Values | None:
    """Level, trend and season, each smoothed exponentially (Winters 1960), by statsmodels; None where it isn't there.

    The rates of smoothing and the first state are fitted to what stands before `begin`. Then level, trend and season
    go on with each value.
    """
    if find_spec("statsmodels") is None or (season and begin < 2 * season):
        return None
    kind = None if not season else "mul" if (values[:begin] > 0).all() else "add"
    if kind == "mul" and (values <= 0).any():
        return None  # it can't read what comes
    shape = {"trend": "add", "seasonal": kind, "seasonal_periods": season}
    with warnings.catch_warnings():
        from statsmodels.tsa.holtwinters import ExponentialSmoothing

        warnings.simplefilter("ignore")  # it says how well the search for the rates went
        found = ExponentialSmoothing(values[:begin], **shape, initialization_method="estimated").fit().params
        whole = ExponentialSmoothing(
            values,
            **shape,
            initialization_method="known",
            initial_level=found["initial_level"],
            initial_trend=found["initial_trend"],
            initial_seasonal=found["initial_seasons"] if season else None,
        )
        rates = {f"smoothing_{name}": found[f"smoothing_{name}"] for name in ("level", "trend")}
        if season:
            rates["smoothing_seasonal"] = found["smoothing_seasonal"]
        fitted: Values = np.asarray(whole.fit(**rates, optimized=False).fittedvalues)
    return fitted[begin:]


def ridge(values: Values, begin: int, season: int | None) -> Values | None:
    """A linear regression on the last season and one value more, of logarithms' growth over a season, with a penalty.

    Without a season, or with values that aren't positive, of the values themselves and the last ten of them.
    """
    is_growth = bool(season) and bool((values[:begin] > 0).all())
    lag, order = (season or 0, (season or 0) + 1) if is_growth else (0, 10)
    with np.errstate(all="ignore"):  # a later value may have no logarithm: then its forecast isn't a number
        z = np.log(values[lag:] / values[:-lag]) if is_growth else values
    if begin - lag < 2 * order:
        return None
    rows = np.lib.stride_tricks.sliding_window_view(z[:-1], order)
    known = begin - lag - order  # the rows whose next value stands before `begin`
    mean, scale = rows[:known].mean(0), rows[:known].std(0) + 1e-12
    x, y = (rows - mean) / scale, z[order:]
    middle = y[:known].mean()
    weights = np.linalg.solve(x[:known].T @ x[:known] + PENALTY * np.eye(order), x[:known].T @ (y[:known] - middle))
    forecast: Values = x[known:] @ weights + middle
    return values[begin - lag : -lag] * np.exp(forecast) if is_growth else forecast


RIVALS: dict[str, Callable[[Values, int, int | None], Values | None]] = {
    "last value": last_value,
    "a season before": season_before,
    "a season before × growth": with_growth,
    "Holt-Winters": holt_winters,
    "ridge regression": ridge,
}
"""By name: (values, where the forecasts begin, season) → a forecast of each value from there on, or None."""


def rmse(forecast: Values, truth: Values) -> float:
    """The root of the mean squared error, in the units of the series."""
    return math.sqrt(np.mean((forecast - truth) ** 2))
