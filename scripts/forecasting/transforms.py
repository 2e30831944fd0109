"""What a network sees of a series: levels or changes, logarithms or not, and where in the season it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from charlstm.errors import InputError
from forecasting.series import Values

BASES = ("levels", "logs", "changes", "log-changes", "year-on-year")
CALENDARS = ("", "+wave", "+season")


@dataclass(frozen=True)
class Transform:
    """A series y becomes z, which a network forecasts; the forecast becomes one of y again.

        levels          z = y                      the tutorials': what is larger than all before can't be followed
        logs            z = log y
        changes         z = y - y₋₁                a trend is a mean of them
        log-changes     z = log y - log y₋₁        growth by so many percent
        year-on-year    z = log y - log y₋ₛ        growth since the season before: what repeats each season is gone

    Args:
        name: one of `BASES` and of `CALENDARS`, such as `log-changes+season`. With `+wave` a network also sees a sine
            and a cosine of the place in the season of what it forecasts; with `+season` all of their harmonics, which
            can say anything of each place, such as that July is high.
        season: the steps of a season; None for none.

    Raises:
        InputError: for another name, or one that needs a season.
    """

    name: str
    season: int | None

    def __post_init__(self) -> None:
        base, plus, calendar = self.name.partition("+")
        if base not in BASES or plus + calendar not in CALENDARS:
            raise InputError(f"--transform {self.name}: one of {', '.join(BASES)}, alone or with +wave or +season")
        if self.season is None and (plus or base == "year-on-year"):
            raise InputError(f"--transform {self.name} needs a season: give --season N, the steps until it comes again")

    @property
    def base(self) -> str:
        """Its name without the calendar."""
        return self.name.partition("+")[0]

    @property
    def is_log(self) -> bool:
        """Whether it takes logarithms, which only positive numbers have."""
        return self.base in ("logs", "log-changes", "year-on-year")

    @property
    def lag(self) -> int:
        """How many steps before a value that stands which is subtracted; 0 for none."""
        return {"changes": 1, "log-changes": 1, "year-on-year": self.season or 0}.get(self.base, 0)

    def apply(self, values: Values) -> Values:
        """The values [n] → z [n - lag]."""
        y = np.log(values) if self.is_log else values
        return y[self.lag :] - y[: -self.lag] if self.lag else y

    def undo(self, histories: Sequence[Values], z: Values) -> Values:
        """The value that follows each history, from its z, [len(histories)]."""
        if self.lag:
            before = np.array([values[-self.lag] for values in histories])
            z = z + (np.log(before) if self.is_log else before)
        return np.exp(z) if self.is_log else z

    def calendar(self, places: Values) -> Values:
        """Sines and cosines of places in time, [n] → [n, 2 · waves]."""
        waves = {"": 0, "wave": 1, "season": (self.season or 0) // 2}[self.name.partition("+")[2]]
        angles = 2 * np.pi / (self.season or 1) * np.outer(places, np.arange(1, waves + 1))
        return np.concatenate([np.sin(angles), np.cos(angles)], 1)


def candidates(values: Values, season: int | None) -> list[Transform]:
    """The transforms that can be tried on a series."""
    is_positive = bool((values > 0).all())
    names = ["levels", "changes"]
    if is_positive:
        names += ["log-changes"]
    if season:
        names += [f"{names[-1]}+wave", f"{names[-1]}+season"]
        if is_positive:
            names += ["year-on-year"]
    return [Transform(name, season) for name in names]
