from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm import sample

Shown = Callable[..., str]


@pytest.fixture
def shown(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> Shown:
    """What the command writes to stdout; stderr is left in `shown.err`."""
    folder = run("--steps", "60")
    capsys.readouterr()

    def of(*flags: str, status: int = 0) -> str:
        assert sample.main([str(folder), *flags]) == status
        output = capsys.readouterr()
        of.err = output.err  # type: ignore[attr-defined]
        return output.out

    return of


def test_the_prime_stands_in_front_of_as_many_new_characters_as_were_asked_for(shown: Shown) -> None:
    text = shown("--prime", "The rain", "--length", "30", "--seed", "1")
    assert text.startswith("The rain")
    assert len(text) == len("The rain") + 30 + 1
    assert shown.err == ""  # type: ignore[attr-defined]
    assert shown("--prime", "The rain", "--length", "30", "--seed", "1", "--no-echo") == text.removeprefix("The rain")


def test_a_seed_is_drawn_and_told_and_gives_the_text_again(shown: Shown) -> None:
    text = shown("--length", "40")
    told = shown.err.split()  # type: ignore[attr-defined]
    assert shown("--length", "40", *told) == text


def test_the_samples_of_a_seed_do_not_depend_on_how_many_there_are(shown: Shown) -> None:
    three = shown("--length", "20", "--seed", "5", "--num-samples", "3", "--stop", "\n").split("\n\n")
    one = shown("--length", "20", "--seed", "5", "--stop", "\n")
    assert one.rstrip("\n") == three[0].rstrip("\n")
    assert len({text.strip() for text in three}) == 3


def test_temperature_zero_needs_no_seed(shown: Shown) -> None:
    texts = {shown("--temperature", "0", "--length", "30", "--seed", seed) for seed in "123"}
    assert len(texts) == 1


def test_a_stop_string_ends_the_text(shown: Shown) -> None:
    whole = shown("--length", "50", "--seed", "2").rstrip("\n")
    stop = whole[10:13]
    assert shown("--length", "50", "--seed", "2", "--stop", stop) == whole.partition(stop)[0] + "\n"
    assert shown("--length", "50", "--seed", "2", "--stop", "€", "--stop", stop) == whole.partition(stop)[0] + "\n"


def test_the_prime_comes_from_stdin(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeff雨在\r\n".encode())))
    assert shown("--prime", "-", "--length", "3", "--seed", "1").startswith("雨在\n")


def test_characters_that_the_model_never_saw(shown: Shown) -> None:
    assert shown("--prime", "Zoë", status=2) == ""
    assert shown.err == (  # type: ignore[attr-defined]
        "charlstm-sample: the model never saw 'Z' (U+005A) 'ë' (U+00EB):"
        " leave them out, or set --unknown to skip or replace\n"
    )
    assert shown("--prime", "Zoë", "--unknown", "skip", "--length", "0", "--seed", "1") == "o\n"
    assert shown("--prime", "Zoë", "--unknown", "replace", "--length", "0", "--seed", "1") == " o \n"


def test_without_a_checkpoint_it_is_the_newest_run(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run("--steps", "1", name="older")
    run("--steps", "1", name="newer")
    capsys.readouterr()
    assert sample.main(["--length", "3", "--seed", "1"]) == 0
    assert capsys.readouterr().err == "sampling from checkpoints/newer\n"


def test_a_prime_that_is_not_utf_8_is_told(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    assert shown("--prime", "-", status=2) == ""
    assert "the prime is not UTF-8" in shown.err  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "stdin", None)
    assert shown("--prime", "-", status=2) == ""
    assert "no standard input" in shown.err  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--length", "-1"], "length must be at least 0"),
        (["--top-k", "0"], "top_k must be at least 1"),
        (["--top-p", "0"], "top_p must be above 0"),
        (["--min-p", "2"], "min_p must be at most 1"),
        (["--temperature", "nan"], "temperature must be a finite number"),
        (["--stop", ""], "stop must not be empty"),
        (["nothing.pt"], "nothing.pt: no such checkpoint"),
        ([], "checkpoints: no run here yet"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample.main(flags) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_text_appears_as_it_is_made_and_a_closed_pipe_is_no_error(run: Callable[..., Path]) -> None:
    command = [sys.executable, "-m", "charlstm.sample", str(run("--steps", "2")), "--length", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert len(process.stdout.read(10)) == 10
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read().startswith(b"--seed ")
