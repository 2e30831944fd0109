#!/usr/bin/env python3
"""Forecast what comes next in a series of numbers, with an ensemble of recurrent networks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from commands import check_picture, positive, subcommands

from charlstm import cli
from charlstm.config import CELLS
from charlstm.errors import InputError
from charlstm.saved.folder import check_model_place
from charlstm.terminal import one_line, progress, say, write

if TYPE_CHECKING:
    from forecasting.forecaster import Forecaster, Settings, Trial, View
    from forecasting.intervals import Errors
    from forecasting.series import Series, Values

AHEAD = 24
"""The farthest distance of which train keeps errors."""

FAR = (1, 3, 6, 12)
"""The distances for which backtest counts what lies inside the intervals."""

EXAMPLES = """\
examples:
  python scripts/forecast_series.py backtest corpora/airline-passengers.csv --start 1958-10 --picture backtest.png
  python scripts/forecast_series.py train corpora/airline-passengers.csv --out passengers.pt
  python scripts/forecast_series.py predict passengers.pt --steps 24 --picture forecast.png
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("forecast_series", "Forecast what comes next in a series of numbers.", EXAMPLES)
    command = subcommands(parser)
    train = command(run_train, "train", "Choose and fit networks on a whole series, and keep them.")
    _add_series(train)
    train.add_argument("--out", type=cli.path, metavar="FILE", required=True, help="where to keep them")

    predict = command(run_predict, "predict", "Forecast beyond the series, with intervals.")
    predict.add_argument("model", type=cli.path, metavar="FILE", help="what train kept")
    predict.add_argument("--steps", type=positive, metavar="N", default=12, help="how far (default: 12)")
    _add_output(predict)

    backtest = command(run_backtest, "backtest", "Forecast a part that is known, one step ahead, and compare.")
    _add_series(backtest)
    backtest.add_argument(
        "--start", metavar="SHARE|DATE", default="0.8", help="where the part begins that is forecast (default: 0.8)"
    )
    _add_output(backtest)
    return cli.run(parser, lambda flags: flags.run(flags), arguments)


def _add_series(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=cli.path, metavar="DATA.csv", help="a table with a column of numbers, oldest first"
    )
    parser.add_argument("--column", metavar="NAME", help="that column (default: the only one)")
    parser.add_argument(
        "--season", type=positive, metavar="N", help="steps until a season comes again (default: by dates)"
    )
    parser.add_argument("--ignore-dates", action="store_true", help="take the lines to be at equal distances in time")
    parser.add_argument(
        "--window",
        type=positive,
        nargs="+",
        metavar="N",
        default=[10],
        help="steps that a network sees; of several, the best are chosen (default: 10)",
    )
    parser.add_argument(
        "--transform",
        nargs="+",
        metavar="NAME",
        help="levels, logs, changes, log-changes or year-on-year, "
        "alone or with +wave or +season (default: the best three of those that fit)",
    )
    parser.add_argument(
        "--layers", type=positive, nargs="+", metavar="N", default=[50, 100], help="units (default: 50 100)"
    )
    parser.add_argument("--cell", choices=CELLS, default="lstm", help="kind of recurrent unit (default: lstm)")
    parser.add_argument(
        "--highway",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a linear layer beside the recurrent ones (default: yes)",
    )
    parser.add_argument("--seeds", type=positive, metavar="N", default=5, help="networks of each kind (default: 5)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--coverage", type=coverage, metavar="X", default=0.9, help="of the intervals (default: 0.9)")
    parser.add_argument("--picture", type=cli.path, metavar="PNG", help="draw it (needs the extra charts)")


def coverage(argument: str) -> float:
    """The number of a flag, between 0 and 1."""
    number = float(argument)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, not {argument}")
    return number


def run_train(flags: argparse.Namespace) -> int:
    """Choose and fit networks on a whole series, and keep them with it."""
    from forecasting import saved

    check_model_place(flags.out, saved.load)
    series = _series(flags)
    settings = _settings(flags)
    forecaster, chosen = learn(series, _views(flags, series), settings)
    checked, errors = check(series, chosen, settings, ahead=AHEAD)
    saved.save(flags.out, saved.Saved(series, settings, forecaster, checked, errors))
    say(f"kept in {flags.out}: go on with  python scripts/forecast_series.py predict {flags.out} --steps 24")
    return 0


