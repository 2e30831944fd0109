"""The view of how a model learned, in a browser."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from charlstm.config import ModelConfig
from charlstm.text.vocab import Vocab
from charlstm.training.plan import choose
from charlstm.web.assemble import assembled
from charlstm.web.contents import page_without_model
from tests.web.conftest import Opened, html_of
from tests.web.test_equal import lively

pytestmark = pytest.mark.browser

Open = Callable[..., Opened]


def facts(name: str = "verse", count: int = 10, **more: Any) -> dict[str, Any]:
    """What `charlstm.saved.facts` has of a run with some reports."""
    reports = [
        {
            "step": 100 * n,
            "epoch": 0.5 * n,
            "seconds": 30.0 * n,
            "learning_rate": 0.007 / n,
            "train_bits_per_char": 1 + 4 / n,
            "val_bits_per_char": 2 + (n - 7) ** 2 / 20,
            "chars_per_second": 12_000 + n,
            "grad_norm": 0.5**n,
            "sample": f"sample {n}\nof {name} 雨",
        }
        for n in range(1, count + 1)
    ]
    plain = {
        "name": name,
        "model": {"cell": "lstm", "hidden_size": 512, "num_layers": 1, "ensemble_size": 1, "parameters": 1_371_740},
        "layers": [{"name": "lstm 1", "shape": [16, 64, 512], "parameters": 1_312_768}],
        "train": {"steps": None, "minutes": 5.0, "learning_rate": 0.007, "seed": 1},
        "text": {"places": ["/texts/verse.txt"], "characters": 2_600_000, "documents": "none", "val_fraction": 0.1},
        "plan": {"report_every": 100},
        "began": "2026-01-02T03:04:05+00:00",
        "command": "python -m charlstm.train verse.txt",
        "commands": {
            "sample": f"python -m charlstm.sample {name}",
            "resume": f"python -m charlstm.train --resume {name}",
        },
        "reasons": {"learning_rate": "the more steps, the smaller, and there will be about 1,234"},
        "machine": "Linux x86_64, 2 processors",
        "versions": ["charlstm 1", "Python 3.13", "PyTorch 2.13"],
        "step": 100 * count,
        "steps": 2000,
        "seconds": 30.0 * count,
        "best_val_bits_per_char": 2.0,
        "reports": reports,
    }
    return {**plain, **more}


def page(*runs: Any) -> str:
    return page_without_model("model", runs).html


def told(shown: Opened) -> str:
    """The numbers and the sample of the report at the cursor."""
    return str(shown.page.locator("#report").text_content())


def test_curves_of_all_four_and_everything_that_the_run_was_made_of(opened: Open) -> None:
    from playwright.sync_api import expect

    shown = opened(
        html_of(lively(ModelConfig(vocab_size=3, hidden_size=4), Vocab("abc")), {"a": "b"}, runs=[facts()]), "#learned"
    )
    expect(shown.page.locator(".chart svg")).to_have_count(4)
    expect(shown.page.locator("figcaption")).to_have_text(
        [
            "Bits per character (less is better)",
            "Learning rate",
            "Characters a second",
            "Norm of the gradient, before clipping (logarithmic)",
        ]
    )
    expect(shown.page.locator(".chart").first.locator("polyline")).to_have_count(2)
    expect(shown.page.locator(".best text")).to_have_text("2.000")
    expect(shown.page.locator(".notice")).to_have_count(0)
    view = shown.page.locator("main")
    for what in (
        "lstm 1",
        "(16, 64, 512)",
        "1,312,768",
        "--learning-rate",
        "0.007",
        "Chosen: the more steps, the smaller, and there will be about 1,234",
        "verse.txt · 2,600,000 characters",
        "python -m charlstm.train verse.txt",
        "python -m charlstm.train --resume verse",
        "Linux x86_64, 2 processors",
        "charlstm 1, Python 3.13, PyTorch 2.13",
        "sample 1\nof verse 雨",
    ):
        expect(view).to_contain_text(what)
    expect(shown.page.locator(".made tr.chosen")).to_have_count(1)
    expect(shown.page.locator(".made")).not_to_contain_text("--steps")  # which wasn't given
    expect(shown.page.locator(".samples li")).to_have_count(8)
    assert not shown.complaints


def test_the_mouse_shows_the_nearest_report_and_its_sample(opened: Open) -> None:
    from playwright.sync_api import expect

    shown = opened(page(facts()))
    report, first = shown.page.locator("#report"), shown.page.locator(".chart").first
    expect(report).to_contain_text("step 1,000")
    box = first.bounding_box()
    assert box
    for n in (1, 4, 10):
        x = 52 + n / 10 * (box["width"] - 52 - 26)  # the axis is from 0 to 1,000 steps
        first.hover(position={"x": x + 9, "y": 100})
        expect(report).to_contain_text(f"step {100 * n:,}")
        expect(report).to_contain_text(f"training {1 + 4 / n:.3f} bits")
        expect(report).to_contain_text(f"validation {2 + (n - 7) ** 2 / 20:.3f} bits")
        expect(report).to_contain_text(f"gradient norm {0.5**n:.3g}"[:17])
        expect(report.locator(".sample")).to_have_text(f"sample {n}\nof verse 雨")
        expect(shown.page.locator(".cursor line")).to_have_count(4)
    assert not shown.complaints


def test_so_do_the_keys(opened: Open) -> None:
    from playwright.sync_api import expect

    shown = opened(page(facts()))
    for _ in range(20):
        if shown.value("document.activeElement.className") == "chart":
            break
        shown.page.keyboard.press("Tab")
    slider = shown.page.get_by_role("slider", name="Bits per character")
    expect(slider).to_be_focused()
    for key, step in (("ArrowLeft", 900), ("Home", 100), ("ArrowLeft", 100), ("ArrowRight", 200), ("End", 1000)):
        shown.page.keyboard.press(key)
        expect(shown.page.locator("#report")).to_contain_text(f"step {step:,}")
        expect(slider).to_have_attribute("aria-valuenow", str(step // 100 - 1))
        expect(slider).to_have_attribute("aria-valuetext", re.compile(f"^step {step:,}, .*validation"))


def test_over_time_the_points_are_elsewhere_and_the_address_says_so(opened: Open) -> None:
    from playwright.sync_api import expect

    slow = facts()
    slow["reports"][-1]["seconds"] = 3000.0
    shown = opened(page(slow))
    line = shown.page.locator(".chart polyline").first
    before = line.get_attribute("points")
    shown.page.get_by_role("button", name="Minutes").click()
    expect(shown.page.locator(".axes text").last).to_have_text("Minutes")
    assert line.get_attribute("points") != before
    expect(shown.page).to_have_url(re.compile("#learned.x=time$"))
    again = opened(page(slow), "#learned?x=time")
    expect(again.page.get_by_role("button", name="Minutes")).to_have_attribute("aria-pressed", "true")


def test_several_runs_lie_over_one_another_with_a_legend_and_a_table(opened: Open) -> None:
    from playwright.sync_api import expect

    other = facts("雨", 5, best_val_bits_per_char=None)
    other["model"] = {"cell": "gru", "hidden_size": 64, "num_layers": 2, "ensemble_size": 4, "parameters": 1234}
    shown = opened(page(facts(), other, facts("third", 3)))
    first = shown.page.locator(".chart").first
    expect(first.locator("polyline")).to_have_count(6)
    assert sorted(first.locator(".ends text").all_text_contents()) == ["1", "2", "3"]
    expect(shown.page.locator(".strokes")).to_contain_text("1 verse")
    expect(shown.page.locator("#runs tbody tr")).to_have_count(3)
    cells = shown.page.locator("#runs tbody tr").nth(1).locator("td")
    expect(cells).to_have_text(["2 雨", "–", "2.5", "500", "1,234", "gru", "4 × (2 × 64)"])
    expect(shown.page.locator("details.run")).to_have_count(3)
    colours = {
        shown.value(f"getComputedStyle(document.querySelector('.chart .run{n} polyline')).stroke") for n in range(3)
    }
    assert len(colours) == 3
    first.focus()
    shown.page.keyboard.press("ArrowDown")
    expect(shown.page.locator("#report")).to_contain_text("2 雨")
    expect(shown.page.locator("#report .sample")).to_have_text("sample 5\nof 雨 雨")
    shown.page.keyboard.press("ArrowUp")
    expect(shown.page.locator("#report")).to_contain_text("1 verse")
    assert not shown.complaints


def test_an_older_run_shows_what_it_has_and_says_what_is_missing(opened: Open) -> None:
    from playwright.sync_api import expect

    older = facts(machine="", versions=[])
    for report in older["reports"]:
        del report["sample"], report["grad_norm"]
        report["val_bits_per_char"] = None
    shown = opened(page(older))
    expect(shown.page.locator(".chart")).to_have_count(3)
    expect(shown.page.locator(".notice").last).to_contain_text(
        "Not kept: samples (an earlier version wrote its reports), the norm of the gradient"
    )
    expect(shown.page.locator(".notice").last).to_contain_text("validation (no text was set aside for it)")
    expect(shown.page.locator("main")).to_contain_text("Not kept: machine and versions")
    assert "no sample was kept" in told(shown)
    assert not shown.complaints


def test_a_run_without_reports_and_a_page_without_runs_say_so(opened: Open) -> None:
    from playwright.sync_api import expect

    shown = opened(page(facts(count=0)))
    expect(shown.page.locator(".notice").last).to_contain_text("This run has no report yet")
    expect(shown.page.locator("main")).to_contain_text("--learning-rate")
    expect(shown.page.locator(".chart")).to_have_count(0)
    assert not shown.complaints
    model = lively(ModelConfig(vocab_size=3, hidden_size=4), Vocab("abc"))
    shown = opened(html_of(model, {"a": "b"}), "#learned")
    expect(shown.page.locator("#nothing")).to_be_visible()
    assert not shown.complaints


def test_of_a_single_report_there_are_points(opened: Open) -> None:
    shown = opened(page(facts(count=1)))
    assert shown.page.locator(".curve circle").count() == 4
    assert "NaN" not in shown.page.locator("main").inner_html()
    assert not shown.complaints


def test_a_run_at_work_says_how_far_it_is(opened: Open) -> None:
    from playwright.sync_api import expect

    shown = opened(page(facts(as_of="2026-01-02T03:04:05+00:00")))
    expect(shown.page.locator("nav a")).to_have_text("How it learned")
    expect(shown.page.locator(".notice")).to_contain_text(re.compile(r"step 1,000 of 2,000 at .*about 5 minutes to go"))
    done = opened(page(facts(steps=1000)))
    expect(done.page.locator(".notice")).to_have_text(
        "This page shows how the model learned. The model itself isn't in it."
    )


NONSENSE = [
    {},
    None,
    3,
    {"reports": 3},
    {"reports": [None, 3, {"step": "x"}, {"step": 1e999}]},
    {"name": {"a": 1}, "model": 3, "train": "x", "layers": [3, None, {}], "reasons": [], "commands": 3, "versions": 3},
    {
        "reports": [
            {"step": n, "seconds": "x", "val_bits_per_char": 1e308, "grad_norm": -1, "sample": 3} for n in (0, 1)
        ]
    },
    {"reports": [{"step": n, "seconds": 0, "train_bits_per_char": 0, "grad_norm": 0} for n in (5, 5)]},
    {"as_of": "yesterday", "step": 1, "steps": 2, "seconds": "x"},
]


def test_facts_that_make_no_sense_break_nothing(opened: Open) -> None:
    """They come from files that may be a stranger's."""
    plain = json.loads(json.dumps(NONSENSE).replace("Infinity", "1e308"))
    data = {"name": "model", "model": None, "vocab": "", "texts": [], "units": []}
    for each in plain:
        shown = opened(assembled("model", {**data, "runs": [each]}, ""))
        shown.page.wait_for_timeout(50)
        assert not shown.complaints, each
    shown = opened(assembled("model", {**data, "runs": [*plain, facts()]}, ""))
    shown.page.get_by_role("button", name="Minutes").click()
    shown.page.locator(".chart").first.hover()
    assert not shown.complaints


