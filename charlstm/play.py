"""Writing in turns with a model, at a terminal: `charlstm.sample --interactive`, once the model is loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from charlstm import cli
from charlstm.config import SampleConfig, flag_of, value_type
from charlstm.draft import Draft
from charlstm.errors import InputError
from charlstm.files import replacing
from charlstm.generator import Generator
from charlstm.interruption import Interruption
from charlstm.text.vocab import END, UnknownCharacters

GREETING = "Type a beginning and press Enter. Ctrl-C stops the writing, Ctrl-D ends, /help helps."

HELP = """\
Text is read by the model, which then goes on. Enter alone lets it go on.
Write \\n for the end of a line, and two slashes for one at the beginning.
  /again           another continuation in place of the last one
  /undo            back to before the last turn, what you typed included
  /choose [N]      choose the next character among the N likeliest (9), by
                   its number; text is taken as it is, Enter ends it
  /temperature X   plainer below 1, wilder above; in the same way /length,
                   /top-k, /top-p, /min-p, /no-repeat, /stop TEXT, and
                   /until-document-end on; "off" takes any of them back
  /text            all that is written
  /new             start afresh
  /save FILE       write it to a new file
  /quit            end"""

SETTABLE = ("temperature", "length", "top_k", "top_p", "min_p", "no_repeat", "until_document_end", "stop")
"""The settings that have a command."""

VISIBLE = {"\n": "↵", " ": "␣", "\t": "⇥", "\u3000": "□", END: "(end)"}
"""Visible signs for characters that can't be seen."""

LEAD = 40
"""The most characters of an unfinished line that are printed again before the model goes on."""

HISTORY_LINES = 1000
"""Lines that are kept for the arrow keys."""


def play(model: Generator, config: SampleConfig, seed: int, prime: str, history: Path) -> None:
    """Take turns until the end of standard input.

    Args:
        prime: the first thing that is typed; empty for none.
        history: the file that keeps what was typed, for the arrow keys of later times.

    Raises:
        InputError: when there is no standard input or output.
    """
    if sys.stdin is None:
        raise InputError("--interactive: there is no standard input to type on")
    if sys.stdout is None:
        raise InputError("--interactive: there is no standard output to write to")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    session = _Session(model, config, seed)
    cli.say(GREETING)
    with _remembered(history):
        if prime:
            session.write(prime)
        while not session.is_over:
            try:
                session.take(_ask("choose> " if session.choosing else "> "))
            except EOFError:
                if sys.stdin.isatty():
                    cli.say("")
                return
            except KeyboardInterrupt:
                cli.say("" if session.choosing else "\n(Ctrl-D ends)")
                session.choosing = 0
            except InputError as error:
                cli.say(str(error))


