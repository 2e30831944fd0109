"""A forecaster with its series in one file, which is read without running any code in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from charlstm.errors import InputError
from charlstm.saved import container
from forecasting.forecaster import Forecaster, Member, Settings, View
from forecasting.intervals import Errors
from forecasting.series import Series, Values
from forecasting.transforms import Transform

FORMAT = "charlstm series 1"
MOST_WEIGHTS = 1 << 24
"""Of a network: what a file asks for is refused beyond."""


@dataclass(frozen=True)
class Saved:
    """What a file holds.

    Attributes:
        checked: forecasts of the last values of the series, one step ahead, by networks that hadn't seen them.
        errors: the errors of such forecasts, also several steps ahead.
    """

    series: Series
    settings: Settings
    forecaster: Forecaster
    checked: Values
    errors: Errors


def save(path: Path, saved: Saved) -> None:
    """Write a forecaster in place of `path`."""
    series = saved.series
    container.save(
        path,
        {
            "format": FORMAT,
            "series": {**asdict(series), "values": torch.from_numpy(series.values)},
            "settings": {**asdict(saved.settings), "layers": list(saved.settings.layers)},
            "members": [
                {
                    "transform": member.view.transform.name,
                    "window": member.view.window,
                    "seed": member.seed,
                    "mean": member.mean,
                    "scale": member.scale,
                    "weights": member.network.state_dict(),
                }
                for member in saved.forecaster.members
            ],
            "checked": torch.from_numpy(saved.checked),
            "errors": saved.errors.sizes,
            "is_ratio": saved.errors.is_ratio,
        },
    )


def load(path: Path) -> Saved:
    """Read a forecaster.

    Raises:
        InputError: when there is no such file, it is damaged, or it isn't one of these.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file: train it with forecast_series.py train DATA.csv --out {path}")
    contents = container.load(path)
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise InputError(f"{path}: not a forecaster of forecast_series.py train")
    with container.parsing(path, "damaged", "train it again"):
        found = dict(contents["series"])
        series = Series(**{**found, "values": found["values"].numpy().astype(np.float64)})
        settings = Settings(**{**contents["settings"], "layers": tuple(contents["settings"]["layers"])})
        if len(series.dates) != len(series) or not np.isfinite(series.values).all():
            raise InputError("its series isn't whole")
        members = [_member(each, series, settings) for each in contents["members"]]
        if not members or len(series) < max(member.view.needs for member in members):
            raise InputError("it has no networks, or too few values for them")
        checked = contents["checked"].numpy().astype(np.float64)
        errors = Errors([list(map(float, sizes)) for sizes in contents["errors"]], bool(contents["is_ratio"]))
        if not errors.sizes:
            raise InputError("it knows no errors")
    return Saved(series, settings, Forecaster(members), checked, errors)


def _member(found: dict[str, object], series: Series, settings: Settings) -> Member:
    weights = found["weights"]
    if not isinstance(weights, dict):
        raise InputError("its networks have no weights")
    view = View(Transform(str(found["transform"]), series.season), int(found["window"]))  # type: ignore[call-overload]
    if not 0 < view.window <= len(series) or max(settings.layers) ** 2 * 4 > MOST_WEIGHTS:
        raise InputError("its networks are of no sensible size")
    member = Member(view, settings, int(found["seed"]), float(found["mean"]), float(found["scale"]))  # type: ignore[call-overload,arg-type]
    member.network.load_state_dict(weights)
    if not all(weight.isfinite().all() for weight in member.network.parameters()):
        raise InputError("its weights are not finite numbers")
    return member
