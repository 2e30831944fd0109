"""What the commands share: flags made from the settings, and errors of one line."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from charlstm import __version__
from charlstm.config import flag_of, help_of, value_type
from charlstm.errors import InputError, Notice, RunError, is_out_of_memory
from charlstm.interruption import Interruption, Stopped, raised
from charlstm.terminal import TextUnwanted, discard, one_line, open_streams, say


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
        if message.endswith("expected one argument"):
            message += ": if its value begins with -, write --flag=VALUE, such as --prime=-Yes"
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
        flag, help = flag_of(field.name), help_of(field).replace("%", "%%")
        kind, _ = value_type(config, field.name)
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


def run(parser: Parser, command: Callable[[argparse.Namespace], int], arguments: list[str] | None) -> int:
    """Parse the flags, run the command, and turn a failure into one line and an exit status.

    Args:
        arguments: those of `main`; None for the process's own, which ends with this command.

    Returns:
        the command's own status, or 2 for a mistake of the user's, 1 for another failure, 130 for Ctrl-C, 143 for
        SIGTERM, 129 for a terminal that was closed.
    """
    open_streams()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # PyTorch warns of what our own messages tell, in pages
    with warnings.catch_warnings(), raised(is_last=arguments is None):
        warnings.simplefilter("always", Notice)
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        warnings.showwarning = lambda message, *_, **__: _tell(parser, f"warning: {message}")
        try:
            _ask_where_we_are()
            return command(parser.parse_args(arguments))
        except BrokenPipeError:
            discard(sys.stderr)
            return 1
        except TextUnwanted:
            discard(sys.stdout)
            return 0
        except BaseException as error:
            with Interruption():  # a second signal must not interrupt what is said of the first
                if (known := explained(error)) is None:
                    raise
                status, why = known
                _tell(parser, why)
                return status


def _ask_where_we_are() -> None:
    """PyTorch's libraries can't be loaded from nowhere, and say so in their own words."""
    try:
        os.getcwd()
    except OSError:
        raise InputError("the current folder is gone: change to another one") from None


def _tell(parser: Parser, message: str) -> None:
    say(one_line(f"{parser.prog}: {message}"))


def explained(error: BaseException) -> tuple[int, str] | None:
    """The exit status of a failure and its line, or None for a bug."""
    if isinstance(error, InputError):
        return 2, str(error)
    if isinstance(error, RunError):
        return 1, str(error)
    if is_out_of_memory(error):
        return 1, "not enough memory: a smaller model, or a smaller --batch-size or --seq-len, needs less"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return 1, "the system allows no more threads: end some programs, or raise the limit (ulimit -u)"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        if isinstance(error, PermissionError):
            return 2, f"{where}no permission to read or write it: choose another file or folder"
        if "No usable temporary directory" in str(error):
            return 1, "there is no folder for temporary files: name one in the variable TMPDIR"
        return 1, f"{where}{error.strerror or error}"
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT, "stopped"
    return (128 + error.args[0], "stopped") if isinstance(error, Stopped) else None