class _Session:
    """A draft, the settings as they are now, and the commands."""

    def __init__(self, model: Generator, config: SampleConfig, seed: int) -> None:
        self.model, self.config = model, config
        self.draft = Draft(model, seed)
        self.choosing = 0
        self.is_over = False
        self.commands: dict[str, Callable[[str], None]] = {
            "again": self._again,
            "undo": self._undo,
            "choose": self._choose,
            "text": lambda _: self._show(),
            "new": self._new,
            "save": self._save,
            "help": lambda _: cli.say(HELP),
            "quit": self._quit,
        }

    def take(self, line: str) -> None:
        """Follow a line: a command, a choice, or text to go on from."""
        if line.startswith("/") and not line.startswith("//"):
            name, *argument = re.split(r"[\s=]+", line[1:].strip(), maxsplit=1)
            self._command(name.replace("-", "_").lower(), "".join(argument))
        elif self.choosing:
            self._chosen(line)
        else:
            self.write(self._readable(line))
        if self.choosing:
            self._offer()

    def write(self, typed: str) -> None:
        """Read the typed text, and go on from it, until Ctrl-C at the latest."""
        with (
            Interruption(signal.SIGINT) as stopped,
            contextlib.closing(self.draft.go_on(typed, self.config)) as pieces,
        ):
            cli.write(cli.emphasise(typed or self._unfinished_line()))
            for piece in pieces:
                cli.write(piece)
                if stopped:
                    break
        cli.write("\n")

    def _readable(self, line: str) -> str:
        text = line.removeprefix("/") if line.startswith("//") else line
        try:
            return self.model.readable(text.replace("\\n", "\n"), self.config.unknown)
        except UnknownCharacters as error:
            raise UnknownCharacters(error.characters, "say it without") from None

    def _unfinished_line(self) -> str:
        """The text that is printed again on a screen, so that one sees where the model goes on; nothing in a file."""
        line = self.draft.text.rpartition("\n")[2].rpartition(END)[2] if sys.stdout.isatty() else ""
        return line if len(line) <= LEAD else f"…{line[-LEAD:]}"

    def _command(self, name: str, argument: str) -> None:
        if name in self.commands:
            self.commands[name](argument)
        elif name in SETTABLE:
            self._set(name, argument)
        else:
            raise InputError(f"/{name.replace('_', '-')}: no such command: /help lists them")

    def _again(self, _: str) -> None:
        if not self.draft.wrote:
            raise InputError("the last turn was not a continuation, and there is none to write again")
        self.write(self.draft.undo() or "")

    def _undo(self, _: str) -> None:
        if self.draft.undo() is None:
            raise InputError("nothing is left to take back")
        if not self.choosing:  # where the text is shown anyway
            self._show(last=200)

    def _choose(self, argument: str) -> None:
        if argument and not (argument.isdecimal() and 1 <= int(argument) <= 99):
            raise InputError(f"/choose {argument}: say among how many, from 1 to 99")
        self.choosing = int(argument or 9)

    def _chosen(self, answer: str) -> None:
        options = self.draft.likeliest(self.choosing)
        if not answer:
            self.choosing = 0
        elif answer.strip().isdecimal():
            if len(answer) > 9 or not 1 <= int(answer) <= len(options):
                raise InputError(f"say a number from 1 to {len(options)}, or text")
            self.draft.take(options[int(answer) - 1][0])
        else:
            self.draft.take(self._readable(answer))

    def _offer(self) -> None:
        """Show the end of the text and the likeliest next characters."""
        self._show(last=200)
        likeliest = self.draft.likeliest(self.choosing)
        options = [f"{n}\u00a0{VISIBLE.get(c, c)}\u00a0{p:.1%}" for n, (c, p) in enumerate(likeliest, 1)]
        # An option stays on one line; a wide character takes two columns.
        width = shutil.get_terminal_size().columns - len(options)
        cli.say("\n".join(textwrap.wrap("   ".join(options), max(width, 20))).replace("\u00a0", " "))

    def _new(self, _: str) -> None:
        self.draft.clear()
        cli.say("(afresh)")

    def _save(self, argument: str) -> None:
        if not argument:
            raise InputError("/save: name a file")
        text = self._text()
        try:
            path = Path(argument).expanduser()
            if path.exists():
                raise InputError(f"{path}: is there already: name a new file")
            if not path.parent.is_dir():
                raise InputError(f"{path.parent}: no such folder")
            with replacing(path) as file:
                file.write(_line_ended(text).encode())
        except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, an unknown ~user, a full disk
            raise InputError(f"/save: {error}") from None
        cli.say(f"{len(text):,} characters written to {path}")

    def _quit(self, _: str) -> None:
        self.is_over = True

    def _set(self, name: str, argument: str) -> None:
        """Change a setting, or show it."""
        if argument:
            config = dataclasses.replace(self.config, **{name: _value(name, argument)})
            self.model.check(config)
            self.config = config
        cli.say(f"{name}: {_shown(getattr(self.config, name))}")

    def _text(self) -> str:
        """The whole text, with the ends of documents as people see them."""
        between = "\n\n" if "\n" in self.model.vocab else "\n"
        return self.draft.text.replace(END, between)

    def _show(self, last: int | None = None) -> None:
        """Print the text, or the end of it."""
        text = self._text()
        shown = text if last is None or len(text) <= last else f"…{text[-last:]}"
        cli.write(_line_ended(shown))


def _shown(value: Any) -> str:
    """A setting in the form in which one types it."""
    if isinstance(value, tuple):
        return " ".join(value).replace("\n", "\\n") or "off"
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _line_ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _value(name: str, argument: str) -> Any:
    """The value of a setting from what was typed.

    Raises:
        InputError: when they are not of its type.
    """
    kind, _ = value_type(SampleConfig, name)
    default = {field.name: field.default for field in dataclasses.fields(SampleConfig)}[name]
    if kind is bool:
        if argument not in ("on", "off"):
            raise InputError(f"/{flag_of(name)[2:]}: say on or off, not {argument}")
        return argument == "on"
    if argument == "off":
        return default
    if kind is tuple:
        return (argument.replace("\\n", "\n"),)
    try:
        return kind(argument)
    except ValueError:
        number = "whole number" if kind is int else "number"
        raise InputError(f"/{flag_of(name)[2:]}: say a {number}, not {argument}") from None


def _ask(prompt: str) -> str:
    """A line of standard input. On a terminal there is a prompt before it, which is no part of stdout."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return input(prompt)
    if sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
    return input()


@contextlib.contextmanager
def _remembered(history: Path) -> Iterator[None]:
    """Arrow keys, and the lines that were typed at other times, where the platform has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY_LINES)
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)
