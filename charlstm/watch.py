"""The page of a run that is training: its curves so far and, at the end, the model."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from charlstm.errors import InputError, RunError, notice
from charlstm.generator import Generator
from charlstm.saved.checkpoint import load
from charlstm.saved.facts import facts_of
from charlstm.saved.folder import resolve
from charlstm.screen import Screen
from charlstm.terminal import one_line
from charlstm.training.run import Run
from charlstm.web.contents import UNITS, WRITTEN, make_page, page_without_model

SHARE = 0.01
"""The largest share of the time for a page at reports: where they follow fast upon one another, some have none."""


class Watched:
    """Keeps `page.html` in the folder of a run. `report` is to be called at each of the run's reports.

    Until `finish`, the page shows how the run learns, and not the model: that would be larger, would be packed anew
    each time, and would be another one at the next report. Whoever opens the page finds the old one or the new one.

    Raises:
        RunError: when it can't be written. What fails later is a warning, and the run goes on.
    """

    def __init__(self, run: Run, screen: Screen) -> None:
        self.run, self.path, self.screen = run, run.folder.page, screen
        self.wrote, self.took = 0.0, 0.0  # the last one: when, in seconds of the system's clock, and in how many
        self._write()

    def report(self) -> None:
        """Write it anew, unless that would take too large a share of the time."""
        if time.monotonic() - self.wrote >= self.took / SHARE:
            self._rewrite()

    def finish(self, units: int = UNITS) -> None:
        """Write it with the run's best model.

        Args:
            units: how many of those that follow something are shown, at most; 0 saves the time.
        """
        try:
            model = Generator.from_checkpoint(load(resolve(self.run.folder.path, prefer="best.pt")))
            texts = {"written by the model": model.preview(1, WRITTEN)}
            with self.screen.progress("looking inside") as bar:
                page = make_page(
                    model.model, model.vocab, self.name, texts, [self._facts()], units=units, on_characters=bar.update
                )
            page.save(self.path)
            self.screen.say(f"page: {one_line(str(self.path))} has the model now: open it in a browser")
        except (InputError, RunError) as error:  # such as of a model that is too large, or went wrong
            notice(f"{self.path} shows how it learned, without the model: {error}")
            self._rewrite()

    @property
    def name(self) -> str:
        """What stands at the top of the page."""
        return self.path.resolve().parent.name

    def _facts(self) -> dict[str, Any]:
        return facts_of(self.run.folder.path, self.run.facts())

    def _rewrite(self) -> None:
        try:
            self._write()
        except RunError as error:
            notice(str(error))

    def _write(self) -> None:
        self.wrote = time.monotonic()
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        page_without_model(self.name, [{**self._facts(), "as_of": now}]).save(self.path)
        self.took = time.monotonic() - self.wrote
