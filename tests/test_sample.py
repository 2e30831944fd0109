from __future__ import annotations

import io
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import charlstm
from charlstm import sample, train
from charlstm.text.vocab import END
from tests.conftest import TINY


class Output(NamedTuple):
    """What a command wrote to stdout and to stderr."""

    out: str
    err: str


Shown = Callable[..., Output]


@pytest.fixture
def shown(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> Shown:
    """What the command writes, of a small trained model."""
    folder = run("--steps", "60")
    capsys.readouterr()

    def of(*flags: str, status: int = 0) -> Output:
        assert sample.main([str(folder), *flags]) == status
        return Output(*capsys.readouterr())

    return of


def test_the_prime_stands_in_front_of_as_many_new_characters_as_were_asked_for(shown: Shown) -> None:
    flags = ["--prime", "The rain", "--length", "30", "--seed", "1"]
    text, messages = shown(*flags)
    assert text.startswith("The rain")
    assert len(text) == len("The rain") + 30 + 1
    assert messages == ""
    assert shown(*flags, "--no-echo").out == text.removeprefix("The rain")


def test_a_seed_is_drawn_and_told_and_gives_the_text_again(shown: Shown) -> None:
    text, told = shown("--length", "40")
    assert shown("--length", "40", *told.split()).out == text


def test_samples_that_are_written_together_are_what_each_would_be_alone(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--length", "20", "--seed", "5", "--stop", "\n", "--precision", "float32"]
    three = shown(*flags, "--num-samples", "3").out.split("\n\n")
    monkeypatch.setattr(sample, "AT_ONCE", 2)
    assert shown(*flags, "--num-samples", "3").out.split("\n\n") == three
    assert shown(*flags).out.rstrip("\n") == three[0].rstrip("\n")
    assert len({text.strip() for text in three}) == 3


def test_temperature_zero_needs_no_seed(shown: Shown) -> None:
    texts = {shown("--temperature", "0", "--length", "30", "--seed", seed).out for seed in "123"}
    assert len(texts) == 1


def test_a_stop_string_ends_the_text(shown: Shown) -> None:
    flags = ["--length", "50", "--seed", "2"]
    whole = shown(*flags).out.rstrip("\n")
    stop = whole[10:13]
    assert shown(*flags, "--stop", stop).out == whole.partition(stop)[0] + "\n"
    assert shown(*flags, "--stop", "€", "--stop", stop).out == whole.partition(stop)[0] + "\n"


def test_the_prime_comes_from_stdin(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeff雨在\r\n".encode())))
    assert shown("--prime", "-", "--length", "3", "--seed", "1").out.startswith("雨在\n")


def test_characters_that_the_model_never_saw(shown: Shown) -> None:
    assert shown("--prime", "Zoë", status=2) == (
        "",
        "charlstm-sample: the model never saw 'Z' (U+005A) 'ë' (U+00EB):"
        " leave them out, or set unknown (--unknown) to skip or replace\n",
    )
    flags = ["--prime", "Zoë", "--length", "0", "--seed", "1"]
    assert shown(*flags, "--unknown", "skip").out == "o\n"
    assert shown(*flags, "--unknown", "replace").out == " o \n"


def test_documents_are_written_one_by_one_and_their_ends_not_at_all(
    names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([str(names), *TINY, "--documents", "lines", "--steps", "100", "--learning-rate", "0.02"]) == 0
    capsys.readouterr()
    flags = ["checkpoints/names", "--seed", "1", "--num-samples", "20"]
    assert sample.main(flags) == 0
    written = capsys.readouterr().out
    assert END not in written
    assert written.count("\n") == 20  # a line each, and no empty one between
    assert max(map(len, written.split("\n"))) < 20
    assert sample.main([*flags, "--until-document-end"]) == 0
    assert capsys.readouterr().out == written
    assert sample.main([*flags, "--json"]) == 0
    assert {json.loads(line)["ended"] for line in capsys.readouterr().out.splitlines()} == {"document"}
    assert sample.main([*flags, "--until-document-end", "--length", "3"]) == 2
    assert "contradict" in capsys.readouterr().err
    assert sample.main([*flags, "--prime", f"A{END}"]) == 2
    assert "U+FDD0" in capsys.readouterr().err


def test_only_a_document_has_an_end(shown: Shown) -> None:
    out, err = shown("--until-document-end", "--seed", "1", "--prime", "The", status=2)
    assert "trained with documents (--documents)" in err
    assert out == ""


def test_json_tells_the_probability_of_each_character(shown: Shown) -> None:
    exact = ["--precision", "float32"]  # as `bits_per_char` is
    flags = ["--prime", "The ", "--length", "12", "--seed", "1", "--num-samples", "2"]
    samples = [json.loads(line) for line in shown(*flags, "--json").out.splitlines()]
    assert [sample["prime"] + sample["text"] for sample in samples] == shown(*flags).out.rstrip("\n").split("\n\n")
    assert {sample["ended"] for sample in samples} == {"length"}
    assert json.loads(shown(*flags[:2], "--stop", "e", "--stop", "i", "--seed", "1", "--json").out)["ended"] == "stop"
    for each in samples:
        assert "".join(character for character, _ in each["characters"]) == each["text"]
        assert all(0 < probability < 1 for _, probability in each["characters"])
    likeliest = json.loads(shown(*flags[:4], "--seed", "1", "--temperature", "0", "--json", *exact).out)
    model = charlstm.load("checkpoints/verse")
    bits = -sum(math.log2(probability) for _, probability in likeliest["characters"])
    whole = model.bits_per_char("The " + likeliest["text"]) * 15
    assert bits == pytest.approx(whole - model.bits_per_char("The ") * 3, rel=1e-4)


def test_no_run_of_characters_is_repeated(shown: Shown) -> None:
    flags = ["--prime", "The rain", "--length", "200", "--seed", "1", "--temperature", "0"]

    def fours(text: str) -> set[str]:
        return {text[i : i + 4] for i in range(len(text) - 4)}

    def repeats(text: str) -> bool:
        return len({text[i : i + 9] for i in range(len(text) - 8)}) < len(text) - 8

    assert repeats(shown(*flags).out)
    twice = ["--prime", shown(*flags[:2], "--length", "30", *flags[4:]).out, "--no-repeat", "4"]
    assert not any(run in twice[1] for run in fours(shown(*twice, *flags[2:], "--no-echo").out))
    assert not repeats(shown(*flags, "--no-repeat", "9").out)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("LC_ALL", "C", marks=pytest.mark.slow),
        ("PYTHONIOENCODING", "gbk"),
        pytest.param("PYTHONIOENCODING", "cp1252", marks=pytest.mark.slow),
    ],
)
def test_output_is_utf_8_whatever_the_locale(run: Callable[..., Path], variable: str, value: str) -> None:
    environment = {**os.environ, variable: value}
    folder = run("--steps", "2", name="雨")
    command = [sys.executable, "-m", "charlstm.sample", str(folder), "--length", "5", "--seed", "1", "--prime", "-"]
    done = subprocess.run(command, input="雨在".encode(), env=environment, capture_output=True)
    assert done.stdout.decode("utf-8").startswith("雨在")
    assert done.stderr == b""
    missing = subprocess.run([*command[:3], "河/没有"], env=environment, capture_output=True)
    assert "河/没有: no such checkpoint" in missing.stderr.decode("utf-8")


def test_a_checkpoint_alone_is_enough(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    (run("--steps", "5") / "best.pt").rename("elsewhere.pt")
    shutil.rmtree("checkpoints")
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    capsys.readouterr()
    assert sample.main(["elsewhere.pt", "--prime", "The", "--length", "3", "--seed", "1"]) == 0
    assert len(capsys.readouterr().out) == 7


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
    assert "the prime is not UTF-8" in shown("--prime", "-", status=2).err
    monkeypatch.setattr(sys, "stdin", None)
    assert "no standard input" in shown("--prime", "-", status=2).err


def test_after_reading_a_text_it_writes_more_like_it_and_the_checkpoint_stays_as_it_is(shown: Shown) -> None:
    Path("rain.txt").write_text("rain on rain on " * 400, encoding="utf-8")
    flags = ("--seed", "1", "--length", "300")
    plain, adapted = shown(*flags), shown(*flags, "--adapt", "rain.txt")
    assert adapted.out.count("rain") > plain.out.count("rain")
    assert shown(*flags).out == plain.out
    assert "none.txt: no such file" in shown("--adapt", "none.txt", status=2).err


def test_a_text_to_adapt_to_may_be_in_any_encoding_with_any_characters(shown: Shown) -> None:
    Path("rain.txt").write_text("雨中 rain Ж " * 30, encoding="gb18030")
    told = shown("--adapt", "rain.txt", status=2).err
    assert "--encoding gb18030" in told
    told = shown("--adapt", "rain.txt", "--encoding", "gb18030", status=2).err
    assert "'Ж'" in told
    assert "--unknown" in told
    assert shown("--adapt", "rain.txt", "--encoding", "gb18030", "--unknown", "skip", "--length", "5").out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--length", "-1"], "length must be at least 0"),
        (["--top-k", "0"], "top_k must be at least 1"),
        (["--top-p", "0"], "top_p must be above 0"),
        (["--min-p", "2"], "min_p must be at most 1"),
        (["--temperature", "nan"], "temperature must be a finite number"),
        (["--interactive", "--prime", "-"], "--prime - reads all of standard input"),
        (["--interactive", "--json"], "--interactive and --json contradict each other"),
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


def test_it_computes_where_it_is_told_to(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    flags = [str(run("--steps", "2")), "--length", "5", "--seed", "1"]
    capsys.readouterr()
    assert sample.main([*flags, "--device", "cpu"]) == 0
    assert len(capsys.readouterr().out) == 6
    if not torch.cuda.is_available():
        assert sample.main([*flags, "--device", "cuda"]) == 2
        assert "device cuda isn't available here" in capsys.readouterr().err


def test_text_appears_as_it_is_made_and_a_closed_pipe_is_no_error(run: Callable[..., Path]) -> None:
    command = [sys.executable, "-m", "charlstm.sample", str(run("--steps", "2")), "--length", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert len(process.stdout.read(10)) == 10
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read().startswith(b"--seed ")


def test_a_string_to_stop_at_that_cannot_come_is_told(shown: Shown) -> None:
    told = shown("--length", "3", "--stop", "\\n\\n").err
    assert (
        "warning: the text won't stop at '\\\\n\\\\n', since the model never writes '\\\\'; in most shells, $'\\n'"
        in told
    )
    assert "won't stop" not in shown("--length", "3", "--stop", "rain").err


def test_a_value_that_begins_with_a_dash_is_told_how_to_give_it(shown: Shown) -> None:
    assert (
        "if its value begins with -, write --flag=VALUE, such as --prime=-Yes" in shown("--prime", "-Yes", status=2).err
    )
    assert shown("--prime=-Yes", "--length", "1", "--unknown", "skip").out
