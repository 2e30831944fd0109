"""The one clock of a run's minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds that count for a run, over all of its sittings: `seconds` in earlier ones, and those from now on."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._began = time.monotonic() - seconds

    @property
    def seconds(self) -> float:
        """What it shows."""
        return time.monotonic() - self._began

    def advance(self, seconds: float) -> None:
        """Count what an earlier sitting took."""
        self._began -= seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It stands still meanwhile."""
        before = self.seconds
        try:
            yield
        finally:
            self._began += self.seconds - before
