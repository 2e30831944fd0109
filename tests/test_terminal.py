from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from charlstm.terminal import harmless, say, write


@pytest.mark.parametrize(
    ("is_terminal", "environment", "is_bold"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_text_is_bold_where_a_terminal_shows_it_and_nobody_minds(
    is_terminal: bool,
    environment: dict[str, str],
    is_bold: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    write("text", bold=True)
    assert capsys.readouterr().out == ("\033[1mtext\033[0m" if is_bold else "text")


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert harmless("a\x1b]0;title\x07\x9b2J\x7f\r b\u202egnp") == (
        "a\\u001b]0;title\\u0007\\u009b2J\\u007f\\u000d b\\u202egnp"
    )
    assert harmless("line\n\tand 雨 é שלום") == "line\n\tand 雨 é שלום"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_text_is_exact_but_on_a_terminal(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    write("\x1b[2J")
    say("\x1b[2J")
    assert capsys.readouterr() == ("\\u001b[2J" if is_terminal else "\x1b[2J", "\\u001b[2J\n")


COMMAND = """if True:
    import sys
    from charlstm import cli
    from charlstm.terminal import say, write
    def command(flags):
        with open("opened", "w") as file:
            say("a message")
            write("text")
            file.write("what was meant for it")
        return 0
    sys.exit(cli.run(cli.Parser("prog", "about"), command, None))
"""


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_a_stream_that_is_not_there_leads_to_nowhere(closed: str) -> None:
    shell = ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, COMMAND]
    shown = subprocess.run(shell, capture_output=True, check=True)
    assert shown.stdout == (b"" if "1" in closed else b"text")
    assert shown.stderr == (b"" if "2" in closed else b"a message\n")
    assert Path("opened").read_text() == "what was meant for it"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_messages_that_cannot_be_written_stop_nothing() -> None:
    with open("/dev/full", "w") as full:
        shown = subprocess.run([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=full, check=True)
    assert shown.stdout == b"text"
