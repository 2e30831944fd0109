"""The page in a browser, as people use it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from charlstm.config import ModelConfig
from charlstm.generator import Generator
from charlstm.text.vocab import END, Vocab
from tests.web.conftest import Opened, html_of
from tests.web.test_equal import TEXT, lively

pytestmark = pytest.mark.browser


@pytest.fixture
def model() -> Generator:
    vocab = Vocab("".join(sorted(set(TEXT + "Zz"))))
    return lively(ModelConfig(vocab_size=len(vocab), hidden_size=8, embedding_dim=6, num_layers=2), vocab)


@pytest.fixture
def html(model: Generator) -> str:
    return html_of(model, {"text": TEXT, "other": "rain"})


def written(shown: Opened) -> str:
    """What the page has written, once it is done."""
    from playwright.sync_api import expect

    expect(shown.page.locator("#status")).to_contain_text(re.compile("Seed|种子"))
    return str(shown.page.locator("#written").text_content())


def test_it_opens_from_a_disk_without_an_error_or_a_request(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    odd = ("#nothing?x=%00", "#__proto__", "#constructor?x", "#look?unit=99999&signal=__proto__&at=-5&layer=x&text=17")
    for view in ("", "#write", "#look", "#learned", *odd):
        shown = opened(html, view)
        expect(shown.page.locator("nav [aria-current=page]")).to_have_count(1)
        shown.page.wait_for_timeout(200)
        assert not shown.complaints
        assert all(url.startswith(("file:", "blob:")) for url in shown.requests)
        assert sum(url.startswith("file:") for url in shown.requests) == 1


HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\"><!--"


def test_a_hostile_checkpoint_runs_nothing(opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    vocab = Vocab("".join(sorted({*HOSTILE, "\u2028", "\u202e", "\0"})))
    model = lively(ModelConfig(vocab_size=len(vocab), hidden_size=4, embedding_dim=4), vocab)
    run = {"path": HOSTILE, "command": HOSTILE, "reports": [{"step": 1, "sample": HOSTILE}]}
    shown = opened(html_of(model, {HOSTILE: HOSTILE}, name=HOSTILE, runs=[run]))
    shown.page.locator("#prime").fill(HOSTILE)
    shown.page.locator("#write").click()
    written(shown)
    for view in ("#look", "#learned"):
        shown.page.locator(f'nav a[href="{view}"]').click()
        expect(shown.page.locator("nav [aria-current=page]")).to_have_attribute("href", view)
        shown.page.wait_for_timeout(200)
    assert shown.page.title() == HOSTILE
    assert shown.page.locator("img").count() == 0
    assert shown.page.locator("script").count() == 3  # data, weights, program
    assert [complaint for complaint in shown.complaints if "hacked" in complaint] == []
    assert all(url.startswith(("file:", "blob:")) for url in shown.requests)


@pytest.mark.parametrize("of_documents", [False, True])
def test_without_chance_it_writes_pythons_text(of_documents: bool, opened: Callable[..., Opened]) -> None:
    vocab = Vocab("".join(sorted(set(TEXT) | ({END} if of_documents else set()))))
    model = lively(ModelConfig(vocab_size=len(vocab), hidden_size=12, embedding_dim=6, ensemble_size=2), vocab)
    shown = opened(html_of(model, {"text": TEXT}, precision="float32"))
    for prime in ("", "The 雨😀"):
        shown.page.locator("#prime").fill(prime)
        for name, value in (("Temperature", "0"), ("Characters", "60")):
            shown.page.get_by_label(name).fill(value)
        shown.page.locator("#write").click()
        shown.page.wait_for_timeout(100)
        assert written(shown) == prime + "".join(model.generate(prime, length=60, temperature=0, precision="float32"))


def test_another_character_is_taken_and_the_text_goes_on_from_there(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(html)
    shown.page.get_by_label("Seed").fill("7")
    shown.page.locator("#prime").fill("The river")
    shown.page.locator("#write").click()
    first = written(shown)
    assert first.startswith("The river")
    assert len(first) > 400
    shown.page.locator("#written span").nth(20).click()
    expect(shown.page.locator("#others .other")).to_have_count(8)
    others = shown.page.locator("#others .other span").all_text_contents()
    shown.page.locator("#others .other").nth(3).click()
    expect(shown.page.locator("#others")).to_be_hidden()
    shown.page.wait_for_timeout(100)
    second = written(shown)
    assert second[:20] == first[:20]
    assert second[20] == {"␣": " ", "↵": "\n"}.get(others[3], others[3])
    assert shown.page.locator("#written .given").count() == len("The river")
    shown.page.locator("#undo").click()
    assert shown.page.locator("#written").text_content() == first
    assert not shown.complaints


def test_stop_works_at_once_and_characters_it_never_saw_are_named(opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    vocab = Vocab("".join(sorted(set(TEXT))))
    model = lively(ModelConfig(vocab_size=len(vocab), hidden_size=256, embedding_dim=6), vocab)
    shown = opened(html_of(model, {"text": TEXT}))
    shown.page.locator("#prime").fill("The Ω")
    shown.page.get_by_label("Characters").fill("100000")
    shown.page.locator("#write").click()
    expect(shown.page.locator("#warning")).to_have_text("The model never saw these characters: Ω")
    expect(shown.page.locator("#written span").nth(50)).to_be_attached()
    shown.page.locator("#stop").click()
    count = shown.page.locator("#written span").count()
    shown.page.wait_for_timeout(200)
    assert shown.page.locator("#written span").count() == count < 100000
    expect(shown.page.locator("#stop")).to_be_disabled()


def test_the_keyboard_alone_suffices(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(html, "#look?signal=f&unit=0&layer=0")
    now, text = shown.page.locator("#now"), shown.page.locator("#text")
    expect(text.locator("span").nth(len(TEXT) - 1)).to_be_attached()
    press = shown.page.keyboard.press  # nothing need be clicked on first
    press("ArrowRight")
    expect(now).to_contain_text("h (character 2) · layer 1, unit 0 · f = ")
    press("ArrowUp")
    expect(now).to_contain_text("unit 1 · f")
    press("PageUp")
    expect(now).to_contain_text("layer 2, unit 1 · f")
    press("o")
    expect(now).to_contain_text("· o = ")
    press("End")
    expect(now).to_contain_text(f"(character {len(TEXT)})")
    expect(shown.page).to_have_url(re.compile("signal=o"))
    for _ in range(5):
        press("Shift+ArrowLeft")
    expect(text.locator(".selected")).to_have_count(6)
    press("Enter")
    expect(shown.page.locator("#query li")).to_have_count(8)
    press("?")
    expect(shown.page.locator("#keys")).to_be_visible()
    press("Escape")
    expect(shown.page.locator("#keys")).to_be_hidden()
    assert not shown.complaints


def test_a_view_can_be_sent_by_its_address(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(html, "#look?text=typed&typed=rain+on&layer=0&unit=5&signal=g&at=2")
    expect(shown.page.locator("#now")).to_contain_text("i (character 3) · layer 1, unit 5 · g = ")
    expect(shown.page.locator("#text")).to_have_text("rain on")
    late = opened(html, f"#look?at={len(TEXT) - 2}")
    expect(late.page.locator("#now")).to_contain_text(f"(character {len(TEXT) - 1})")
    expect(shown.page).to_have_url(re.compile("unit=5"))
    again = opened(html, "#" + shown.page.url.split("#")[1])
    expect(again.page.locator("#now")).to_have_text(str(shown.page.locator("#now").text_content()))


@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_narrow_and_wide_in_both_languages(width: int, locale: str, html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    for view in ("write", "look", "learned"):
        shown = opened(html, f"#{view}", width=width, locale=locale)
        shown.page.wait_for_timeout(300)
        assert shown.value("document.documentElement.scrollWidth") <= width
        shown.page.locator("button", has_text="English" if locale == "zh-CN" else "中文").click()
        expect(shown.page.locator("nav")).to_contain_text("Write" if locale == "zh-CN" else "写作")
        assert not shown.complaints


def test_both_languages_have_the_same_words(html: str, opened: Callable[..., Opened]) -> None:
    keys = """
    (() => {
      const isGroup = (value) => typeof value === "object" && !Array.isArray(value);
      const keys = (of) => Object.entries(of).flatMap(([name, value]) =>
        isGroup(value) ? keys(value).map((each) => `${name}.${each}`) : [name]);
      return ["en", "zh"].map((code) => keys(modules["words.js"].wordsOf(code)).sort());
    })()
    """
    english, chinese = opened(html).value(keys)
    assert english == chinese


def test_a_notebook_shows_it_in_a_frame(model: Generator, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(f"<!doctype html><title>notebook</title>{model.page({'text': TEXT})._repr_html_()}")
    frame = shown.page.frame_locator("iframe")
    frame.locator("#prime").fill("The")
    frame.locator("#write").click()
    expect(frame.locator("#status")).to_contain_text("Seed")
    frame.locator('nav a[href="#look"]').click()
    expect(frame.locator("#now")).to_contain_text("(character ")
    assert not shown.complaints


def test_every_property_has_its_words(html: str, opened: Callable[..., Opened]) -> None:
    from charlstm.inside.properties import PROPERTIES

    told = opened(html).value('["en", "zh"].map((code) => Object.keys(modules["words.js"].wordsOf(code).properties))')
    assert [sorted(each) for each in told] == [sorted(PROPERTIES)] * 2


def test_a_click_chooses_the_character_under_the_mouse(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(html, "#look")
    spans = shown.page.locator("#text span")
    expect(spans.nth(len(TEXT) - 1)).to_be_attached()
    for at, share in ((5, 0.2), (6, 0.8), (20, 0.5)):
        box = spans.nth(at).bounding_box()
        assert box
        shown.page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        expect(shown.page.locator("#now")).to_contain_text(f"(character {at + 1})")
    first, last = spans.nth(4).bounding_box(), spans.nth(8).bounding_box()
    assert first
    assert last
    shown.page.mouse.move(first["x"] + 1, first["y"] + 8)
    shown.page.mouse.down()
    shown.page.mouse.move(last["x"] + last["width"] - 1, last["y"] + 8, steps=5)
    shown.page.mouse.up()
    expect(shown.page.locator("#text .selected")).to_have_count(5)
    shown.page.locator("#ask").click()
    shown.page.locator("#query li button").first.click()
    expect(shown.page.locator("#query .places")).to_contain_text(re.compile("underlined|Nowhere"))


def test_what_was_written_stays_when_the_view_or_the_language_changes(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(html)
    shown.page.locator("#prime").fill("The river")
    shown.page.get_by_label("Characters").fill("40")
    shown.page.locator("#write").click()
    text = written(shown)
    shown.page.locator("button", has_text="中文").click()
    expect(shown.page.locator("#written")).to_have_text(text)
    shown.page.locator("#lookAt").click()
    expect(shown.page.locator("#text")).to_have_text(text)
    expect(shown.page).to_have_url(re.compile("typed=The\\+river"))
    shown.page.locator("nav a").first.click()
    expect(shown.page.locator("#written")).to_have_text(text)
    expect(shown.page.locator("#prime")).to_have_value("The river")
    shown.page.locator("#again").click()
    shown.page.wait_for_timeout(300)
    assert written(shown) != text
    shown.page.locator("#undo").click()
    expect(shown.page.locator("#written")).to_have_text(text)


def test_the_address_of_a_written_text_writes_it_again(html: str, opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    shown = opened(html)
    shown.page.locator("#prime").fill("The river")
    shown.page.locator("#write").click()
    text = written(shown)
    expect(shown.page).to_have_url(re.compile("seed="))
    assert written(opened(html, "#" + shown.page.url.split("#")[1])) == text


def test_the_settings_change_what_is_written(html: str, opened: Callable[..., Opened]) -> None:
    shown = opened(html, "#write?prime=The&length=80&temperature=0&seed=3")
    likeliest = written(shown)
    assert written(opened(html, "#write?prime=The&length=80&temperature=3&topk=1&seed=3")) == likeliest
    assert written(opened(html, "#write?prime=The&length=80&temperature=3&topp=0.01&seed=3")) == likeliest
    assert written(opened(html, "#write?prime=The&length=80&temperature=3&minp=1&seed=3")) == likeliest
    free = written(opened(html, "#write?prime=The&length=80&temperature=3&seed=3"))
    assert free != likeliest
    stop = free[30:32]
    stopped = written(opened(html, f"#write?prime=The&length=80&temperature=3&seed=3&stop={stop}".replace("\n", "%0A")))
    assert free.startswith(stopped)
    assert stop not in stopped[3:]
    odd = opened(html, "#write?temperature=-3&length=2.5&topk=-1&seed=-1&minp=x")
    written(odd)
    labels = ("Temperature", "Characters", "Top-k", "Seed", "Min-p")
    assert [odd.page.get_by_label(name).input_value() for name in labels] == ["0", "2", "", "0", ""]


def test_the_colours_can_be_switched_off(html: str, opened: Callable[..., Opened]) -> None:
    shown = opened(html, "#write?prime=The&length=20&seed=3")
    written(shown)
    style = shown.page.locator("#written span").nth(10)
    assert "background-color" in str(style.get_attribute("style"))
    shown.page.locator("#tint").uncheck()
    assert "background-color" not in str(style.get_attribute("style"))


FILTERED = """
(() => {
  const { draw } = modules["sampling.js"], logits = Float32Array.from(LOGITS), seen = new Set();
  const settings = { temperature: 0.7, topK: null, topP: null, minP: null, ...SETTINGS };
  for (let k = 0; k < 1000; k++) seen.add(draw(logits, new Set([2]), settings, () => (k + 0.5) / 1000));
  return [...seen].sort((a, b) => a - b);
})()
"""


@pytest.mark.parametrize(
    "settings", [{}, {"topK": 3}, {"topP": 0.6}, {"minP": 0.2}, {"topK": 5, "topP": 0.9, "minP": 0.1}]
)
def test_filters_keep_what_pythons_keep(settings: dict[str, float], html: str, opened: Callable[..., Opened]) -> None:
    import json

    import numpy as np

    from charlstm.config import SampleConfig
    from charlstm.sampling.filters import filtered

    logits = [1.0, 0.5, 9.0, 1.0, -0.5, 0.9, 0.2, -1.0]
    names = {"topK": "top_k", "topP": "top_p", "minP": "min_p"}
    config = SampleConfig(temperature=0.7, **{names[name]: value for name, value in settings.items()})  # type: ignore[arg-type]
    expected = np.flatnonzero(np.isfinite(filtered(np.array([logits], np.float32), config, [{2}])[0]))
    script = FILTERED.replace("LOGITS", json.dumps(logits)).replace("SETTINGS", json.dumps(settings))
    assert opened(html).value(script) == expected.tolist()


def test_a_text_that_cannot_be_read_at_all_is_no_endless_wait(opened: Callable[..., Opened]) -> None:
    from playwright.sync_api import expect

    vocab = Vocab("ab")
    shown = opened(html_of(lively(ModelConfig(vocab_size=2, hidden_size=4, embedding_dim=4), vocab), {"text": "abab"}))
    shown.page.locator("#prime").fill("雨")
    shown.page.get_by_label("Characters").fill("5")
    shown.page.locator("#write").click()
    assert len(written(shown)) == 5
    again = opened(
        html_of(lively(ModelConfig(vocab_size=2, hidden_size=4, embedding_dim=4), vocab), {}), "#look?typed=雨"
    )
    expect(again.page.locator("#now")).to_have_text("There is nothing to read yet.")
    assert not shown.complaints + again.complaints
