"""Writing in turns with a loaded model, in a terminal: `charlstm.sample --interactive`."""

from __future__ import annotations

import dataclasses
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from charlstm.config import SampleConfig, flag_of, value_type
from charlstm.draft import Draft
from charlstm.errors import InputError
from charlstm.files import make_folder, replacing
from charlstm.generator import Generator
from charlstm.interruption import Interruption, handled
from charlstm.terminal import say, write
from charlstm.text.vocab import END, UnknownCharacters

GREETING = "Type a beginning and press Enter. Ctrl-C stops the writing, Ctrl-D ends, /help lists the commands."
"""The first line on the screen."""

HELP = """\
The model reads your text and continues it. Enter alone lets it write more.
Write \\n for the end of a line. Begin with // for a text that begins with /.
  /again           replace the model's last text with another one
  /undo            remove the last turn: your text and the model's
  /choose [N]      choose the next character among the N likeliest (9) by its
                   number, or type text, which is added; Enter ends this
  /temperature X   below 1 plainer, above 1 wilder; in the same way /length,
                   /top-k, /top-p, /min-p, /no-repeat, /stop TEXT, and
                   /until-document-end on; "off" sets the default again
  /text            print the whole text
  /new             begin a new text
  /save FILE       write the text to a new file
  /quit            end"""
"""The answer to /help."""

SETTABLE = ("temperature", "length", "top_k", "top_p", "min_p", "no_repeat", "until_document_end", "stop")
"""The settings that a command can change."""

VISIBLE = {"\n": "↵", " ": "␣", "\t": "⇥", "\u3000": "□", END: "(end)"}
"""Visible signs for characters that can't be seen."""

LEAD = 40
"""The model continues a line: at most this number of its last characters is printed again."""

HISTORY_LINES = 1000
"""The number of typed lines that the history file holds."""


def play(model: Generator, config: SampleConfig, seed: int, prime: str, history: Path | None) -> None:
    """Take turns until the end of standard input.

    Args:
        prime: the text of the first turn, or an empty string.
        history: the file with the typed lines, which the arrow keys bring back; None where nothing can be kept.

    Raises:
        InputError: when there is no standard input.
    """
    if sys.stdin is None:
        raise InputError("--interactive: there is no standard input to type on")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    session = _Session(model, config, seed)
    say(GREETING)
    # Here Ctrl-C ends no more than the line, however often it comes.
    with _remembered(history), handled(signal.default_int_handler, (signal.SIGINT,)):
        if prime:
            session.write(prime)
        while not session.is_over:
            try:
                session.take(_ask("choose> " if session.choosing else "> "))
            except EOFError:
                if sys.stdin.isatty():
                    say("")
                return
            except KeyboardInterrupt:
                say("" if session.choosing else "\n(Ctrl-D ends)")
                session.choosing = 0
            except InputError as error:
                say(str(error))


