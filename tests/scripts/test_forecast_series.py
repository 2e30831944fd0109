from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.scripts.conftest import SCRIPTS

SMALL = ["--layers", "4", "--seeds", "1", "--window", "5"]


@pytest.fixture
def command(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    script("commands")
    found = script("forecast_series")
    import forecasting.forecaster

    # The smallest numbers of steps that still choose.
    monkeypatch.setattr(forecasting.forecaster.Settings, "steps", (2, 4))
    return found


@pytest.fixture
def parts(command: ModuleType) -> Any:
    """The modules of the forecaster."""
    import forecasting.intervals
    import forecasting.picture
    import forecasting.rivals
    import forecasting.saved
    import forecasting.series
    import forecasting.transforms

    return forecasting


def months(n: int = 72) -> np.ndarray[Any, Any]:
    """Growth and a season, and some noise."""
    t = np.arange(n)
    return np.exp(4 + 0.01 * t + 0.2 * np.sin(2 * np.pi * t / 12) + 0.02 * np.random.default_rng(0).normal(size=n))


def table(values: Any, dates: Iterator[str] | list[str] | None = None, path: str = "data.csv") -> Path:
    if dates is None:
        dates = [f"{2000 + n // 12}-{n % 12 + 1:02d}" for n in range(len(values))]
    rows = "".join(f"{date},{value}\n" for date, value in zip(dates, values, strict=True))
    file = Path(path)
    file.write_text(f"month,sold\n{rows}", "utf-8")
    return file


def test_a_series_is_learned_forecast_and_drawn(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    data = table(months())
    assert command.main(["train", str(data), "--out", "sold.pt", *SMALL]) == 0
    told = capsys.readouterr().err
    assert "72 values of sold, with a season of 12 steps" in told
    assert "chosen: " in told
    assert command.main(["predict", "sold.pt", "--steps", "15", "--picture", "p.png"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "date\tsold\tlowest\thighest"
    assert [line.split("\t")[0] for line in lines][-1] == "2007-03"
    for line in lines:
        value, lowest, highest = map(float, line.split("\t")[1:])
        assert 0 < lowest < value < highest
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")

    assert command.main(["backtest", str(data), "--start", "2005-01", "--picture", "b.png", *SMALL]) == 0
    out = capsys.readouterr().out
    assert [name for name in ("lstm networks", "last value", "a season before", "ridge") if name not in out] == []
    assert "their highways alone" in out
    assert "inside its interval, which should be 90%" in out
    assert re.search(r"^ +3  \d+% of \d+$", out, flags=re.MULTILINE)
    assert Path("b.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_saved_forecaster_says_the_same_in_a_new_process(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["train", str(table(months())), "--out", "sold.pt", *SMALL]) == 0
    capsys.readouterr()
    assert command.main(["predict", "sold.pt"]) == 0
    words = [sys.executable, SCRIPTS / "forecast_series.py", "predict", "sold.pt"]
    again = subprocess.run(words, capture_output=True, encoding="utf-8", check=True)
    assert again.stdout == capsys.readouterr().out


def learned(parts: Any, values: Any, **settings: Any) -> tuple[Any, Any]:
    """Trials and a forecaster, as the commands make them."""
    f = parts.forecaster
    chosen_by = f.Settings(layers=(4,), seeds=1, **settings)
    views = [f.View(transform, 5) for transform in parts.transforms.candidates(values, 12)]
    found = f.trials(values, views, chosen_by, 12)
    return found, f.fitted(values, found[:2], chosen_by)


def test_the_future_has_no_influence_on_anything_before_it(parts: Any, command: ModuleType) -> None:
    values, begin = months(), 60
    other = np.append(values[:begin], 1e6 * np.arange(1, 13))
    found = []
    for each in (values, other):
        Path("data.csv").unlink(missing_ok=True)
        training = parts.series.read_series(table(each)).until(begin)
        trials, forecaster = learned(parts, training.values)
        settings = parts.forecaster.Settings(layers=(4,), seeds=1)
        checked, errors = command.check(training, trials[:2], settings, 3)
        found.append((trials, forecaster, checked, errors.sizes, training.dates))
    assert found[0][0] == found[1][0]
    other[-1] = -1.0  # which has no logarithm
    assert (found[0][2] == found[1][2]).all()
    assert found[0][3:] == found[1][3:]
    for one, two in zip(found[0][1].members, found[1][1].members, strict=True):
        assert (one.mean, one.scale) == (two.mean, two.scale)
        assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True))
    for name, rival in parts.rivals.RIVALS.items():
        changed = values.copy()
        changed[-1] *= 2  # which only what comes after it may see
        one = rival(values, begin, 12)
        assert one is None or rival(changed, begin, 12) == pytest.approx(one), name
        two = rival(other, begin, 12)
        assert one is None or two is None or one[0] == pytest.approx(two[0]), name


def test_a_backtest_is_the_same_as_predicting_again_and_again(parts: Any) -> None:
    values, begin = months(), 60
    _, forecaster = learned(parts, values[:begin])
    together = forecaster.next([values[:end] for end in range(begin, len(values))])
    for end, forecast in zip(range(begin, len(values)), together, strict=True):
        assert forecaster.ahead([values[:end]], 1)[0, 0] == pytest.approx(forecast, rel=1e-12)


def test_each_forecast_is_read_like_a_value(parts: Any) -> None:
    _, forecaster = learned(parts, months())
    path = forecaster.ahead([months()], 3)[0]
    extended = months()
    for forecast in path:
        assert forecaster.next([extended])[0] == pytest.approx(forecast, rel=1e-12)
        extended = np.append(extended, forecast)


def test_all_is_in_float64(parts: Any) -> None:
    _, forecaster = learned(parts, months())
    assert {weight.dtype for m in forecaster.members for weight in m.network.parameters()} == {torch.float64}
    assert forecaster.next([months()]).dtype == np.float64
    # What float32 can't hold: the noise of values that are large.
    member = forecaster.members[0]
    x = torch.randn(1, 5, 1 + member.view.transform.calendar(np.zeros(1)).shape[1], dtype=torch.float64)
    assert member.network(x).item() != member.network(x + 1e-12).item()


@pytest.mark.parametrize("cell", ["gru", "rnn", pytest.param("mogrifier", marks=pytest.mark.slow)])
@pytest.mark.parametrize("has_highway", [True, False])
def test_any_cell_learns_a_season(parts: Any, cell: str, has_highway: bool) -> None:
    f = parts.forecaster
    settings = f.Settings(layers=(8, 6), cell=cell, has_highway=has_highway)
    member = f.Member(f.View(parts.transforms.Transform("log-changes+season", 12), 5), settings, 1)
    member.fit(months(60), 60)
    rmse = parts.rivals.rmse
    forecast = member.next([months()[:end] for end in range(60, 72)])
    assert rmse(forecast, months()[60:]) < 0.6 * rmse(months()[59:-1], months()[60:])
    before = f.Member(member.view, settings, 1).fit(months(60), 0)
    known = [months()[:end] for end in range(20, 60)]
    assert rmse(member.next(known), months()[20:60]) < rmse(before.next(known), months()[20:60])
    assert len(member.network.stacks) == 2


@pytest.mark.parametrize("base", ["levels", "logs", "changes", "log-changes", "year-on-year"])
@pytest.mark.parametrize("calendar", ["", "+wave", "+season"])
def test_a_transform_is_undone(parts: Any, base: str, calendar: str) -> None:
    transform, values = parts.transforms.Transform(base + calendar, 12), months()
    z = transform.apply(values)
    assert len(z) == len(values) - transform.lag
    ends = range(30, 72)
    following = transform.undo([values[:end] for end in ends], np.array([z[end - transform.lag] for end in ends]))
    assert following == pytest.approx(values[30:])
    places = transform.calendar(np.arange(24.0))
    assert places.shape == (24, {"": 0, "+wave": 2, "+season": 12}[calendar])
    assert places[:12] == pytest.approx(places[12:], abs=1e-12)


def test_the_highway_begins_as_a_ridge_regression(parts: Any) -> None:
    from forecasting.network import PENALTY, Network, flat

    torch.manual_seed(0)
    x = torch.randn(40, 5, 3, dtype=torch.float64)
    y = 2 * x[:, -1, 0] - x[:, 0, 0] + 0.5
    network = Network(3, 5, (4,), "lstm", True)
    network.begin(x, y)
    # Its gradient is zero there: the mean of the squares, and the penalty on all weights but the bias.
    weights = [each.requires_grad_() for each in (network.highway.weight, network.highway.bias)]
    loss = (network(x) - y).square().sum() + PENALTY * weights[0].square().sum()
    assert all(torch.allclose(g, torch.zeros_like(g), atol=1e-8) for g in torch.autograd.grad(loss, weights))
    assert flat(x).shape == (40, 7)


def test_the_rivals_are_what_they_are_called(parts: Any) -> None:
    t, begin = np.arange(72.0), 60
    season = 1 + 0.3 * np.sin(2 * np.pi * t / 12)
    values = (100 + t) * season
    rivals = {name: rival(values, begin, 12) for name, rival in parts.rivals.RIVALS.items()}
    assert rivals["last value"] == pytest.approx(values[59:71])
    assert rivals["a season before"] == pytest.approx(values[48:60])
    grown = [values[n - 12] * values[n - 1] / values[n - 13] for n in range(60, 72)]
    assert rivals["a season before × growth"] == pytest.approx(grown)
    assert rivals["ridge regression"] == pytest.approx(values[60:], rel=0.01)
    if rivals["Holt-Winters"] is not None:
        assert rivals["Holt-Winters"] == pytest.approx(values[60:], rel=0.01)
    assert parts.rivals.rmse(np.array([1.0, 5.0]), np.array([4.0, 1.0])) == pytest.approx(math.sqrt(12.5))
    without = {name: rival(values, begin, None) for name, rival in parts.rivals.RIVALS.items()}
    assert [name for name, forecast in without.items() if forecast is None][:2] == [
        "a season before",
        "a season before × growth",
    ]
    assert without["ridge regression"].shape == (12,)


def test_an_interval_is_as_wide_as_past_errors_were(parts: Any) -> None:
    errors = parts.intervals.Errors.none(2, is_ratio=False)
    for size in range(1, 20):
        errors.add(1, 0.0, float(size) * (-1) ** size)
    assert errors.width(1, 0.9) == 18  # the ⌈20 · 0.9⌉-th
    assert errors.width(1, 0.99) == math.inf
    assert errors.interval(1, 100.0, 0.99) == (-math.inf, math.inf)
    errors.add(2, 0.0, 1.0)
    assert errors.width(2, 0.9) == pytest.approx(18 * math.sqrt(2))
    assert errors.interval(1, 100.0, 0.9) == (82, 118)
    assert errors.width(2, 0.5) == 1
    ratio = parts.intervals.Errors([[math.log(2)] * 19], is_ratio=True)
    assert ratio.interval(1, -5.0, 0.9) == (-math.inf, math.inf)
    ratio.copy().add(1, 5.0, -1.0)
    assert len(ratio.sizes[0]) == 19
    assert ratio.interval(1, 10.0, 0.9) == pytest.approx((5, 20))


def test_intervals_hold_the_share_that_they_should(parts: Any) -> None:
    random = np.random.default_rng(0)
    errors = parts.intervals.Errors([random.normal(size=50).__abs__().tolist()], is_ratio=False)
    truth = random.normal(size=2000)
    lowest, highest = parts.intervals.online(errors, np.zeros(2000), truth, 0.8)
    assert np.mean((lowest <= truth) & (truth <= highest)) == pytest.approx(0.8, abs=0.03)


def test_an_interval_knows_no_later_error(parts: Any) -> None:
    truth = np.array([1.0, -1.0, 50.0, 0.0])
    changed = truth.copy()
    changed[2] = -3.0
    ends = [
        parts.intervals.online(parts.intervals.Errors([[0.5] * 20], False), np.zeros(4), each, 0.9)
        for each in (truth, changed)
    ]
    assert (ends[0][0][:3] == ends[1][0][:3]).all()


@pytest.mark.parametrize(
    ("dates", "step", "season", "after"),
    [
        (["1949", "1950", "1951"], "year", None, "1953"),
        (["1949-Q3", "1949-Q4", "1950-Q1"], "quarter", 4, "1950-Q3"),
        (["1949Q3", "1949Q4", "1950Q1"], "quarter", 4, "1950Q3"),
        (["1949-10", "1949-11", "1949-12"], "month", 12, "1950-02"),
        (["1949/9", "1949/10", "1949/11"], "month", 12, "1950/1"),
        (["2024-01-31", "2024-02-29", "2024-03-31"], "month", 12, "2024-05-31"),
        (["2024-01-15", "2024-02-15", "2024-03-15"], "month", 12, "2024-05-15"),
        (["2024-02-19", "2024-02-26", "2024-03-04"], "week", 52, "2024-03-18"),
        (["2024-02-28", "2024-02-29", "2024-03-01"], "day", 7, "2024-03-03"),
        (["2024-02-28 22:00", "2024-02-28 23:00", "2024-02-29 00:00"], "hour", 24, "2024-02-29 02:00"),
    ],
)
def test_dates_tell_step_and_season(parts: Any, dates: list[str], step: str, season: int, after: str) -> None:
    series = parts.series.read_series(table([1.5, 2.5, 3.0], dates))
    assert (series.step, series.date_after(2)) == (step, after)
    assert parts.series.SEASONS[step] == season
    assert series.season is None  # there are no two of them
    assert series.values.tolist() == [1.5, 2.5, 3.0]
    assert series.index_of(dates[1]) == 1
    assert series.index_of("0.7") == 2


def test_numbers_are_told_from_dates(parts: Any) -> None:
    Path("one.csv").write_text("sold\n1500\n1501\n1502\n", "utf-8")
    assert parts.series.read_series(Path("one.csv")).dates == ["1", "2", "3"]
    Path("two.csv").write_text("sold,year\n1500,2001\n1600,2002\n1400,2003\n", "utf-8")
    series = parts.series.read_series(Path("two.csv"))
    assert (series.name, series.step) == ("sold", "year")
    daily = [date(2024, 1, 1) + timedelta(days=n) for n in (0, 1, 2, 5)]
    workdays = table([1, 2, 3, 4], map(str, daily))
    assert parts.series.read_series(workdays, ignore_dates=True).season is None
    assert parts.series.read_series(workdays, season=2, ignore_dates=True).season == 2


LONG = "".join(f"{2000 + n // 12}-{n % 12 + 1:02d},{n % 7}\n" for n in range(60))


@pytest.mark.parametrize(
    ("content", "flags", "told"),
    [
        ("month,sold\n" + LONG, ["--column", "price"], "no column 'price': there are month, sold"),
        ("a,b\n1,2\n3,4\n", [], "several columns have numbers: name one with --column (a, b)"),
        ("a,b\nx,y\nz,w\n", [], "no column has numbers like 1234.5, but 'x'"),
        ("date,sold\n31.12.2000,1\n1.1.2001,2\n", [], "'date' has '31.12.2000', which isn't read as a date"),
        ("month,sold\n2000-01,1\n2000-02,\n2000-03,2\n", [], "line 3 has no number in 'sold', but ''"),
        ("month,sold\n2000-01,1\n2000-02,nan\n2000-03,2\n", [], "line 3 has no number in 'sold', but 'nan'"),
        (
            "month,sold\n2000-01,1\n2000-02,2\n2000-04,3\n",
            [],
            "line 4: between 2000-02 and 2000-04 lies more than one month",
        ),
        ("month,sold\n2000-01,1\n2000-03,2\n2000-02,3\n", [], "line 4: 2000-02 isn't after 2000-03: sort"),
        ("month,sold\n2000-01,1\n2000-01,2\n", [], "line 3: 2000-01 isn't after 2000-01"),
        ("month,sold\n2000-01,1\n2000-02,1\n", [], "all values of 'sold' are 1: there is nothing to forecast"),
        ("month,sold\n2000-01,1\n2000-02,2\n2000-03,4\n", [], "3 values to learn from are too few"),
        ("year,sold\n2000,1\n2002,2\n2003,4\n", [], "line 3: between 2000 and 2002 lies more than one year"),
        ("year,sold\n2001,1\n2000,2\n2002,4\n", [], "line 3: 2000 isn't after 2001"),
        ("month,sold\n\n2000-01,1\n2000-O2,2\n2000-03,4\n", [], "line 4 has no date, but '2000-O2'"),
        ("month,sold\n2000-01,1\n2000-02,1e200\n", [], "line 3 has 1e200 in 'sold', which is too large"),
        ("month,sold\n", [], "there must be a line with the columns' names"),
        ("2000-01,1\n2000-02,2\n", [], "the first line must name the columns"),
        ("month,sold\n2000-01,1,2\n", [], "line 2 has 3 fields"),
        ("month,sold\n" + LONG, ["--transform", "sqrt"], "--transform sqrt: one of levels, "),
        ("month,sold\n" + LONG, ["--transform", "logs"], "aren't positive, and no logarithm"),
        ("sold\n1\n2\n3\n", ["--transform", "year-on-year"], "needs a season"),
    ],
)
def test_what_is_wrong_with_a_series_is_told_in_a_line(
    command: ModuleType, content: str, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data.csv").write_text(content, "utf-8")
    assert command.main(["train", "data.csv", "--out", "sold.pt", *flags]) == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert not Path("sold.pt").exists()


def test_other_mistakes_are_told_in_a_line(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(table(months(30)))
    Path("weights.pt").write_bytes(b"PK")
    for arguments, told in [
        (["predict", "missing.pt"], "missing.pt: no such file"),
        (["predict", data], "not a checkpoint"),
        (["predict", "weights.pt"], "damaged"),
        (
            ["backtest", data, "--start", "1999-01"],
            "nor a date of the series (2000-01 to",
        ),
        (["backtest", data, "--start", "1.5"], "neither a share"),
        (["backtest", data, "--start", "2000-01"], "there must be values before it"),
        (["backtest", data, "--coverage", "90"], "must be between 0 and 1"),
        (["train", data, "--out", data], "exists already, and is no such model"),
        (["train", data, "--out", "."], "a folder"),
        (["train", data, "--out", "o", "--season", "16"], "have no two seasons of 16"),
        (["train", data, "--out", "o", "--layers", "9" * 20], "at most 1,000,000"),
        (["backtest", data, "--picture", data], "ends in .png"),
    ]:
        capsys.readouterr()
        assert command.main(arguments) == 2
        assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_values_that_leave_what_was_learned_from_are_told(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    values = months()
    values[-1] = -1
    start = ["--start", "2005-01"]
    assert command.main(["backtest", str(table(values)), *start, *SMALL, "--transform", "log-changes"]) == 2
    assert "later values aren't positive" in capsys.readouterr().err.splitlines()[-1]
    assert command.main(["backtest", "data.csv", *start, *SMALL, "--transform", "changes"]) == 0


def test_a_line_that_falls_goes_on_below_zero(parts: Any) -> None:
    values, f = np.arange(80.0, 0.0, -1.0), parts.forecaster
    views = [f.View(parts.transforms.Transform(name, 12), 5) for name in ("changes", "log-changes")]
    settings = f.Settings(layers=(4,), seeds=1)
    forecaster = f.Forecaster([f.Member(view, settings, 1).fit(values, 0) for view in views])
    path = forecaster.ahead([values], 6)[0]
    assert np.isfinite(path).all()
    assert path[-1] < 0


def test_a_transform_that_is_far_worse_than_the_best_is_left_out(parts: Any) -> None:
    f = parts.forecaster
    views = [f.View(parts.transforms.Transform(name, 12), 5) for name in ("changes", "logs", "levels")]
    found = [f.Trial(view, 5, (error,)) for view, error in zip(views, (0.1, 0.15, 0.3), strict=True)]
    assert f.best(found, f.Settings()) == found[:2]


def test_a_series_of_many_zeros_is_learned(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.where(np.arange(60) % 9 == 0, 3.0, 0.0) * (np.arange(60) < 40)
    assert command.main(["train", str(table(values)), "--out", "sold.pt", *SMALL]) == 0


def test_training_on_a_beginning_forecasts_what_the_backtest_does(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    table(months(61))
    table(months(60), path="beginning.csv")
    assert command.main(["train", "beginning.csv", "--out", "sold.pt", *SMALL]) == 0
    assert command.main(["predict", "sold.pt", "--steps", "1"]) == 0
    forecast = float(capsys.readouterr().out.splitlines()[1].split("\t")[1])
    assert command.main(["backtest", "data.csv", "--start", "2005-01", *SMALL]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("lstm networks"))
    assert abs(forecast - months(61)[-1]) == pytest.approx(float(line.split()[-1]), rel=1e-2)


@pytest.mark.parametrize("part", ["series", "settings", "members", "errors", "checked"])
def test_a_file_that_makes_no_sense_is_told(command: ModuleType, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["train", str(table(months(40))), "--out", "sold.pt", *SMALL]) == 0
    contents = torch.load("sold.pt", weights_only=True)
    for wrong in (None, [], {}):
        torch.save({**contents, part: wrong}, "sold.pt")
        capsys.readouterr()
        assert command.main(["predict", "sold.pt"]) == 2
        assert "sold.pt: damaged" in capsys.readouterr().err.splitlines()[-1]
