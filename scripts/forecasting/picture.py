"""Pictures of a series: what was, what was forecast, and how sure the forecast is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from charlstm.errors import InputError
from charlstm.files import replacing
from forecasting.series import Series, Values

SHOWN = 5
"""Of a long series, this many times the length of what was forecast is shown before it, at least 100 values."""


def draw(
    path: Path,
    series: Series,
    begin: int,
    dates: Sequence[str],
    forecasts: Mapping[str, Values],
    band: tuple[Values, Values],
    coverage: float,
) -> None:
    """Draw the series, and forecasts from `begin` on; the first of them has the band around it.

    Args:
        dates: of what is forecast.

    Raises:
        InputError: when Matplotlib isn't there.
    """
    try:
        from matplotlib import pyplot as plt
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        raise InputError("a picture needs Matplotlib: python -m pip install -e '.[charts]'") from None
    first = max(0, begin - max(100, SHOWN * len(dates)))
    labels = [*series.dates[:begin], *dates]
    figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained", facecolor="white")
    axes.plot(range(first, len(series)), series.values[first:], color="black", linewidth=1, label=series.name)
    where = range(begin, begin + len(dates))
    for number, (name, forecast) in enumerate(forecasts.items()):
        axes.plot(where, forecast, color=f"C{number}", linewidth=1.5 if number == 0 else 0.8, label=name)
    axes.fill_between(
        where, *band, color="C0", alpha=0.2, linewidth=0, label=f"{coverage:.0%} of the truth should lie here"
    )
    axes.axvline(begin - 0.5, color="grey", linestyle=":", linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.xaxis.set_major_formatter(lambda at, _: labels[int(at)] if 0 <= at < len(labels) else "")
    axes.set(ylabel=series.name)
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format="png")
    plt.close(figure)
