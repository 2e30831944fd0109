"""Where people see how a training goes: stderr, a notebook, or nowhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from charlstm import terminal

if TYPE_CHECKING:
    from tqdm import tqdm


class Screen:
    """Messages and bars on stderr; bars only on a terminal."""

    def say(self, message: str) -> None:
        """Show a message."""
        terminal.say(message)

    def bar(self, amount: int, done: int, unit: str) -> tqdm[NoReturn]:
        """A bar that shows how much is done."""
        from tqdm import tqdm

        return tqdm(total=amount, initial=done, unit=unit, disable=None, dynamic_ncols=True)

    def progress(self, what: str) -> tqdm[NoReturn]:
        """A bar for what takes more than a second, nobody knows how long."""
        return terminal.progress(what, None)


class Notebook(Screen):
    """What a cell prints, and a bar of the notebook's own. There, stderr would be red."""

    def say(self, message: str) -> None:
        """Show a message."""
        print(terminal.harmless(message), flush=True)

    def bar(self, amount: int, done: int, unit: str) -> tqdm[NoReturn]:
        """A bar that shows how much is done."""
        from tqdm.auto import tqdm

        return tqdm(total=amount, initial=done, unit=unit, dynamic_ncols=True)

    def progress(self, what: str) -> tqdm[NoReturn]:
        """A bar for what takes more than a second, nobody knows how long."""
        from tqdm.auto import tqdm

        return tqdm(desc=what, unit="char", unit_scale=True, delay=1)


class Silence(Screen):
    """Nothing is shown."""

    def say(self, message: str) -> None:
        """Show nothing."""

    def bar(self, amount: int, done: int, unit: str) -> tqdm[NoReturn]:
        """A bar that nobody sees."""
        from tqdm import tqdm

        return tqdm(disable=True)

    def progress(self, what: str) -> tqdm[NoReturn]:
        """A bar that nobody sees."""
        return self.bar(0, 0, "")


STDERR = Screen()


def here() -> Screen:
    """That of the program that runs now: a notebook's, if a notebook runs it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return Notebook() if hasattr(shell, "kernel") else STDERR
