"""A series of numbers at equal distances in time, from a table on the disk."""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tables import read_table

from charlstm.errors import InputError

Values = npt.NDArray[np.float64]

SEASONS = {"year": None, "quarter": 4, "month": 12, "week": 52, "day": 7, "hour": 24}
"""After how many steps a season comes again."""


@dataclass(frozen=True)
class Series:
    """Numbers, oldest first.

    Attributes:
        values: [n].
        dates: of each value, as they stand in the file; their numbers, from 1, where it has none.
        step: what lies between two of them, one of `SEASONS`; None without dates.
        season: after how many steps a season comes again; None for no season.
    """

    name: str
    values: Values
    dates: list[str]
    step: str | None
    season: int | None

    def __len__(self) -> int:
        return len(self.values)

    def until(self, n: int) -> Series:
        """The first n values, as if nothing had come after them."""
        return Series(self.name, self.values[:n], self.dates[:n], self.step, self.season)

    def date_after(self, steps: int) -> str:
        """The date so many steps after the last one.

        Raises:
            InputError: when the calendar ends before it.
        """
        if self.step is None:
            return str(len(self) + steps)
        like = (max if self.step == "hour" else min)(self.dates, key=len)  # of 1949/9 and 1949/10, the first one
        try:
            return _written(_moved(_parsed(self.dates[-1]), self.step, steps), like)
        except (ValueError, OverflowError):
            raise InputError(f"so many steps ({steps}) lead beyond the year 9999: fewer --steps") from None

    def index_of(self, start: str) -> int:
        """Where a part begins that is named by a date of the file, or by the share of the values before it.

        Raises:
            InputError: when it is neither.
        """
        if start in self.dates and self.step is not None:
            return self.dates.index(start)
        try:
            share = float(start)
        except ValueError:
            share = math.nan
        if not 0 < share < 1:
            span = f"{self.dates[0]} to {self.dates[-1]}" if self.step else "has no dates"
            raise InputError(f"--start {start}: neither a share between 0 and 1 nor a date of the series ({span})")
        return round(share * len(self))


def read_series(path: Path, column: str | None = None, season: int | None = None, ignore_dates: bool = False) -> Series:
    """The series in a CSV file whose first line names its columns.

    Args:
        column: the name of the column of numbers; None to take the only one.
        season: after how many steps a season comes again; None to see it from the dates, 1 for no season.
        ignore_dates: take the lines to be at equal distances in time, whatever dates say.

    Raises:
        InputError: when the file can't be read, the column isn't there or isn't clear, a value is no number, all are
            the same, or dates aren't in order or leave a gap.
    """
    names, table = read_table(path)
    if not table:
        raise InputError(f"{path}: there must be a line with the columns' names, and the values below it")
    lines, rows = zip(*table, strict=True)
    columns = [[cell.strip() for cell in cells] for cells in zip(*rows, strict=True)]
    if not math.isnan(_number(names[-1])):
        raise InputError(f"{path}: the first line must name the columns, such as date,value: it has {names[-1]!r}")
    dated = _column_of_dates(path, names, columns, column, ignore_dates)
    at = _column_of_numbers(path, names, columns, column, dated)
    values = _values(path, names[at], lines, columns[at])
    dates, step = [str(n) for n in range(1, len(values) + 1)], None
    if dated is not None and not ignore_dates:
        dates, step = columns[dated], _step(path, lines, columns[dated])
    if season is None and step and 2 * (SEASONS[step] or 0) <= len(values):
        season = SEASONS[step]
    if season and 2 * season > len(values):
        few = f"{len(values)} values have no two seasons of {season}"
        raise InputError(f"{path}: {few}: a shorter --season, or 1 for none")
    return Series(names[at], np.array(values), dates, step, None if season == 1 else season)


def _values(path: Path, name: str, lines: Sequence[int], cells: Sequence[str]) -> list[float]:
    values = []
    for line, cell in zip(lines, cells, strict=True):
        value = _number(cell)
        if not math.isfinite(value):
            raise InputError(f"{path}: line {line} has no number in {name!r}, but {cell!r}: put one there")
        if abs(value) > LARGEST:
            raise InputError(f"{path}: line {line} has {cell} in {name!r}, which is too large: use another unit")
        values.append(value)
    if len(set(values)) == 1:
        raise InputError(f"{path}: all values of {name!r} are {values[0]:g}: there is nothing to forecast")
    return values


LARGEST = 1e100
"""Values below it can be squared and added."""


def _column_of_dates(
    path: Path, names: Sequence[str], columns: Sequence[Sequence[str]], given: str | None, ignore_dates: bool
) -> int | None:
    """Which column has dates: not the one of numbers that was given, and not the only one."""
    if len(columns) == 1:
        return None
    for at, (name, cells) in enumerate(zip(names, columns, strict=True)):
        if name != given and _are_dates(name, cells):
            return at
    for name, cells in zip(names, columns, strict=True):
        if not ignore_dates and name.lower() in YEARS and math.isnan(_number(cells[0])):
            told = f"{name!r} has {cells[0]!r}, which isn't read as a date"
            raise InputError(f"{path}: {told}: write dates like 1949-01-31, or give --ignore-dates")
    return None


