"""What the commands share: flags made from the settings, and errors of one line."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from charlstm import __version__
from charlstm.config import flag_of, value_type
from charlstm.errors import InputError, Notice, RunError

if TYPE_CHECKING:
    from tqdm import tqdm


class Parser(argparse.ArgumentParser):
    """A parser with errors of one line. Flags must be written out in full."""

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--version", action="version", version=f"charlstm {__version__}")

    def error(self, message: str) -> NoReturn:
        """Raise the mistake, so that `run` reports it in one line like any other."""
        leading, _, words = message.partition("unrecognized arguments: ")
        if not leading and not words.startswith("-"):
            message += ": what isn't a flag stands before the flags, together"
        raise InputError(f"{message} (see --help)")


def path(argument: str) -> Path:
    """The path of a flag. An empty one comes from a variable that was not set, and doesn't mean the current folder."""
    if not argument:
        raise argparse.ArgumentTypeError("an empty path")
    return Path(argument)


def add_settings(parser: argparse.ArgumentParser, config: type, title: str, only: tuple[str, ...] = ()) -> None:
    """Add a flag for each field of a config class, or some. One that isn't given leaves nothing in the namespace."""
    group = parser.add_argument_group(title)
    for field in dataclasses.fields(config):
        if field.default is dataclasses.MISSING or (only and field.name not in only):
            continue
        flag, help = flag_of(field.name), field.metadata["help"]
        kind, _ = value_type(config, field.name)
        if field.default not in (None, ()) and "default" not in help:
            help += f" (default: {'chosen with --minutes, else ' * field.metadata['chosen']}{field.default})"
        help = help.replace("%", "%%")
        if kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=help)
        elif kind is tuple:
            group.add_argument(flag, action="append", metavar="TEXT", default=argparse.SUPPRESS, help=help)
        else:
            choices = field.metadata["choices"]
            metavar = "|".join(choices) if choices else {int: "N", float: "X", str: "TEXT"}[kind]
            group.add_argument(flag, type=kind, choices=choices, metavar=metavar, default=argparse.SUPPRESS, help=help)


def settings_in(given: dict[str, Any], config: type) -> dict[str, Any]:
    """The given flags that are fields of a config class."""
    values = {field.name: given[field.name] for field in dataclasses.fields(config) if field.name in given}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def write(text: str) -> None:
    """Put text on stdout at once. A reader that closes stdout ends the command, which is no error."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        raise _TextUnwanted from None
    except OSError as error:
        raise RunError(f"standard output can't be written ({error.strerror or error})") from None


def emphasise(text: str) -> str:
    """Text in bold, where stdout is a terminal that shows it and nobody asked for NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain or not text else f"\033[1m{text}\033[0m"


class _TextUnwanted(Exception):
    """Whoever read stdout has closed it."""


def progress(what: str, characters: int) -> tqdm[NoReturn]:
    """A progress bar on a terminal, for what takes more than a second."""
    from tqdm import tqdm

    return tqdm(total=characters, desc=what, unit="char", unit_scale=True, delay=1, disable=None)


def say(message: str) -> None:
    """Print a message on stderr: stdout is for text."""
    print(message, file=sys.stderr, flush=True)


def run(parser: Parser, command: Callable[[argparse.Namespace], int], arguments: list[str] | None) -> int:
    """Parse the flags, run the command, and turn a failure into one line and an exit status.

    Returns:
        the command's own status, or 2 for a mistake of the user's, 1 for another failure, 130 for Ctrl-C, 143 for
        SIGTERM.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    with warnings.catch_warnings(), _terminable():
        warnings.simplefilter("always", Notice)
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        warnings.showwarning = lambda message, *_, **__: say(f"{parser.prog}: warning: {message}")
        try:
            return command(parser.parse_args(arguments))
        except BrokenPipeError:
            _discard(sys.stderr)
            return 1
        except _TextUnwanted:
            _discard(sys.stdout)
            return 0
        except BaseException as error:
            if (known := _explained(error)) is None:
                raise
            status, why = known
            say(f"{parser.prog}: {' '.join(why.split())}")
            return status


def _explained(error: BaseException) -> tuple[int, str] | None:
    """The exit status of a failure and its line, or None for a bug."""
    if isinstance(error, InputError):
        return 2, str(error)
    if isinstance(error, RunError):
        return 1, str(error)
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATORS_SAY)
    ):
        return 1, _OUT_OF_MEMORY
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return 1, f"{where}{error.strerror or error}"
    if isinstance(error, KeyboardInterrupt):
        return 130, "stopped"
    return (143, "stopped") if isinstance(error, _Terminated) else None


_OUT_OF_MEMORY = "not enough memory: a smaller model, or a smaller --batch-size or --seq-len, needs less"
_ALLOCATORS_SAY = ("out of memory", "can't allocate memory", "not enough memory")


class _Terminated(BaseException):
    """SIGTERM, where it isn't handled otherwise."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM unwind the program as Ctrl-C does, so that locks and drafts are cleaned up."""

    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not in the main thread, where signals don't arrive either
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _discard(stream: TextIO) -> None:
    """Throw away what is still to be written, so that it can't fail again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
