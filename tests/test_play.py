from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm import sample, train
from charlstm.text.vocab import END
from tests.conftest import TINY

Typed = Callable[..., tuple[str, str]]


@pytest.fixture
def typed(run: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What the program answers to some lines: stdout and stderr, but for the greeting."""
    folder = run("--steps", "60")

    def of(*lines: str, flags: tuple[str, ...] = ()) -> tuple[str, str]:
        capsys.readouterr()
        text = "".join(f"{line}\n" for line in lines)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert sample.main([str(folder), "--interactive", "--seed", "1", "--length", "20", *flags]) == 0
        out, err = capsys.readouterr()
        return out, err.split("\n", 1)[1]

    return of


def test_it_goes_on_from_what_is_typed_and_then_by_itself(typed: Typed) -> None:
    out, err = typed("The rain", "", "/text")
    lines = out.splitlines()
    assert err == ""
    assert lines[0].startswith("The rain")
    assert out.replace("\n", "").endswith((out[:28] + out[29:49]).replace("\n", ""))


def test_again_replaces_the_last_continuation(typed: Typed) -> None:
    out, _ = typed("The rain", "/again", "/text", flags=("--temperature", "1.5"))
    first, second, text = out.rstrip("\n").split("The rain")[1:]
    assert first.rstrip("\n") != second.rstrip("\n") == text


def test_undo_new_and_save(typed: Typed) -> None:
    _, err = typed(
        "The rain",
        "river",
        "/undo",
        "/save a=1.txt",
        "/save one.txt",
        "/new",
        "/save two.txt",
        "/undo",
        "/save one.txt",
    )
    saved = Path("one.txt").read_text("utf-8")
    assert saved.startswith("The rain")
    assert len(saved) == 29
    assert Path("two.txt").read_text("utf-8") == "\n"
    assert "28 characters written to one.txt" in err
    assert Path("a=1.txt").read_text("utf-8") == saved
    assert "there is no turn to undo" not in err  # what was before /new is
    assert "one.txt: is there already" in err


def test_choosing_the_next_character(typed: Typed) -> None:
    _, err = typed("The", "/new", "/choose 3", "1", "The ra", "1", "/undo", "v", "", "/save chosen.txt")
    offers = [line for line in err.splitlines() if line.startswith("1 ")]
    assert len(offers) == 6
    assert all(offer.count("%") == 3 for offer in offers)
    first = {"␣": " ", "↵": "\n"}.get(offers[0][2], offers[0][2])
    assert Path("chosen.txt").read_text("utf-8").strip("\n") == f"{first}The rav".strip("\n")


def test_settings_change_on_the_way(typed: Typed) -> None:
    out, err = typed(
        "/Temperature=0", "/length 5", "The ", "/top-k", "/top-k 3", "/top-k off", "/stop r\\n", "/top-p 2"
    )
    assert out.startswith("The ")
    assert len(out) == 10
    assert [line for line in err.splitlines() if line.startswith("top_")] == [
        "top_k: off",
        "top_k: 3",
        "top_k: off",
        "top_p must be at most 1, not 2.0",
    ]
    assert "stop: r\\n" in err
    assert "temperature: 0.0" in err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Zoë", "the model never saw 'Z' (U+005A) 'ë' (U+00EB): leave them out"),
        ("/undo", "there is no turn to undo"),
        ("/nonsense", "/nonsense: no such command: /help lists them"),
        ("/temperature hot", "/temperature: give a number, not hot"),
        ("/until-document-end maybe", "give on or off"),
        ("/choose 0", "from 1 to 99"),
        ("/again", "wrote nothing in the last turn"),
        ("/length 2.5", "/length: give a whole number, not 2.5"),
        ("/until-document-end on", "trained with documents (--documents)"),
        ("/save", "give the name of a file"),
        ("/save no/such/folder", "no such folder"),
        ("/save ~nosuchuser/x", "home directory"),
        (f"/save {'n' * 300}", "too long"),
        ("/save .", "is there already"),
        ("//", "the model never saw '/'"),
        ("/help", "/undo"),
    ],
)
def test_mistakes_are_told_and_nothing_ends(typed: Typed, line: str, told: str) -> None:
    out, err = typed(line, "The rain")
    assert told in err
    assert out.startswith("The rain")


def test_quit_ends_and_a_prime_is_the_first_turn(typed: Typed) -> None:
    out, _ = typed("/quit", "The rain", flags=("--prime", "river"))
    assert out.startswith("river")
    assert "The rain" not in out


def test_without_an_input_there_is_nothing_to_type_on(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    typed()
    monkeypatch.setattr(sys, "stdin", None)
    assert sample.main(["checkpoints/verse", "--interactive"]) == 2


def test_again_is_of_what_the_model_wrote(typed: Typed) -> None:
    _, err = typed("The", "/choose", "1", "/again")
    assert "wrote nothing in the last turn" in err


def test_documents_end_and_their_end_can_be_chosen(
    names: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*TINY, "--documents", "lines", "--steps", "400", "--seq-len", "8", "--learning-rate", "0.02"]
    assert train.main([str(names), *flags]) == 0
    capsys.readouterr()
    typed = "Ann\n/until-document-end on\nB\n/choose 1\nAnna\n1\n\n/text\n/save names.txt\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    assert sample.main(["checkpoints/names", "--interactive", "--seed", "1", "--temperature", "0"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Anna\nBo\n")
    assert "1 (end) " in err
    assert END not in out + err
    assert Path("names.txt").read_text("utf-8") == "Anna\nBo\nAnna\n"
    assert out.endswith("Anna\nBo\nAnna\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_in_a_terminal_ctrl_c_stops_the_sentence_and_what_was_typed_comes_back(run: Callable[..., Path]) -> None:
    folder = run("--steps", "2")
    command = [sys.executable, "-m", "charlstm.sample", str(folder), "--interactive", "--length", "1000000"]

    def session(*keys: bytes) -> str:
        """What the screen shows in a session with these keys, each after the prompt that it waits for."""
        ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "NO_COLOR": "", "LC_ALL": "C.UTF-8"}
        screen = b""
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
            os.close(theirs)
            try:
                for key in keys:
                    waiting_for = b"\033[0m" if key == b"^C" else b"> "
                    seen = len(screen)
                    while waiting_for not in screen[seen:]:
                        screen += os.read(ours, 1000)
                    if key == b"^C":
                        process.send_signal(signal.SIGINT)
                    else:
                        os.write(ours, key)
                while part := os.read(ours, 1000):
                    screen += part
            except OSError:  # the program has ended
                pass
            assert process.wait() == 0
        os.close(ours)
        return screen.decode()

    first = session(b"The rain\n", b"^C", b"/length 3\n", b"\x04")
    assert "\033[1mThe rain\033[0m" in first
    assert "length: 3" in first
    again = session(b"\x1b[A\x1b[A\n", b"^C", b"\x04")
    assert "\033[1mThe rain\033[0m" in again