def _column_of_numbers(
    path: Path, names: Sequence[str], columns: Sequence[Sequence[str]], given: str | None, dated: int | None
) -> int:
    if given is not None:
        if given not in names:
            raise InputError(f"{path}: no column {given!r}: there are {', '.join(names)}")
        return names.index(given)
    # Nearly all: a single wrong cell is told later, with its line.
    numeric = [
        i
        for i, cells in enumerate(columns)
        if i != dated and sum(math.isfinite(_number(cell)) for cell in cells) > len(cells) / 2
    ]
    if len(numeric) != 1:
        shown = next((cells[0] for i, cells in enumerate(columns) if i != dated), "")
        why = "several columns have numbers" if numeric else f"no column has numbers like 1234.5, but {shown!r}"
        raise InputError(f"{path}: {why}: name one with --column ({', '.join(names)})")
    return numeric[0]


def _number(cell: str) -> float:
    """The number in a cell, or NaN."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


_QUARTER = re.compile(r"(\d{4})-?Q([1-4])", re.IGNORECASE)
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})")
_YEAR = re.compile(r"[12]\d{3}")


def _parsed(cell: str) -> datetime:
    """A date: 1949, 1949-01, 1949-Q1, 1949-01-31, or 1949-01-31 12:00. The year stands first in all of them.

    Raises:
        ValueError: for anything else.
    """
    if found := _QUARTER.fullmatch(cell):
        return datetime(int(found[1]), 3 * int(found[2]) - 2, 1)
    if found := _MONTH.fullmatch(cell):
        return datetime(int(found[1]), int(found[2]), 1)
    if _YEAR.fullmatch(cell):
        return datetime(int(cell), 1, 1)
    if "-" not in cell and "/" not in cell:
        raise ValueError(cell)  # a number, such as 20240131
    return datetime.fromisoformat(cell.replace("/", "-")).replace(tzinfo=None)


def _is_date(cell: str) -> bool:
    try:
        _parsed(cell)
    except ValueError:
        return False
    return True


YEARS = ("year", "date", "time", "年", "年份", "日期", "时间")
"""The names of columns whose whole numbers are years."""


def _are_dates(name: str, cells: Sequence[str]) -> bool:
    """Whether a column has dates. A cell that is none may be a slip, which is told later with its line.

    Whole numbers are years if the column's name says so, or if they stand in a row without a gap.
    """
    dates = [cell for cell in cells if _is_date(cell)]
    if 2 * len(dates) <= len(cells):
        return False
    if name.lower() in YEARS or not all(map(_YEAR.fullmatch, dates)):
        return True
    return list(map(int, dates)) == list(range(int(dates[0]), int(dates[0]) + len(cells)))


def _written(date: datetime, like: str) -> str:
    """A date in the form of another one."""
    if found := _QUARTER.fullmatch(like):
        return f"{date.year}{like[4:].replace(found[2], '')}{(date.month + 2) // 3}"
    if found := _MONTH.fullmatch(like):
        month = f"{date.month:02d}" if found[2].startswith("0") or len(found[2]) == 2 else str(date.month)
        return f"{date.year}{like[4]}{month}"
    if _YEAR.fullmatch(like):
        return str(date.year)
    return date.strftime("%Y-%m-%d" if len(like) <= 10 else "%Y-%m-%d %H:%M").replace("-", like[4])


def _moved(date: datetime, step: str, steps: int) -> datetime:
    """The date so many steps later. The last day of a month is followed by last days."""
    if step in ("hour", "day", "week"):
        return date + steps * timedelta(**{f"{step}s": 1})
    months = date.month - 1 + steps * {"month": 1, "quarter": 3, "year": 12}[step]
    year, month = date.year + months // 12, months % 12 + 1
    last = monthrange(year, month)[1]
    is_last = date.day == monthrange(date.year, date.month)[1]
    return datetime(year, month, last if is_last else min(date.day, last))


def _step(path: Path, lines: Sequence[int], dates: Sequence[str]) -> str:
    """What lies between each two dates."""
    for line, cell in zip(lines, dates, strict=True):
        if not _is_date(cell):
            raise InputError(
                f"{path}: line {line} has no date, but {cell!r}: write it as {dates[0]} or like 1949-01-31"
            )
    if len(dates) < 2:
        raise InputError(f"{path}: one value is no series")
    parsed = [_parsed(cell) for cell in dates]
    pairs = list(zip(lines[1:], dates, dates[1:], parsed, parsed[1:], strict=False))
    for line, before, after, earlier, later in pairs:
        if later <= earlier:
            raise InputError(f"{path}: line {line}: {after} isn't after {before}: sort the lines, the oldest first")
    # A gap makes a distance longer, never shorter: the shortest one is the step.
    shortest = min(later - earlier for *_, earlier, later in pairs)
    steps = {"hour": 1 / 24, "day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}
    step = next((name for name, days in reversed(steps.items()) if shortest >= timedelta(days=days)), None)
    if step is None:
        raise InputError(f"{path}: {shortest} lie between two values, not an hour, a day, … or a year: --ignore-dates")
    by_month = step in ("month", "quarter", "year")
    for line, before, after, earlier, later in pairs:
        expected = _moved(earlier, step, 1)
        if (expected.year, expected.month) != (later.year, later.month) if by_month else expected != later:
            gap = f"between {before} and {after} lies more than one {step}"
            raise InputError(f"{path}: line {line}: {gap}: fill the gap, or give --ignore-dates")
    return step
