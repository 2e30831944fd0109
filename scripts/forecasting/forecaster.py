"""An ensemble of networks that forecasts a series; how it is chosen and fitted, and how it forecasts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from charlstm.errors import InputError
from forecasting.intervals import Errors
from forecasting.network import Network, fit
from forecasting.series import Values
from forecasting.transforms import Transform


@dataclass(frozen=True)
class Settings:
    """What networks are made of and how they learn.

    Attributes:
        layers: the units of each recurrent layer.
        seeds: how many networks of each transform there are; they differ in their first weights.
        transforms: how many of the best transforms are taken together.
    """

    layers: tuple[int, ...] = (50, 100)
    cell: str = "lstm"
    has_highway: bool = True
    seeds: int = 5
    transforms: int = 3

    @property
    def rate(self) -> float:
        """The learning rate. With a highway, little is left to learn, and much can be spoilt."""
        return 1e-3 if self.has_highway else 2e-3

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of steps that are tried. After none, the highway is alone."""
        return (0, 5, 10, 20, 30, 40, 60) if self.has_highway else (25, 50, 75, 100, 150)


@dataclass(frozen=True)
class View:
    """How networks see a series: the transform, and how many steps of it. A choice of these is made by their errors."""

    transform: Transform
    window: int

    def __str__(self) -> str:
        return f"{self.transform.name}, window {self.window}"

    @property
    def needs(self) -> int:
        """The values before the first one that can be forecast."""
        return self.window + self.transform.lag

    def inputs(self, z: Values, place: int) -> Values:
        """The network's input, [window, inputs], from the last z before a value, and the place in time of the value."""
        places = np.arange(place - self.window + 1, place + 1)
        return np.concatenate([z[-self.window :, None], self.transform.calendar(places)], 1)


class Member:
    """A network of an ensemble, with the scale of what it sees: that of the part it was fitted on."""

    def __init__(self, view: View, settings: Settings, seed: int, mean: float = 0.0, scale: float = 1.0) -> None:
        inputs = 1 + view.transform.calendar(np.zeros(1)).shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Network(inputs, view.window, settings.layers, settings.cell, settings.has_highway)
        self.view, self.settings, self.seed, self.mean, self.scale = view, settings, seed, mean, scale

    def fit(self, values: Values, steps: int, on_step: Callable[[int], object] = lambda step: None) -> Member:
        """Fit scale and network on values, and on nothing else."""
        z = self.view.transform.apply(values)
        self.mean, self.scale = float(z.mean()), float(z.std()) or 1.0
        z = (z - self.mean) / self.scale
        ends = range(self.view.window, len(z))
        x = np.stack([self.view.inputs(z[:end], end + self.view.transform.lag) for end in ends])
        fit(self.network, x, z[self.view.window :], self.settings.rate, steps, self.seed, self.settings.steps, on_step)
        return self

    @torch.inference_mode()
    def next(self, histories: Sequence[Values]) -> Values:
        """The value after each history, [len(histories)]: NaN where it has a value without the logarithm it needs."""
        if self.view.transform.is_log:
            is_readable = np.array([bool((values[-self.view.needs :] > 0).all()) for values in histories])
            if not is_readable.all():
                found = np.full(len(histories), np.nan)
                readable = [values for values, is_good in zip(histories, is_readable, strict=True) if is_good]
                if readable:
                    found[is_readable] = self.next(readable)
                return found
        rows = []
        for values in histories:
            z = (self.view.transform.apply(values[-self.view.needs :]) - self.mean) / self.scale
            rows.append(self.view.inputs(z, len(values)))
        z = self.network.eval()(torch.tensor(np.stack(rows))).numpy() * self.scale + self.mean
        return self.view.transform.undo(histories, z)


@dataclass(frozen=True)
class Trial:
    """What a view came to inside the training part.

    Attributes:
        steps: the number of steps that was best.
        errors: the error in each fold, relative to the mean size of the values up to its end.
    """

    view: View
    steps: int
    errors: tuple[float, ...]

    @property
    def error(self) -> float:
        """The mean of the errors."""
        return float(np.mean(self.errors))


@dataclass
class Forecaster:
    """Networks of several views and seeds; their forecast is the mean of what each one says."""

    members: list[Member]

    def next(self, histories: Sequence[Values]) -> Values:
        """The value after each history, [len(histories)]."""
        # A forecast below zero ends the work of members that take logarithms. If all do, there is none.
        mean: Values = np.nanmean([member.next(histories) for member in self.members], 0)
        return mean

    def ahead(self, histories: Sequence[Values], steps: int, on_step: Callable[[], object] = lambda: None) -> Values:
        """The values after each history, [len(histories), steps]: each forecast is read like a value of the series."""
        extended = list(histories)
        for _ in range(steps):
            following = self.next(extended)
            extended = [np.append(values, value) for values, value in zip(extended, following, strict=True)]
            on_step()
        return np.stack([values[-steps:] for values in extended])

    @property
    def needs_positive(self) -> bool:
        """Whether it takes logarithms."""
        return any(member.view.transform.is_log for member in self.members)


