"""What scripts share: calls of charlstm's commands, flags, errors of one line, and checks of what is to be written."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from charlstm.errors import InputError
from charlstm.files import make_folder

Subcommand = Callable[[Callable[[argparse.Namespace], int], str, str], argparse.ArgumentParser]


def subcommands(parser: argparse.ArgumentParser) -> Subcommand:
    """What adds a subcommand to a parser: (what runs it, its name, what it does) → the subcommand's own parser."""
    group = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(run: Callable[[argparse.Namespace], int], name: str, does: str) -> argparse.ArgumentParser:
        added = group.add_parser(name, help=does, description=does)
        added.set_defaults(run=run)
        return added

    return add


class Failure(Exception):
    """An error, described in one line."""


@contextmanager
def failures_reported() -> Iterator[None]:
    """Inside this context, a failure ends the script with one line, and Ctrl-C ends it without a traceback."""
    try:
        yield
    except (Failure, InputError) as failure:
        print(failure, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def run(*command: object, environment: Mapping[str, str] | None = None, python: str = sys.executable) -> str:
    """Run Python with these arguments. Returns its standard output.

    Raises:
        Failure: when it fails, with the last line of its messages.
    """
    words = [python, *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", env=environment)
    if done.returncode:
        raise Failure((done.stderr.strip() or f"{' '.join(words)}: status {done.returncode}").splitlines()[-1])
    return done.stdout


def charlstm(command: str, *arguments: object, environment: Mapping[str, str] | None = None) -> str:
    """Run one of charlstm's commands, as `run` does."""
    return run("-m", f"charlstm.{command}", *arguments, environment=environment)


MOST = 1_000_000
"""The largest number that a flag of a count may have."""


def positive(argument: str) -> int:
    """The whole number of a flag, at least 1."""
    try:
        number = int(argument)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {argument!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    if number > MOST:
        raise argparse.ArgumentTypeError(f"must be at most {MOST:,}, not {number}")
    return number


def above_zero(argument: str) -> float:
    """The number of a flag, above 0."""
    number = float(argument)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0, not {argument}")
    return number


def share(argument: str) -> float:
    """The number of a flag, from 0 to below 1."""
    number = float(argument)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to below 1, not {argument}")
    return number


def rate(argument: str) -> float:
    """The number of a flag, above 0 and at most 10."""
    number = float(argument)
    if not 0 < number <= 10:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 10, not {argument}")
    return number


def seed(argument: str) -> int:
    """The number of a flag, from 0 on."""
    number = int(argument)
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"must be from 0 to 2^63 - 1, not {argument}")
    return number


def check_picture(path: Path | None) -> None:
    """Raise InputError, before any work is done, where a picture was asked for and can't be drawn."""
    if path is not None:
        if find_spec("matplotlib") is None:
            raise InputError("a picture needs Matplotlib: python -m pip install -e '.[charts]'")
        check_output(path, ".png")


def check_output(path: Path, ending: str) -> None:
    """Raise InputError for a file that can't be written there, or isn't called what it will be.

    So a slip of the hand replaces no table and no model.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder: give a file in it")
    if path.suffix.lower() != ending:
        raise InputError(f"{path}: give it a name that ends in {ending}")
    make_folder(path.parent)
