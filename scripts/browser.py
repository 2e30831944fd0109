"""Headless Chromium, for the scripts that open a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from commands import Failure

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's.

    Raises:
        Failure: when one of the two isn't installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Failure("this needs Playwright: python -m pip install -e '.[browser]'") from None
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise Failure("this needs Chromium: on Debian, apt install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield launched
        finally:
            launched.close()
