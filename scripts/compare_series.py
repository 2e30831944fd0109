#!/usr/bin/env python3
"""Forecasters compared on one series, one step ahead: networks of each cell, the tutorials' recipe, and plain rules.

    python scripts/compare_series.py corpora/airline-passengers.csv --start 1958-10 --keras other/bin/python

All is chosen and fitted before the start. The error of single networks says how lucky a seed can be; the ensemble's is
the one that counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from commands import Failure, failures_reported, positive
from forecasting.forecaster import Settings, View, best, fitted, trials
from forecasting.rivals import RIVALS, rmse
from forecasting.series import Series, Values, read_series
from forecasting.transforms import Transform, candidates

from charlstm.cli import path
from charlstm.config import CELLS

RECIPE = Path(__file__).with_name("series_rival.py")
WINDOW = 10


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", type=path, metavar="DATA.csv")
    parser.add_argument("--column", metavar="NAME")
    parser.add_argument("--start", default="0.8", metavar="SHARE|DATE")
    parser.add_argument("--seeds", type=positive, default=5)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=["lstm"])
    parser.add_argument("--keras", metavar="PYTHON", help="a Python that has Keras, for the tutorials' recipe")
    parser.add_argument("--keras-epochs", type=positive, default=30)
    flags = parser.parse_args()
    torch.set_num_threads(1)
    with failures_reported():
        series = read_series(flags.data, flags.column)
        begin = series.index_of(flags.start)
        truth = series.values[begin:]
        print("| forecaster | single networks | the ensemble |", "|---|---|---|", sep="\n", flush=True)
        for name, singles, together in contestants(flags, series, begin):
            each = [rmse(single, truth) for single in singles]
            spread = f"{min(each):.4g}–{max(each):.4g}" if each else ""
            print(f"| {name} | {spread} | {rmse(together, truth):.4g} |", flush=True)


def contestants(flags: argparse.Namespace, series: Series, begin: int) -> Iterator[tuple[str, list[Values], Values]]:
    """Each forecaster's name, the forecasts of its networks, and what they say together."""
    if flags.keras:
        singles = [recipe(flags, series.values, begin, seed) for seed in range(1, flags.seeds + 1)]
        yield "Keras, the tutorials' recipe", singles, np.mean(singles, 0)
    levels = [View(Transform("levels", series.season), WINDOW)]
    plain = Settings(has_highway=False, seeds=flags.seeds)
    yield networks("the same here: levels, no highway", series, begin, levels, plain)
    views = [View(transform, WINDOW) for transform in candidates(series.values[:begin], series.season)]
    yield networks("transforms, no highway", series, begin, views, plain)
    for cell in flags.cells:
        settings = Settings(cell=cell, seeds=flags.seeds)
        yield networks(f"{cell}, transforms and highway", series, begin, views, settings)
    for name, rival in RIVALS.items():
        forecast = rival(series.values, begin, series.season)
        if forecast is not None:
            yield name, [], forecast


def networks(
    name: str, series: Series, begin: int, views: list[View], settings: Settings
) -> tuple[str, list[Values], Values]:
    """Our networks, chosen and fitted before `begin`. A single network is one seed of each chosen transform."""
    values = series.values[:begin]
    chosen = best(trials(values, views, settings, series.season), settings)
    members = fitted(values, chosen, settings).members
    histories = [series.values[:end] for end in range(begin, len(series))]
    each = [member.next(histories) for member in members]
    singles = [np.mean(each[seed :: settings.seeds], 0) for seed in range(settings.seeds)]
    return f"{name} ({', '.join(trial.view.transform.name for trial in chosen)})", singles, np.mean(each, 0)


def recipe(flags: argparse.Namespace, values: Values, begin: int, seed: int) -> Values:
    """The forecast of the tutorials' recipe, by Keras in an environment of its own."""
    asked = {"values": values.tolist(), "begin": begin, "seed": seed, "epochs": flags.keras_epochs}
    done = subprocess.run([flags.keras, RECIPE], input=json.dumps(asked), capture_output=True, text=True)
    if done.returncode:
        raise Failure((done.stderr.strip() or "Keras failed").splitlines()[-1])
    return np.array(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
