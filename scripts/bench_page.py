#!/usr/bin/env python3
"""How fast a page is in headless Chromium: opening, writing, and the answer to a key.

python -m pip install -e ".[browser]"              (and Chromium: on Debian, apt install chromium)
python scripts/bench_page.py                       1 x 512, 2 of 1 x 384, and 2 x 512, with random weights
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from browser import chromium
from commands import failures_reported, positive

from charlstm.config import ModelConfig
from charlstm.generator import Generator
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import Vocab
from charlstm.web.contents import make_page

SHAPES = {"1 x 512": (1, 512, 1), "2 of 1 x 384": (1, 384, 2), "2 x 512": (2, 512, 1), "1 x 384": (1, 384, 1)}
"""Layers, units and members."""

CHARACTERS = "".join(sorted("\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
"""Those of tiny Shakespeare: 65."""

KEYS = ("ArrowRight", "ArrowUp", "f", "o", "PageUp", "Shift+ArrowRight", "Enter")

ANSWER = """
(name) => new Promise((resolve) => {
  const key = name.replace("Shift+", ""), shiftKey = key !== name, began = performance.now();
  document.getElementById("text").dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true }));
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve(performance.now() - began);
  requestAnimationFrame(() => port2.postMessage(null));  // it comes after the picture, and before what is drawn later
})
"""
"""Milliseconds from a key to the picture with its colours and numbers; the drawings of the whole text come after it."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--length", type=positive, default=3000, help="characters to write (default: 3000)")
    parser.add_argument("--text", type=positive, default=5000, help="characters to look into (default: 5000)")
    flags = parser.parse_args()
    with failures_reported():
        with chromium() as browser, tempfile.TemporaryDirectory() as folder:
            print(
                "| model | MB | opens in | characters/s | a key's answer, median and slowest |\n|---|---|---|---|---|"
            )
            for name, shape in SHAPES.items():
                file = Path(folder) / "page.html"
                file.write_text(made(*shape, flags.text), "utf-8")
                print(f"| {name} | {file.stat().st_size / 1e6:.2f} | {measured(browser, file, flags)} |", flush=True)


def made(layers: int, units: int, members: int, text: int) -> str:
    """The page of a model with random weights. They take as long as learned ones."""
    config = ModelConfig(
        vocab_size=len(CHARACTERS), num_layers=layers, hidden_size=units, ensemble_size=members, embedding_dim=128
    )
    model = Generator(CharLSTM.seeded(config, 1).eval(), Vocab(CHARACTERS))
    return make_page(model.model, model.vocab, "page", {"text": model.preview(1, text)}, units=0).html


def measured(browser: Any, file: Path, flags: argparse.Namespace) -> str:
    """Seconds to open, characters a second, and milliseconds of a key, in the median and at most."""
    page = browser.new_context(bypass_csp=True).new_page()  # to measure from outside, scripts must be let in
    page.goto(file.as_uri())
    page.locator("#write").wait_for()
    timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    opened = page.evaluate(timing)
    page.get_by_label("Characters").fill(str(flags.length))
    page.locator("#write").click()
    page.locator("#status", has_text="Seed").wait_for(timeout=600_000)
    speed = page.locator("#status").text_content().split(",")[1].split()[0]
    page.locator('nav a[href="#look"]').click()
    page.locator("#text span").nth(flags.text - 1).wait_for(state="attached", timeout=600_000)
    page.wait_for_timeout(1000)
    answers = [page.evaluate(ANSWER, key) for key in KEYS * 5]
    page.context.close()
    return f"{opened / 1000:.2f} s | {speed} | {statistics.median(answers):.0f} ms, {max(answers):.0f} ms"


if __name__ == "__main__":
    main()
