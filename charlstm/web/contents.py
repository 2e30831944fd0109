"""What a page holds: a model, texts to look at, what was found in it, and how it was trained."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from charlstm.errors import InputError
from charlstm.files import replacing
from charlstm.inside.units import SHORTEST, find_units
from charlstm.model.charlstm import CharLSTM
from charlstm.text.reading import normalise
from charlstm.text.vocab import END, UNKNOWN, Vocab
from charlstm.web.assemble import assembled
from charlstm.web.weights import packed

LARGEST = 30_000_000
"""Bytes of a page."""

LONGEST = 20_000
"""Characters of a text in a page."""

WRITTEN = 6_000
"""Characters of the text that a model writes for a page without one."""

UNITS = 16
"""Units that follow something, at most."""


@dataclass(frozen=True)
class Page:
    """A page with a model in it: one HTML file that asks for nothing else. A notebook shows it."""

    html: str

    def save(self, path: str | Path) -> None:
        """Write it to a file, in place of what was there."""
        with replacing(Path(path)) as file:
            file.write(self.html.encode("utf-8", "replace"))  # a folder's name may have what UTF-8 lacks

    def _repr_html_(self) -> str:
        """The page in a frame of a notebook."""
        return f'<iframe srcdoc="{html.escape(self.html)}" style="width: 100%; height: 720px; border: 0"></iframe>'


def make_page(
    model: CharLSTM,
    vocab: Vocab,
    name: str,
    texts: Mapping[str, str],
    runs: Sequence[dict[str, Any]] = (),
    *,
    precision: str = "int8",
    units: int = UNITS,
    on_characters: Callable[[int], object] = lambda n: None,
) -> Page:
    """A page for a model.

    Args:
        name: what stands at the top.
        texts: to look at, by their names; of each the first `LONGEST` characters. Units are looked for in the first.
        runs: what `how it learned` shows of each run (`charlstm.saved.facts`).
        precision: of the weights: int8, float16 or float32.
        units: how many of those that follow something to name, at most; 0 saves the time.
        on_characters: called with the number of characters that were just read in search of them.

    Raises:
        InputError: when the page would be larger than browsers like.
    """
    tensors, weights = packed(model.state_dict(), precision)
    shown = {title: known(vocab, text) for title, text in texts.items()}
    first = next(iter(shown.values()), "")
    found = find_units(model, vocab, first, units, on_characters) if units and len(first) >= SHORTEST else []
    data = {
        "name": name,
        "model": asdict(model.config),
        "vocab": vocab.characters,
        "precision": precision,
        "tensors": tensors,
        "texts": [{"name": title, "text": text} for title, text in shown.items()],
        "units": [asdict(unit) for unit in found],
        "runs": [shareable(run) for run in runs],
    }
    page = Page(assembled(name, data, weights))
    if len(page.html) > LARGEST:
        remedy = "give --precision int8" if precision != "int8" else "a page is for smaller models"
        raise InputError(f"the page would have {len(page.html) / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}: {remedy}")
    return page


def page_without_model(name: str, runs: Sequence[dict[str, Any]]) -> Page:
    """A page of how some runs learned, and nothing else: it is small, and made in no time."""
    data = {"name": name, "model": None, "vocab": "", "texts": [], "units": [], "runs": [*map(shareable, runs)]}
    return Page(assembled(name, data, ""))


def shareable(run: dict[str, Any]) -> dict[str, Any]:
    """The facts of a run as a page shows them. Of its texts' places it has the names, not the folders around them."""
    text = run.get("text", {})
    shown = {**run, "text": {**text, "places": [Path(place).name for place in text.get("places", [])]}}
    shown.pop("vocab", None)  # the page has the model's
    return shown


def known(vocab: Vocab, text: str) -> str:
    """A text's beginning as a page shows it, without what the model can't even read as an unknown character."""
    text = vocab.fitted(normalise(text)[:LONGEST]).replace(END, "")
    if UNKNOWN in vocab or " " in vocab:
        return text
    return text.translate({ord(character): None for character in vocab.missing(text)})