def test_axes_have_round_numbers(opened: Open) -> None:
    shown = opened(page())
    linear = shown.value(
        'JSON.stringify([[0, 10], [1.61, 2.02], [-3, 4], [0, 2000]].map((r) => modules["chart.js"].ticks(...r, 5)))'
    )
    assert [[round(tick, 9) for tick in ticks] for ticks in json.loads(linear)] == [
        [0, 2, 4, 6, 8, 10],
        [1.7, 1.8, 1.9, 2.0],
        [-2, 0, 2, 4],
        [0, 500, 1000, 1500, 2000],
    ]
    log = json.loads(
        shown.value('JSON.stringify([[0.03, 7], [1, 9], [1e-9, 10]].map((r) => modules["chart.js"].logTicks(...r, 5)))')
    )
    assert [[float(f"{tick:.3g}") for tick in ticks] for ticks in log] == [
        [0.1, 1],
        [1, 2, 5],
        [1e-8, 1e-6, 1e-4, 1e-2, 1],
    ]


def test_every_reason_has_its_chinese(opened: Open) -> None:
    reasons = {
        choice.reason
        for characters in (10_000, 1_000_000, 100_000_000)
        for seconds in (10, 600, 86_400)
        for cell in ("lstm", "depth-gated")
        for vocab in (100, 20_000)
        for choice in choose(characters, vocab, seconds, 20_000, {"cell": cell})
    }
    kinds = {re.sub(r"[\d.,e+]+ ", "", reason) for reason in reasons}
    assert len(kinds) >= 10
    shown = opened(page())
    chinese = shown.value(f'{json.dumps(sorted(reasons))}.map(modules["words.js"].wordsOf("zh").learned.reason)')
    for reason, translated in zip(sorted(reasons), chinese, strict=True):
        assert not re.search("[a-z]", translated), reason
        assert re.findall(r"\d[\d.,]*\d|\d", translated) == re.findall(r"\d[\d.,]*\d|\d", reason)
    assert shown.value('modules["words.js"].wordsOf("zh").learned.reason("another $1")') == "another $1"


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_narrow_screen_nothing_is_cut_off(dark: bool, opened: Open) -> None:
    long = facts("a-very-long-name-" * 8)
    for runs in ([long], [long, facts(), facts("third", 3)]):
        shown = opened(page(*runs), width=380, locale="zh-CN", dark=dark)
        shown.page.wait_for_timeout(200)
        assert shown.value("document.documentElement.scrollWidth") <= 380
        for chart in shown.page.locator(".chart svg").all():
            box = chart.bounding_box()
            assert box
            assert box["x"] + box["width"] <= 380
            assert box["width"] > 250
        assert not shown.complaints


def test_charts_follow_the_width_of_the_window(opened: Open) -> None:
    from playwright.sync_api import expect

    shown = opened(page(facts()))
    chart = shown.page.locator(".chart svg").first
    wide = math.floor(float(chart.get_attribute("width") or 0))
    shown.page.set_viewport_size({"width": 500, "height": 900})
    expect(chart).not_to_have_attribute("width", str(wide))
    assert float(chart.get_attribute("width") or 0) < 480
    assert not shown.complaints
