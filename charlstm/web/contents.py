"""What a page holds: a model, texts to look at, what was found in it, and how it was trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from charlstm.errors import InputError
from charlstm.generator import Generator
from charlstm.web.assemble import assembled
from charlstm.web.weights import packed

LARGEST = 30_000_000
"""Bytes of a page."""

LONGEST = 20_000
"""Characters of a text in a page."""

WRITTEN = 6_000
"""Characters of the text that the model writes for a page without one."""

Text = tuple[str, str]
"""A text with its name."""


def page(
    model: Generator,
    name: str,
    texts: Sequence[Text] = (),
    runs: Sequence[dict[str, Any]] = (),
    *,
    precision: str = "int8",
    units: int = 12,
    on_characters: Callable[[int], object] = lambda n: None,
) -> str:
    """A page with a model in it, as HTML: one file that asks for nothing else.

    Args:
        name: what stands at the top.
        texts: to look at, the first `LONGEST` characters of each; without any, the model writes one. Units are looked
            for in the first one.
        runs: what `how it learned` shows of each run (see `charlstm.saved.facts`).
        precision: of the weights: int8, float16 or float32.
        units: how many of those that follow something to name; 0 saves the time.
        on_characters: called with the number of characters that were just read in search of them.

    Raises:
        InputError: when the page would be larger than a browser likes.
    """
    tensors, weights = packed(model.model.state_dict(), precision)
    if len(weights) > LARGEST:
        smaller = " with --precision int8" if precision != "int8" else ": train a smaller model for a page"
        raise InputError(f"the page would have {len(weights) / 1e6:.0f} MB, and {LARGEST / 1e6:.0f} at most{smaller}")
    shown = [(title, model.vocab.fitted(text[:LONGEST])) for title, text in texts] or [
        ("written by the model", model.preview(1, WRITTEN))
    ]
    readable = model.readable(shown[0][1], "replace")
    if units:
        from charlstm.inside.units import find_units  # TEMP
    found = find_units(model, readable, units, on_characters) if units else []
    data = {
        "name": name,
        "model": asdict(model.model.config),
        "vocab": model.vocab.characters,
        "precision": precision,
        "tensors": tensors,
        "texts": [{"name": title, "text": text} for title, text in shown],
        "units": [asdict(unit) for unit in found],
        "runs": list(runs),
    }
    return assembled(name, data, weights)


def title_of(path: Path) -> str:
    """The name of a run or a checkpoint as a page's title."""
    return path.resolve().name or str(path)
