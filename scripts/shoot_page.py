#!/usr/bin/env python3
"""A picture of a view of a page.

python scripts/shoot_page.py checkpoints/python/page.html "look?unit=132&signal=c&at=400" --out docs/brackets.png

It needs the extra `browser`, and Chromium.
"""

from __future__ import annotations

import argparse
import re

from browser import chromium
from commands import Failure, check_output, failures_reported, positive

from charlstm.cli import path


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("page", type=path, help="what charlstm.page made")
    parser.add_argument("view", nargs="?", default="write", help="what stands behind # in its address")
    parser.add_argument("--prime", help="write after this first, with the settings of the address")
    parser.add_argument("--click", type=positive, metavar="N", help="click on this character of what was written")
    parser.add_argument("--out", type=path, required=True, metavar="PNG")
    parser.add_argument("--width", type=positive, default=1100, help="pixels (default: 1100)")
    parser.add_argument("--height", type=positive, default=780, help="pixels (default: 780)")
    parser.add_argument("--language", default="en", choices=("en", "zh"))
    flags = parser.parse_args()
    with failures_reported():
        check_output(flags.out, ".png")
        if not flags.page.is_file():
            raise Failure(f"{flags.page}: no such page: make it with python -m charlstm.page")
        shoot(flags)


def shoot(flags: argparse.Namespace) -> None:
    """Open the page, wait until it is ready, and keep the picture."""
    with chromium() as browser:
        size = {"width": flags.width, "height": flags.height}
        page = browser.new_context(viewport=size, locale={"en": "en-US", "zh": "zh-CN"}[flags.language]).new_page()
        page.goto(f"{flags.page.resolve().as_uri()}#{flags.view}")
        if flags.prime is not None:
            page.locator("#prime").fill(flags.prime)
            page.locator("#write").click()
            page.locator("#status", has_text=re.compile("Seed|种子")).wait_for()
        if flags.click:
            page.locator("#written span").nth(flags.click - 1).click()
        if flags.view.startswith("look"):
            page.locator("#scatter svg").wait_for(timeout=300_000)
            wanted = re.search(r"[?&]at=(\d+)", flags.view)
            place = f"{int(wanted[1]) + 1:d}" if wanted else ""
            page.locator("#now", has_text=place).wait_for(timeout=300_000)
            page.wait_for_timeout(1000)  # the rest of the text is read
        page.screenshot(path=flags.out)
        page.context.close()


if __name__ == "__main__":
    main()