class _Session:
    """A draft, its settings, and the commands.

    Attributes:
        choosing: the number of characters that /choose offers, or 0 if it isn't on.
    """

    def __init__(self, model: Generator, config: SampleConfig, seed: int) -> None:
        self.model, self.config = model, config
        self.draft = Draft(model, seed)
        self.choosing = 0
        self.is_over = False

    def take(self, line: str) -> None:
        """Carry out a typed line: a command, a choice, or text to continue."""
        if line.startswith("/") and not line.startswith("//"):
            name, *argument = re.split(r"[\s=]+", line[1:].strip(), maxsplit=1)
            self._command(name.replace("-", "_").lower(), "".join(argument))
        elif self.choosing:
            self._choice(line)
        else:
            self.write(self._readable(line))
        if self.choosing:
            self._offer()

    def write(self, typed: str) -> None:
        """Read the typed text, and continue it. Ctrl-C stops the writing."""
        with Interruption(signal.SIGINT) as stopped, closing(self.draft.go_on(typed, self.config)) as pieces:
            write(typed or self._unfinished_line(), bold=True)
            for piece in pieces:
                write(piece)
                if stopped:
                    break
        write("\n")

    def _readable(self, line: str) -> str:
        """The text of a line that isn't a command: `//` stands for `/`, and `\\n` for a line end."""
        try:
            return self.model.readable(line.removeprefix("/").replace("\\n", "\n"), self.config.unknown)
        except UnknownCharacters as error:
            raise UnknownCharacters(error.characters, "leave them out") from None

    def _unfinished_line(self) -> str:
        """The line that the model continues, to print it again on a screen. In a file, it is there already."""
        line = self.draft.text.rpartition("\n")[2].rpartition(END)[2] if sys.stdout.isatty() else ""
        return line if len(line) <= LEAD else f"…{line[-LEAD:]}"

    def _command(self, name: str, argument: str) -> None:
        match name:
            case "again":
                self._again()
            case "undo":
                if self.draft.undo() is None:
                    raise InputError("there is no turn to undo")
                if not self.choosing:  # then `_offer` prints the text
                    self._print(last=200)
            case "choose":
                self._choose(argument)
            case "text":
                self._print()
            case "new":
                self.draft.clear()
                say("(a new text)")
            case "save":
                self._save(argument)
            case "help":
                say(HELP)
            case "quit":
                self.is_over = True
            case _ if name in SETTABLE:
                self._set(name, argument)
            case _:
                raise InputError(f"/{name.replace('_', '-')}: no such command: /help lists them")

    def _again(self) -> None:
        if not self.draft.wrote:
            raise InputError("the model wrote nothing in the last turn, so there is nothing to write again")
        self.write(self.draft.undo() or "")

    def _choose(self, argument: str) -> None:
        if argument and not (argument.isdecimal() and 1 <= int(argument) <= 99):
            raise InputError(f"/choose {argument}: give a number from 1 to 99")
        self.choosing = int(argument or 9)

    def _choice(self, answer: str) -> None:
        """Add the character of a number, or a typed text. An empty answer ends the choosing."""
        options = self.draft.likeliest(self.choosing)
        if not answer:
            self.choosing = 0
        elif answer.strip().isdecimal():
            if len(answer) > 9 or not 1 <= int(answer) <= len(options):
                raise InputError(f"give a number from 1 to {len(options)}, or text")
            self.draft.take(options[int(answer) - 1][0])
        else:
            self.draft.take(self._readable(answer))

    def _offer(self) -> None:
        """Show the end of the text and the likeliest next characters."""
        self._print(last=200)
        likeliest = self.draft.likeliest(self.choosing)
        options = [f"{n}\u00a0{VISIBLE.get(c, c)}\u00a0{p:.1%}" for n, (c, p) in enumerate(likeliest, 1)]
        # The no-break spaces keep an option on one line. A wide character takes two columns.
        width = shutil.get_terminal_size().columns - len(options)
        say("\n".join(textwrap.wrap("   ".join(options), max(width, 20))).replace("\u00a0", " "))

    def _save(self, argument: str) -> None:
        if not argument:
            raise InputError("/save: give the name of a file")
        text = self._text()
        try:
            path = Path(argument).expanduser()
            if path.exists():
                raise InputError(f"{path}: is there already: give the name of a new file")
            if not path.parent.is_dir():
                raise InputError(f"{path.parent}: no such folder")
            with replacing(path) as file:
                file.write(_line_ended(text).encode())
        except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, an unknown ~user, a full disk
            raise InputError(f"/save: {error}") from None
        say(f"{len(text):,} characters written to {path}")

    def _set(self, name: str, argument: str) -> None:
        """Change a setting, if there is an argument. Print its value."""
        if argument:
            config = dataclasses.replace(self.config, **{name: _value(name, argument)})
            self.model.check(config)
            self.model.warn_of_stops(config)
            self.config = config
        value = getattr(self.config, name)
        if isinstance(value, tuple):
            value = " ".join(value).replace("\n", "\\n") or None
        if value is None or isinstance(value, bool):
            value = "on" if value else "off"
        say(f"{name}: {value}")

    def _text(self) -> str:
        """The whole text. Ends of documents become line ends."""
        return self.draft.text.replace(END, "\n\n" if "\n" in self.model.vocab else "\n")

    def _print(self, last: int | None = None) -> None:
        """Print the text, or only its `last` characters."""
        text = self._text()
        write(_line_ended(text if last is None or len(text) <= last else f"…{text[-last:]}"))


def _line_ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _value(name: str, argument: str) -> Any:
    """The value of a setting from the typed argument.

    Raises:
        InputError: when the argument has the wrong type.
    """
    kind, _ = value_type(SampleConfig, name)
    if kind is bool:
        if argument not in ("on", "off"):
            raise InputError(f"/{flag_of(name)[2:]}: give on or off, not {argument}")
        return argument == "on"
    if argument == "off":
        return getattr(SampleConfig, name)  # the default
    if kind is tuple:
        return (argument.replace("\\n", "\n"),)
    try:
        return kind(argument)
    except ValueError:
        number = "whole number" if kind is int else "number"
        raise InputError(f"/{flag_of(name)[2:]}: give a {number}, not {argument}") from None


def _ask(prompt: str) -> str:
    """A line of standard input. On a terminal there is a prompt before it, which never goes to a redirected stdout."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return input(prompt)
    if sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
    return input()


@contextmanager
def _remembered(history: Path | None) -> Iterator[None]:
    """The arrow keys bring back typed lines, also those of earlier sessions, where the platform has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    if history is None:
        yield
        return
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        readline.set_history_length(HISTORY_LINES)
        with suppress(OSError, InputError):
            make_folder(history.parent, private=True)
            readline.write_history_file(history)
