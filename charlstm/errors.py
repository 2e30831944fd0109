"""The ways in which a command can fail or warn, each reported in one line, with the right exit status."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class InputError(ValueError):
    """The caller asked for something that can't be done; the message says what and what to do (status 2)."""


class RunError(RuntimeError):
    """Something failed that isn't the caller's doing, such as a loss that stays non-finite (status 1)."""


NOT_FINITE = "the model's scores are not finite numbers: its training went wrong; use an earlier checkpoint"
"""Where text is scored, and where it is drawn."""


class Notice(UserWarning):
    """Something that the user should know while the command goes on."""


_told: ContextVar[Callable[[str], object] | None] = ContextVar("told", default=None)


def notice(message: str) -> None:
    """Tell the user while the command goes on: by a warning, if nothing else is said in `told_by`."""
    if tell := _told.get():
        tell(message)
    else:
        warnings.warn(message, Notice, stacklevel=3)


@contextmanager
def told_by(tell: Callable[[str], object]) -> Iterator[None]:
    """Inside the block, in this thread, notices go to a function."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is one of Python's or PyTorch's allocators, which have many words for it."""
    words = ("out of memory", "cannot allocate memory", "can't allocate memory", "not enough memory", "bad_alloc")
    said = any(each in str(error).lower() for each in (*words, "failed to map segment"))
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError | ImportError) and said)
