"""The draw of the next ids: filters, noise and the highest, by a compiled loop or by NumPy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from charlstm.config import SampleConfig
from charlstm.errors import NOT_FINITE, RunError
from charlstm.loops.compiling import has_loops, machine_code
from charlstm.loops.team import Loop
from charlstm.sampling.filters import Scores, filtered, filters
from charlstm.sampling.gumbel import draw

Choose = Callable[[Scores, Scores, Sequence[Collection[int]]], list[int]]
"""(scores [B, V], noise [B, V], the ids that are excluded for each text, or none) → the id that is drawn for each text.

It raises RunError when the highest score isn't a finite number.
"""


def chooser(config: SampleConfig, texts: int, ids: int) -> Choose:
    """What draws for a batch of texts, as of `filtered` and `draw`."""
    if has_loops() and filters(config):
        return _CompiledDraw(config, texts, ids)
    return lambda scores, noise, never: draw(filtered(scores, config, never), noise)


class _CompiledDraw:
    """The draw with filters in one call."""

    def __init__(self, config: SampleConfig, texts: int, ids: int) -> None:
        self.scores, self.noisy = np.empty((2, texts, ids), np.float32)
        self.barred, self.drawn = np.zeros((texts, ids), np.uint8), np.zeros(texts, np.int64)
        self.never: Sequence[Collection[int]] = ()
        sizes = np.array([texts, ids, min(config.top_k or 0, ids)], np.int64)
        shares = np.array([config.temperature, config.top_p or 0, config.min_p or 0], np.float64)
        room = np.empty(ids), np.empty(ids, np.int64)
        arrays = shares, self.scores, self.noisy, self.barred, self.drawn, *room
        self.loop = Loop(machine_code("drawing", "draw", "float32"), sizes, *arrays, threads=1)

    def __call__(self, scores: Scores, noise: Scores, never: Sequence[Collection[int]]) -> list[int]:
        if never is not self.never:
            self.never = never
            self.barred.fill(0)
            for row, ids in zip(self.barred, never, strict=bool(never)):
                row[list(ids)] = 1
        np.copyto(self.scores, scores)
        np.add(scores, noise, out=self.noisy)
        self.loop()
        drawn: list[int] = self.drawn.tolist()
        if -1 in drawn:
            raise RunError(NOT_FINITE)
        return drawn
