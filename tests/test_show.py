from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from charlstm import show, train
from charlstm.saved import checkpoint
from tests.conftest import TINY

Run = Callable[..., Path]


def test_a_run_on_a_page(run: Run, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "30")
    capsys.readouterr()
    assert show.main([str(folder)]) == 0
    page = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert page["model"].strip() == "1 x 16 lstm, embedding 8, 23 characters, 2,175 parameters"
    assert page["text"].strip() == f"{text}: 2,600 characters"
    assert page["trained"].strip().startswith("30 of 30 steps in ")
    assert page["command"].strip().startswith(f"python -m charlstm.train {text} --name verse --hidden-size 16")
    assert page["curve"].strip()[0] == "█"
    assert page["curve"].strip()[9] == "▁"
    assert page["resume"].strip() == "python -m charlstm.train --resume checkpoints/verse"


def test_a_model_without_a_run_is_shown_too(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    saved = checkpoint.load(run("--steps", "1") / "best.pt")
    checkpoint.save(Path("model.pt"), replace(saved, run=None, progress=None, learning=None))
    capsys.readouterr()
    assert show.main(["model.pt"]) == 0
    shown = capsys.readouterr().out
    assert shown == (
        "model:      1 x 16 lstm, embedding 8, 23 characters, 2,175 parameters\n"
        "sample:     python -m charlstm.sample model.pt\n"
    )
    assert show.main(["model.pt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vocab"] == saved.vocab.characters


def test_documents_are_told(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([str(names), *TINY, "--documents", "lines", "--steps", "1"]) == 0
    capsys.readouterr()
    assert show.main(["checkpoints/names"]) == 0
    assert "characters, lines as documents\n" in capsys.readouterr().out
    assert show.main(["checkpoints/names", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"]["documents"] == "lines"


def test_a_checkpoint_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "30", "--tie-weights", "--embedding-dim", "16")
    capsys.readouterr()
    assert show.main([str(folder / "best.pt"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model"]["parameters"] == 23 * 16 + 4 * 16 * (16 + 16 + 1) + 23
    assert facts["best_val_bits_per_char"] == min(facts["val_bits_per_char"])
    assert facts["chosen"] == []


def test_all_runs_newest_first(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--steps", "3", name="older")
    run("--steps", "4", "--val-fraction", "0", name="newer")
    capsys.readouterr()
    assert show.main([]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "-"
    assert first.endswith("checkpoints/newer")
    assert second.endswith("checkpoints/older")
    assert show.main(["--json"]) == 0
    assert [facts["step"] for facts in json.loads(capsys.readouterr().out)] == [4, 3]


def test_what_is_broken_or_missing_does_not_hide_the_rest(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run("--steps", "2", name="broken") / "last.pt").write_text("no checkpoint")
    folder = run("--steps", "2", name="whole")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "val_')
    capsys.readouterr()
    assert show.main([]) == 0
    output = capsys.readouterr()
    assert output.out.endswith("checkpoints/whole\n")
    assert "broken" in output.err
    (folder / "metrics.jsonl").unlink()
    assert show.main([str(folder)]) == 0
    page = capsys.readouterr().out
    assert "validation: best" in page
    assert "curve" not in page


def test_a_long_curve_is_thinned_out() -> None:
    assert show.curve([3.0]) == "▁"
    assert show.curve([4.0, 3.0, 2.0]) == "█▅▁"
    long = show.curve([float(n) for n in range(1000, 0, -1)])
    assert len(long) == show.CURVE_WIDTH
    assert (long[0], long[-1]) == ("█", "▁")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "checkpoints: no such folder"), (["nothing"], "nothing: no such folder"), (["."], "without last.pt")],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_what_a_stranger_wrote_into_a_checkpoint_is_shown_harmless(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    last = run("--steps", "2") / "last.pt"
    saved = checkpoint.load(last)
    record, _ = saved.trained()
    evil = "\x1b]0;owned\x07\x9b2J\nsample:     rm -rf /"
    text = replace(record.text, places=(evil,))
    checkpoint.save(last, replace(saved, run=replace(record, command=evil, init_from=evil, began=evil, text=text)))
    capsys.readouterr()
    assert show.main([str(last)]) == 0
    page = capsys.readouterr().out
    assert not {*page}.intersection("\x1b\x07\x9b")
    assert page.count("\\u001b]0;owned") == 4
    assert sum(line.startswith("sample:") for line in page.splitlines()) == 1
    shown = last.parent.rename("checkpoints/\x1b[2J")
    assert show.main([]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert show.main([str(shown / "gone.pt")]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_other_programs_learn_the_characters(run: Run, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "2")
    capsys.readouterr()
    assert show.main([str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vocab"] == "".join(sorted(set(text.read_text("utf-8"))))
