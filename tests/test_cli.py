from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import pytest

from charlstm import cli
from charlstm.config import ModelConfig, TrainConfig
from charlstm.errors import InputError, Notice, RunError


def parser() -> cli.Parser:
    made = cli.Parser("prog", "what it does")
    cli.add_settings(made, ModelConfig, "model")
    cli.add_settings(made, TrainConfig, "training")
    return made


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def command(flags: argparse.Namespace) -> int:
        raise error

    return command


def test_only_the_flags_that_were_given_are_there() -> None:
    flags = vars(parser().parse_args(["--hidden-size", "3", "--minutes", "2", "--tie-weights"]))
    assert flags == {"hidden_size": 3, "minutes": 2.0, "tie_weights": True}
    assert cli.settings_in(flags, TrainConfig) == {"minutes": 2.0}


def test_help_names_flags_defaults_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.run(parser(), lambda flags: 0, ["--help"])
    shown = capsys.readouterr().out
    assert "--hidden-size N" in shown
    assert "(default: chosen with --minutes, else 512)" in " ".join(shown.split())
    assert "(default: 0.01)" in shown
    assert "auto|float32|bfloat16" in shown
    assert "--vocab-size" not in shown


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("give\nmore"), 2, "prog: give more\n"),
        (RunError("it broke"), 1, "prog: it broke\n"),
        (OSError(28, "No space left on device", "x.pt"), 1, "prog: x.pt: No space left on device\n"),
        (
            MemoryError(),
            1,
            "prog: not enough memory: a smaller model, or a smaller --batch-size",
        ),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 1, "prog: not enough memory"),
        (KeyboardInterrupt(), 130, "prog: stopped\n"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), 1, "prog: not enough memory"),
        (RuntimeError("can't start new thread"), 1, "prog: the system allows no more threads"),
        (
            FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"),
            1,
            "prog: there is no folder for temp",
        ),
        (
            PermissionError(13, "Permission denied", "x.txt"),
            2,
            "prog: x.txt: no permission to read or write it: choose",
        ),
    ],
)
def test_failures_are_one_line_and_a_status(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(parser(), raising(error), []) == status
    output = capsys.readouterr()
    assert output.err.startswith(line)
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        cli.run(parser(), raising(RuntimeError("shape")), [])


@pytest.mark.parametrize(
    "arguments", [["--hidden-size", "many"], ["--dtype", "int4"], ["--hidden", "3"], ["--nonsense"], ["stray"]]
)
def test_flags_that_do_not_parse_are_one_line_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(parser(), lambda flags: 0, arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_notices_are_told_in_a_line_each_and_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    def command(flags: argparse.Namespace) -> int:
        for _ in range(2):
            warnings.warn("mind this", Notice, stacklevel=1)
        return 0

    assert cli.run(parser(), command, []) == 0
    assert capsys.readouterr().err == "prog: warning: mind this\n" * 2


def test_a_text_after_the_flags_is_told_where_to_stand(capsys: pytest.CaptureFixture[str]) -> None:
    made = parser()
    made.add_argument("texts", nargs="*")
    for arguments, hint in ((["one", "--hidden-size", "3", "two"], True), (["one", "--nope"], False)):
        assert cli.run(made, lambda flags: 0, arguments) == 2
        shown = capsys.readouterr().err
        assert "unrecognized arguments" in shown
        assert ("what isn't a flag stands before the flags" in shown) == hint


def test_a_message_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    def command(flags: argparse.Namespace) -> int:
        warnings.warn("a file\n\x1b[2J", Notice, stacklevel=1)
        raise InputError("a file\n\x1b[2J: no such file")

    assert cli.run(parser(), command, []) == 2
    assert capsys.readouterr().err == "prog: warning: a file \\u001b[2J\nprog: a file \\u001b[2J: no such file\n"


def test_a_message_is_not_longer_than_one_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(parser(), raising(InputError("begin" + "x" * 100_000 + "end")), []) == 2
    told = capsys.readouterr().err
    assert told.startswith("prog: begin")
    assert told.endswith("end\n")
    assert len(told) < 600


def test_a_folder_that_is_gone_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("os.getcwd", gone)
    assert cli.run(parser(), lambda flags: 0, []) == 2
    assert capsys.readouterr().err == "prog: the current folder is gone: change to another one\n"
