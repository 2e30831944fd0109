"""What people see of a command: text on stdout, all else on stderr, and nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

from charlstm.errors import RunError

if TYPE_CHECKING:
    from tqdm import tqdm

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, but for line ends and tabs, and those that turn the direction of the text around them."""


class TextUnwanted(Exception):
    """Whoever read stdout has closed it."""


def open_streams() -> None:
    """Make UTF-8 streams of stdout and stderr. One that the command was started without leads to nowhere.

    Its number must not stay free: the next file that is opened would get it, and with it what isn't meant for a file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest free number
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def harmless(text: str) -> str:
    """Text with `\\u001b` for what a terminal would obey: the name of a file, or a checkpoint, may hold anything."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


LONGEST = 500
"""Characters of a message: it may quote what a file holds, or what somebody pasted."""


def one_line(text: str) -> str:
    """A message, or the name of something, in one harmless line that isn't too long."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


def write(text: str, *, bold: bool = False) -> None:
    """Put text on stdout at once: exactly, or harmless on a terminal.

    A reader that closes stdout ends the command, which is no error.

    Args:
        bold: on a terminal that shows it, unless NO_COLOR is set.
    """
    try:
        if sys.stdout.isatty():
            text = harmless(text)
            is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
            text = f"\033[1m{text}\033[0m" if bold and text and not is_plain else text
        print(text, end="", flush=True)
    except BrokenPipeError:
        raise TextUnwanted from None
    except OSError as error:
        raise RunError(f"standard output can't be written ({error.strerror or error})") from None


def say(message: str) -> None:
    """Print a message on stderr: stdout is for text. Where stderr can't be written any more, work goes on without.

    Raises:
        BrokenPipeError: when whoever read stderr has closed it.
    """
    try:
        print(harmless(message), file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:  # such as of a terminal that was closed
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Throw away what is still to be written, so that it can't fail again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def progress(what: str, amount: int | None, unit: str = "char") -> tqdm[NoReturn]:
    """A progress bar on a terminal, for what takes more than a second; None for an amount that isn't known."""
    from tqdm import tqdm

    return tqdm(total=amount, desc=what, unit=unit, unit_scale=True, delay=1, disable=None)
