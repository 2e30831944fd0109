"""Pictures of a series: what was, what was forecast, and how sure the forecast is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charlstm.files import replacing
from forecasting.series import Series, Values

SHOWN = 1.5
"""The right half shows this many times what was forecast."""


@dataclass(frozen=True)
class Forecast:
    """Forecasts of a stretch of a series.

    Attributes:
        begin: the number of the first value that is forecast.
        values: [n].
        band: the ends of their intervals, [n] each; None, or infinite ends, to draw none.
    """

    name: str
    begin: int
    values: Values
    band: tuple[Values, Values] | None = None


def draw(path: Path, series: Series, forecasts: Sequence[Forecast], coverage: float) -> None:
    """Draw a series with forecasts: all of it on the left, its end on the right.

    Args:
        coverage: the share of the truth that a band should hold.
    """
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    end = max(forecast.begin + len(forecast.values) for forecast in forecasts)
    first = min(forecast.begin for forecast in forecasts)
    dates = [*series.dates, *(series.date_after(step) for step in range(1, end - len(series) + 1))]
    figure, both = plt.subplots(1, 2, figsize=(12, 4.5), width_ratios=[2, 3], layout="constrained", facecolor="white")
    for axes, shown in zip(both, (0, max(0, end - round(SHOWN * (end - first)))), strict=True):
        axes.plot(range(shown, len(series)), series.values[shown:], color="black", linewidth=1, label=series.name)
        for number, forecast in enumerate(forecasts):
            where = range(forecast.begin, forecast.begin + len(forecast.values))
            axes.plot(where, forecast.values, color=f"C{number}", linewidth=1.3, label=forecast.name)
            if forecast.band and np.isfinite(forecast.band).all():
                told = f"{coverage:.0%} of the truth should lie here"
                axes.fill_between(where, *forecast.band, color=f"C{number}", alpha=0.2, linewidth=0, label=told)
            axes.axvline(forecast.begin - 0.5, color="grey", linestyle=":", linewidth=1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(lambda at, _: dates[int(at)] if 0 <= at < len(dates) else "")
        axes.grid(alpha=0.3)
    both[0].set(ylabel=series.name)
    both[1].legend(loc="upper left", fontsize="small")
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format="png")
    plt.close(figure)
