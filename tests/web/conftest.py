"""A browser for the tests of the page: headless Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from charlstm.generator import Generator
from charlstm.web.contents import make_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox",  # needed as root
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Opened:
    """A page in the browser, and what it did that it shouldn't have done."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def value(self, expression: str) -> Any:
        """What JavaScript says in the page; the page's policy, which forbids `eval`, stays in force."""
        session = self.page.context.new_cdp_session(self.page)
        found = session.send(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True}
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")


def html_of(model: Generator, texts: dict[str, str], *, name: str = "model", **settings: Any) -> str:
    """A page in which no units were looked for."""
    return make_page(model.model, model.vocab, name, texts, units=0, **settings).html


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Without it tests are skipped, or fail where CHARLSTM_BROWSER is `required`."""
    missing = pytest.fail if os.environ.get("CHARLSTM_BROWSER") == "required" else pytest.skip
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing("no Chromium on the PATH: on Debian, apt install chromium")
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing("no Playwright: pip install -e '.[test,browser]'")
    expect.set_options(timeout=30_000)  # a busy machine is no failure
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Open HTML, which is written to a file, from the disk: `opened(html, hash="", width=1280, locale="en-US")`."""
    contexts = []

    def open_page(html: str, hash: str = "", *, width: int = 1280, locale: str = "en-US", dark: bool = False) -> Opened:
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(html, "utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=locale, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("dialog", lambda dialog: (found.complaints.append(dialog.message), dialog.dismiss()))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(f"{file.as_uri()}{hash}")
        return found

    yield open_page
    for context in contexts:
        context.close()
