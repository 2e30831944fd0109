from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charlstm
from charlstm import evaluate, train
from tests.conftest import TINY

Run = Callable[..., Path]


def result(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    capsys.readouterr()
    assert evaluate.main([*flags, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_the_validation_part_by_default(run: Run, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "30", "--test-fraction", "0.2")
    val = result(capsys, str(folder))
    characters = len(text.read_text("utf-8"))
    assert set(val) == {"bits_per_char", "nats_per_char", "characters"}
    assert val["characters"] == int(characters * 0.1) - 1
    assert val["nats_per_char"] == pytest.approx(val["bits_per_char"] * math.log(2))
    assert result(capsys, str(folder), "--split", "val") == val
    assert result(capsys, str(folder), "--split", "test")["characters"] == int(characters * 0.2) - 1
    assert result(capsys, str(folder), "--context", "5")["bits_per_char"] != val["bits_per_char"]


def test_a_text_of_ones_own(run: Run, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "30")
    Path("own.txt").write_text("The rain is on the river\n", encoding="utf-8")
    own = result(capsys, str(folder), "own.txt")
    assert own["characters"] == 24
    model = charlstm.load(folder)
    assert own["bits_per_char"] == pytest.approx(model.bits_per_char("The rain is on the river\n"))


def test_dynamic_evaluation_tells_both_figures_and_leaves_the_checkpoint_alone(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "30")
    Path("own.txt").write_text("rain rain rain\n" * 300, encoding="utf-8")
    before = (folder / "best.pt").read_bytes()
    static, both = (result(capsys, str(folder), "own.txt", *flags) for flags in ((), ("--dynamic",)))
    dynamic = both.pop("dynamic")
    assert both == static
    assert dynamic["characters"] == static["characters"]
    assert dynamic["bits_per_char"] < 0.97 * static["bits_per_char"]
    assert (folder / "best.pt").read_bytes() == before
    assert evaluate.main([str(folder), "own.txt", "--dynamic"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{static['bits_per_char']:.4f} bits")
    assert second.startswith(f"{dynamic['bits_per_char']:.4f} bits")
    assert second.endswith("adapting to them, with n-grams")


def test_dynamic_evaluation_needs_the_text_that_the_run_learned(
    run: Run, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "2")
    Path("own.txt").write_text("rain rain rain\n", encoding="utf-8")
    text.unlink()
    assert evaluate.main([str(folder), "own.txt", "--dynamic", "--cache", "empty"]) == 2
    error = capsys.readouterr().err
    assert "the run's text can't be read again" in error
    assert "put it back where it was" in error


def test_each_line_on_its_own(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "300", "--learning-rate", "0.02")
    Path("own.txt").write_text("The rain is on the river\nrrr vvv hhh\n\nThe rain is on the rain", encoding="utf-8")
    capsys.readouterr()
    assert evaluate.main([str(folder), "own.txt", "--per-line"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[9:] for line in lines] == ["The rain is on the river", "rrr vvv hhh", "", "The rain is on the rain"]
    scores = [float(line[:7]) for line in lines]
    assert scores[1] > 5 * max(scores[0], scores[3])
    assert evaluate.main([str(folder), "own.txt", "--per-line", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["text"] == "The rain is on the river"
    assert first["bits_per_char"] == pytest.approx(scores[0], abs=1e-3)


def test_documents_are_scored_with_their_ends_as_they_were_learned(
    names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*TINY, "--documents", "lines", "--steps", "100", "--learning-rate", "0.02", "--val-fraction", "0.2"]
    assert train.main([str(names), *flags]) == 0
    assert result(capsys, "checkpoints/names")["characters"] == 44
    Path("own.txt").write_text("Bo\n\n李白\nBoBo\n", encoding="utf-8")
    assert result(capsys, "checkpoints/names", "own.txt")["characters"] == 11
    assert result(capsys, "checkpoints/names", "own.txt", "--dynamic")["dynamic"]["characters"] == 11
    assert evaluate.main(["checkpoints/names", "own.txt", "--per-line"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[9:] for line in lines] == ["Bo", "李白", "BoBo"]
    assert float(lines[2][:7]) > 1 > float(lines[1][:7])


def test_for_people_it_is_a_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "2")
    capsys.readouterr()
    assert evaluate.main([str(folder)]) == 0
    assert "bits per character" in capsys.readouterr().out


def test_a_model_with_room_for_unknown_characters_reads_any_text(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "2", "--min-count", "60")
    Path("own.txt").write_text("Zoë!", encoding="utf-8")
    assert result(capsys, str(folder), "own.txt")["characters"] == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split", "test"], "the run kept nothing of its text for test"),
        (["own.txt"], "the model never saw 'Z'"),
        (["own.txt", "--split", "val"], "own.txt: not the text that the run began with"),
        (["one.txt"], "at least two characters"),
        (["--encoding", "gb18030"], "--encoding gb18030 is only for another text"),
        (["--per-line", "--context", "9"], "--per-line and --context contradict each other"),
        (["--dynamic", "--context", "9"], "--dynamic and --context contradict each other"),
        (["--dynamic", "--per-line"], "--dynamic and --per-line contradict each other"),
        (["--context", "0"], "context must be at least 1"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], message: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "2")
    Path("own.txt").write_text("Zoë!", encoding="utf-8")
    Path("one.txt").write_text("T")
    capsys.readouterr()
    assert evaluate.main([str(folder), *flags]) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.count("\n") == 1


def test_without_a_name_the_newest_run_is_evaluated(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main([]) == 2
    assert "checkpoints: no run here yet" in capsys.readouterr().err
    folder = run("--steps", "4")
    expected = result(capsys, str(folder))
    assert result(capsys) == expected
    assert evaluate.main([]) == 0
    assert capsys.readouterr().err == "evaluating checkpoints/verse\n"


def test_accents_of_a_text_are_read_in_either_form(capsys: pytest.CaptureFixture[str]) -> None:
    line = "un café à Zoë, s'il vous plaît\n"
    Path("composed.txt").write_text(unicodedata.normalize("NFC", line * 20), encoding="utf-8")
    Path("apart.txt").write_text(unicodedata.normalize("NFD", line), encoding="utf-8")
    Path("same.txt").write_text(unicodedata.normalize("NFC", line), encoding="utf-8")
    assert train.main(["composed.txt", *TINY, "--steps", "4"]) == 0
    assert result(capsys, "checkpoints/composed", "apart.txt") == result(capsys, "checkpoints/composed", "same.txt")