def run_predict(flags: argparse.Namespace) -> int:
    """Print a line for each forecast: its date, itself, and the ends of its interval."""
    import numpy as np
    from forecasting import saved

    check_picture(flags.picture)
    kept = saved.load(flags.model)
    series = kept.series
    dates = [series.date_after(step) for step in range(1, flags.steps + 1)]
    with progress("forecasting", flags.steps, unit="step") as bar:
        forecast = kept.forecaster.ahead([series.values], flags.steps, bar.update)[0]
    band = np.array([kept.errors.interval(step, value, flags.coverage) for step, value in enumerate(forecast, 1)]).T
    if not np.isfinite(band).all():
        say("too few errors are known for some of the intervals: a lower --coverage needs fewer")
    write(f"date\t{one_line(series.name)}\tlowest\thighest\n")
    for date, value, lowest, highest in zip(dates, forecast, *band, strict=True):
        write(f"{date}\t{value:.6g}\t{lowest:.6g}\t{highest:.6g}\n")
    if flags.picture:
        from forecasting.picture import Forecast, draw

        checked = Forecast("one step ahead", len(series) - len(kept.checked), kept.checked)
        beyond = Forecast("forecast", len(series), forecast, (band[0], band[1]))
        draw(flags.picture, series, [checked, beyond], flags.coverage)
        say(f"the picture is {flags.picture}")
    return 0


def run_backtest(flags: argparse.Namespace) -> int:
    """Fit on what stands before a date, forecast each value after it from the values before that one, and compare."""
    from dataclasses import replace

    import numpy as np
    from forecasting.forecaster import fitted
    from forecasting.intervals import online
    from forecasting.rivals import rmse

    check_picture(flags.picture)
    series = _series(flags)
    begin = series.index_of(flags.start)
    if not 0 < begin < len(series):
        raise InputError(f"--start {flags.start}: there must be values before it, and after it")
    training, settings = series.until(begin), _settings(flags)
    say(f"learning from {begin} values, to {training.dates[-1]}; the {len(series) - begin} after them are for the test")
    forecaster, chosen = learn(training, _views(flags, training), settings)
    if forecaster.needs_positive and (series.values <= 0).any():
        raise InputError("later values aren't positive, and have no logarithm: give --transform levels changes")

    truth, histories = series.values[begin:], [series.values[:end] for end in range(begin, len(series))]
    forecast = forecaster.next(histories)
    found = {f"{settings.cell} networks": forecast}
    if settings.has_highway:
        alone = [replace(trial, steps=0) for trial in chosen]
        found["their highways alone"] = fitted(training.values, alone, replace(settings, seeds=1)).next(histories)
    found |= rivals_of(series, begin)
    good = [name for name in ("Holt-Winters", "ridge regression") if name in found]
    if good:
        found[f"the mean of networks, {' and '.join(good)}"] = np.mean([forecast, *(found[name] for name in good)], 0)
    width = max(map(len, found))
    write(f"{'one step ahead':{width}}  RMSE\n")
    for name, answer in found.items():
        write(f"{name:{width}}  {rmse(answer, truth):.6g}\n")

    _, errors = check(training, chosen, settings, ahead=max(FAR))
    _write_coverage(series.values, forecaster, errors, begin, flags.coverage)
    if flags.picture:
        from forecasting.picture import Forecast, draw

        band = online(errors, forecast, truth, flags.coverage)
        draw(flags.picture, series, [Forecast("one step ahead", begin, forecast, band)], flags.coverage)
        say(f"the picture is {flags.picture}")
    return 0


def rivals_of(series: Series, begin: int) -> dict[str, Values]:
    """The forecasts of what must be beaten, by name; says which of them can't be made."""
    from forecasting.rivals import RIVALS

    found = {}
    for name, rival in RIVALS.items():
        answer = rival(series.values, begin, series.season)
        if answer is not None:
            found[name] = answer
            continue
        is_missing = name == "Holt-Winters" and find_spec("statsmodels") is None
        say(f"{name}: {'it needs statsmodels (the extra series)' if is_missing else 'not for this series'}")
    return found


