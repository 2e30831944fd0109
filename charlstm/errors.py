"""The ways a command can fail or warn, so that each can be told in one line, with the right exit status."""

import warnings


class InputError(ValueError):
    """The caller asked for something that can't be done; the message says what and what to do (status 2)."""


class RunError(RuntimeError):
    """Something failed that isn't the caller's doing, such as a loss that stays non-finite (status 1)."""


class Notice(UserWarning):
    """Something that the user should know while the command goes on."""


def notice(message: str) -> None:
    """Warn the user while the command goes on."""
    warnings.warn(message, Notice, stacklevel=3)
