"""Signals that ask a program to end: Ctrl-C, SIGTERM, and SIGHUP of a terminal that was closed."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Those that the system has."""

AGAIN_AFTER = 0.02
"""Seconds after which a signal comes again that came at a bad moment."""

CLEANING_UP = 2.0
"""Seconds that a program has to clean up after a signal before another one interrupts that, too."""

Handler = Callable[[int, FrameType | None], object]


class Stopped(BaseException):
    """A signal other than Ctrl-C asks the program to end; Ctrl-C is KeyboardInterrupt. Its argument is the number."""


@contextmanager
def handled(handler: Handler, signals: tuple[int, ...] = SIGNALS, *, is_last: bool = False) -> Iterator[None]:
    """Let a function handle the signals. One that is ignored, as with `nohup`, stays so, and threads get none.

    Args:
        is_last: whether the program ends after the block: then signals are ignored from there on.
    """
    with ExitStack() as restored:
        if threading.current_thread() is threading.main_thread():
            for number in signals:
                before = signal.getsignal(number)
                if before not in (None, signal.SIG_IGN):
                    restored.callback(signal.signal, number, signal.SIG_IGN if is_last else before)
                    signal.signal(number, handler)
        yield


@contextmanager
def raised(*signals: int, is_last: bool = False) -> Iterator[None]:
    """Inside the block a signal raises KeyboardInterrupt or Stopped, so that locks and drafts are cleaned up.

    It is never raised inside of an import, which may swallow it or leave a module half made, but soon after. Nor is
    another one raised right after the first, while that is on its way out.
    """
    outermost = sys._getframe()
    ending_until = 0.0

    def arrive(number: int, frame: FrameType | None) -> None:
        nonlocal ending_until
        if time.monotonic() < ending_until:
            return
        while frame is not None and frame is not outermost:
            if frame.f_globals.get("__name__") == "importlib._bootstrap":
                again = threading.Timer(AGAIN_AFTER, _thread.interrupt_main, [number])
                again.daemon = True
                again.start()
                return
            frame = frame.f_back
        ending_until = time.monotonic() + CLEANING_UP
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)

    with handled(arrive, signals or SIGNALS, is_last=is_last):
        yield


class Interruption:
    """Inside a `with` block, the first signal is stored in `signal`, to be read between two steps of a loop.

    Nothing else happens: an exception could come at any line, also inside of code that then fails to clean up.
    """

    def __init__(self, *signals: int) -> None:
        self.signal: int | None = None
        self._handled = handled(self._store, signals or SIGNALS)

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def status(self) -> int:
        """The exit status that means this signal to a shell: 130 for Ctrl-C, 143 for SIGTERM.

        Without a signal it is 143: of several processes, another one was told to end, and all do.
        """
        return 128 + (self.signal or signal.SIGTERM)

    def __enter__(self) -> Interruption:
        self._handled.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._handled.__exit__(None, None, None)

    def _store(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number