def _write_coverage(values: Values, forecaster: Forecaster, errors: Errors, begin: int, coverage: float) -> None:
    """Print the share of the truth that lies inside its interval, for several distances."""
    from forecasting.intervals import covered

    write(f"\nsteps ahead  inside its interval, which should be {coverage:.0%}\n")
    paths = forecaster.ahead([values[:end] for end in range(begin, len(values))], max(FAR))
    for distance in FAR:
        truth = values[begin + distance - 1 :]
        if len(truth):
            inside, known = covered(errors.copy(), paths[: len(truth), distance - 1], truth, coverage, distance)
            write(f"{distance:11}  {f'{inside / known:.0%} of {known}' if known else 'too few errors are known'}\n")


def _series(flags: argparse.Namespace) -> Series:
    from forecasting.series import read_series

    series = read_series(flags.data, flags.column, flags.season, flags.ignore_dates)
    if series.step is None:
        say("no dates, such as 1949-01 or 1949-01-31: the lines are taken to be at equal distances in time")
    told = f"{len(series)} values of {one_line(series.name)}"
    say(f"{told}, {'without a season' if series.season is None else f'with a season of {series.season} steps'}")
    return series


def _settings(flags: argparse.Namespace) -> Settings:
    import torch
    from forecasting.forecaster import Settings

    torch.set_num_threads(1)  # the products are small: a second thread would only be waited for
    return Settings(layers=tuple(flags.layers), cell=flags.cell, has_highway=flags.highway, seeds=flags.seeds)


def _views(flags: argparse.Namespace, series: Series) -> list[View]:
    """What is to be tried."""
    from forecasting.forecaster import View
    from forecasting.transforms import Transform, candidates

    if flags.transform:
        transforms = [Transform(name, series.season) for name in dict.fromkeys(flags.transform)]
        if any(transform.is_log for transform in transforms) and (series.values <= 0).any():
            raise InputError("the series has values that aren't positive, and no logarithm: leave log transforms out")
    else:
        transforms = candidates(series.values, series.season)
    return [View(transform, window) for transform in transforms for window in dict.fromkeys(flags.window)]


def learn(series: Series, views: Sequence[View], settings: Settings) -> tuple[Forecaster, list[Trial]]:
    """Choose among views by their errors inside the series, and fit networks of the best ones on all of it.

    Nothing here sees a value that isn't in the series: neither scale nor transform, window or number of steps.
    """
    from forecasting.forecaster import best, fitted, trials

    with progress("trying", len(views), unit="view") as bar:

        def tell(trial: Trial) -> None:
            bar.update()
            errors = " and ".join(f"{error:.2%}" for error in trial.errors)
            with bar.external_write_mode(file=sys.stderr):
                say(f"{trial.view}: errors of {errors} of the mean, after {trial.steps} steps")

        def skip(view: View) -> None:
            bar.update()
            with bar.external_write_mode(file=sys.stderr):
                say(f"{view}: left out, since it needs more values")

        found = trials(series.values, views, settings, series.season, tell, skip)
    chosen = best(found, settings)
    names = "; ".join(str(trial.view) for trial in chosen)
    why = (
        "these have the smallest errors on two parts at the end of what is learned from" if len(found) > 1 else "given"
    )
    say(f"chosen: {names} ({why})")
    say(f"fitting {len(chosen) * settings.seeds} networks to all that is learned from")
    with progress("fitting", len(chosen) * settings.seeds, unit="network") as bar:
        return fitted(series.values, chosen, settings, bar.update), chosen


def check(series: Series, chosen: Sequence[Trial], settings: Settings, ahead: int) -> tuple[Values, Errors]:
    """The forecasts of the folds, and their errors up to `ahead` steps ahead, as of `past_errors`."""
    from forecasting.forecaster import TRIED, past_errors

    say("fitting networks to its beginnings, for the errors of their forecasts")
    with progress("checking", 2 * len(chosen) * min(TRIED, settings.seeds), unit="network") as bar:
        return past_errors(series.values, chosen, settings, series.season, ahead, bar.update)


if __name__ == "__main__":
    sys.exit(main())