TRIED = 2
"""The networks by which a view is tried: two say more of it than one, and cost less than all."""


def folds(values: Values, season: int | None) -> list[tuple[int, int]]:
    """Two parts at the end of a training part, (begin, end): what stands before one forecasts it."""
    n = len(values)
    size = n // 5
    if season and size > season:
        size -= size % season
    return [(n - 2 * size, n - size), (n - size, n)]


def trials(
    values: Values,
    views: Sequence[View],
    settings: Settings,
    season: int | None,
    on_trial: Callable[[Trial], object] = lambda trial: None,
    on_skipped: Callable[[View], object] = lambda view: None,
) -> list[Trial]:
    """Try each view on folds of the training part. Returns them with the best one first.

    Args:
        on_skipped: called with each view for which the values are too few.

    Raises:
        InputError: when the values are too few for a single view.
    """
    begin = folds(values, season)[0][0]
    fitting = [view for view in views if 2 * view.needs <= begin]
    for view in views:
        if view not in fitting:
            on_skipped(view)
    if not fitting:
        least = 5 * 2 * min(view.needs for view in views) // 3 + 1
        told = f"{len(values)} values to learn from are too few: about {least} are needed"
        raise InputError(f"{told}, or a shorter --window, or transforms without a season")
    found = []
    for view in fitting:
        errors: dict[int, list[float]] = {}
        for begin, end in folds(values, season):
            answers = [_answers(view, settings, values[:end], begin, seed) for seed in range(1, TRIED + 1)]
            for steps in settings.steps:
                forecast = np.mean([answer[steps] for answer in answers], 0)
                errors.setdefault(steps, []).append(_relative_error(forecast, values, begin, end))
        steps = min(errors, key=lambda steps: np.mean(errors[steps]))
        found.append(Trial(view, steps, tuple(errors[steps])))
        on_trial(found[-1])
    return sorted(found, key=lambda trial: trial.error)


WORSE = 2.0
"""A transform whose error is more than so many times the best one's would spoil the mean."""


def best(found: Sequence[Trial], settings: Settings) -> list[Trial]:
    """The trials that are taken together, of all trials with the best one first."""
    return [trial for trial in found[: settings.transforms] if trial.error <= WORSE * found[0].error]


def _answers(view: View, settings: Settings, values: Values, begin: int, seed: int) -> dict[int, Values]:
    """The forecasts of each value from `begin` on, one step ahead, after each number of steps of learning."""
    histories = [values[:end] for end in range(begin, len(values))]
    member, found = Member(view, settings, seed), {}

    def ask(steps: int) -> None:
        found[steps] = member.next(histories)
        member.network.train()

    member.fit(values[:begin], max(settings.steps), ask)
    return found


def _relative_error(forecast: Values, values: Values, begin: int, end: int) -> float:
    """The root of the mean squared error, relative to the mean size of the values up to the end."""
    return math.sqrt(np.mean((forecast - values[begin:end]) ** 2)) / float(np.abs(values[:end]).mean())


def fitted(
    values: Values, chosen: Sequence[Trial], settings: Settings, on_member: Callable[[], object] = lambda: None
) -> Forecaster:
    """An ensemble of the chosen views, fitted on values."""
    members = []
    for trial in chosen:
        for seed in range(1, settings.seeds + 1):
            members.append(Member(trial.view, settings, seed).fit(values, trial.steps))
            on_member()
    return Forecaster(members)


ORIGINS = 200
"""From about so many places of a fold, at most, several steps are forecast: neighbours make nearly the same errors."""


def past_errors(
    values: Values,
    chosen: Sequence[Trial],
    settings: Settings,
    season: int | None,
    ahead: int,
    on_member: Callable[[], object] = lambda: None,
) -> tuple[Values, Errors]:
    """Forecast the folds again, by networks that were fitted on what stands before each of them.

    Returns:
        the forecasts one step ahead; and the errors, up to `ahead` steps ahead.
    """
    checked, errors = [], Errors.none(ahead, bool((values > 0).all()))
    settings = replace(settings, seeds=min(TRIED, settings.seeds))
    for begin, end in folds(values, season):
        forecaster = fitted(values[:begin], chosen, settings, on_member)
        checked.append(forecaster.next([values[:origin] for origin in range(begin, end)]))
        origins = range(begin, end, 1 + (end - begin) // ORIGINS)
        paths = forecaster.ahead([values[:origin] for origin in origins], min(ahead, end - begin))
        for origin, path in zip(origins, paths, strict=True):
            for distance, forecast in enumerate(path[: end - origin], 1):
                errors.add(distance, float(forecast), float(values[origin + distance - 1]))
    return np.concatenate(checked), errors
