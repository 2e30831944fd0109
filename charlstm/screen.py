"""Where people see how a training goes: stderr, a notebook, or nowhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from charlstm import terminal

if TYPE_CHECKING:
    from tqdm import tqdm


class Screen:
    """Messages and a bar on stderr; the bar only on a terminal.

    Args:
        words: says a message in other words, for who doesn't give flags.
    """

    def __init__(self, words: Callable[[str], str] = str) -> None:
        self.words = words

    def say(self, message: str) -> None:
        """Show a message."""
        terminal.say(self.words(message))

    def bar(self, amount: int, done: int, unit: str) -> tqdm[NoReturn]:
        """A bar that shows how much is done."""
        from tqdm import tqdm

        return tqdm(total=amount, initial=done, unit=unit, disable=None, dynamic_ncols=True)


class Notebook(Screen):
    """What a cell prints, and a bar of the notebook's own. There, stderr would be red."""

    def say(self, message: str) -> None:
        """Show a message."""
        print(terminal.harmless(self.words(message)), flush=True)

    def bar(self, amount: int, done: int, unit: str) -> tqdm[NoReturn]:
        """A bar that shows how much is done."""
        from tqdm.auto import tqdm

        return tqdm(total=amount, initial=done, unit=unit, dynamic_ncols=True)


class Silence(Screen):
    """Nothing is shown."""

    def say(self, message: str) -> None:
        """Show nothing."""

    def bar(self, amount: int, done: int, unit: str) -> tqdm[NoReturn]:
        """A bar that nobody sees."""
        from tqdm import tqdm

        return tqdm(disable=True)


STDERR = Screen()


def here(words: Callable[[str], str]) -> Screen:
    """That of the program that runs now: a notebook's, if a notebook runs it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return (Notebook if hasattr(shell, "kernel") else Screen)(words)
