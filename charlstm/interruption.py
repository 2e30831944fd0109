"""Turns Ctrl-C and SIGTERM into a request that a loop can read between two steps."""

from __future__ import annotations

import signal
from types import FrameType


class Interruption:
    """Inside a `with` block, the first signal is stored in `signal`. Nothing else happens.

    Without it, a signal raises an exception at any line, also inside of code that then fails to clean up.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.signals = signals or (signal.SIGINT, signal.SIGTERM)
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def status(self) -> int:
        """The exit status that means this signal to a shell: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.signal or 0)

    def __enter__(self) -> Interruption:
        self._before = {number: signal.signal(number, self._store) for number in self.signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _store(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number
