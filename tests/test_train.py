"""The training command as people use it, in a process of its own where signals or its end matter."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import charlstm
from charlstm import evaluate, sample, show, train
from charlstm.config import CELLS
from charlstm.saved import checkpoint
from charlstm.saved.record import Progress, RunRecord
from charlstm.training import rehearsal
from charlstm.training.plan import plan_steps
from charlstm.training.run import Run as Training
from tests.conftest import TINY
from tests.saved.test_formats import older

Run = Callable[..., Path]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(path, weights_only=True)["model"])


def assert_equal_weights(ours: Path, theirs: Path) -> None:
    a, b = weights(ours), weights(theirs)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def run_of(path: Path) -> tuple[RunRecord, Progress]:
    return checkpoint.load(path).trained()


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "charlstm.train", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate()
    return process.returncode


def wait_for_step(run: Path, process: subprocess.Popen[str], step: int) -> None:
    metrics = run / "metrics.jsonl"
    while process.poll() is None:
        if metrics.exists() and any(json.loads(line)["step"] >= step for line in metrics.read_text().splitlines()[:-1]):
            return
        time.sleep(0.01)
    raise AssertionError(process.stderr.read() if process.stderr else "")


def test_a_text_becomes_a_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "30")
    output = capsys.readouterr()
    assert output.out == ""
    assert re.search(r"^verse: 2,600 characters, 23 different; 2,340 for training, 260 for validation", output.err)
    assert re.search(r"total +[\d,]+\n", output.err)
    assert "sample with: python -m charlstm.sample checkpoints/verse" in output.err
    assert {"last.pt", "best.pt", "metrics.jsonl"} <= set(os.listdir(folder))
    assert "model" in torch.load(folder / "best.pt", weights_only=True)


def test_a_short_string_is_memorised(run: Run) -> None:
    folder = run("--steps", "300", "--hidden-size", "48", "--dropout", "0", "--learning-rate", "0.02")
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["val_bits_per_char"] < 0.3


def test_a_run_is_named_by_its_text(text: Path) -> None:
    assert train.main([str(text), "--steps", "1", "--checkpoints", "elsewhere", *TINY]) == 0
    assert Path("elsewhere/verse/last.pt").exists()


def test_a_run_is_not_overwritten(run: Run, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run("--steps", "2") / "last.pt").read_bytes()
    assert train.main([str(text), *TINY]) == 2
    assert "go on with --resume checkpoints/verse, or give another --name" in capsys.readouterr().err
    assert Path("checkpoints/verse/last.pt").read_bytes() == before


def test_a_finished_run_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "5")
    capsys.readouterr()
    before = (folder / "last.pt").read_bytes()
    assert train.main(["--resume", str(folder)]) == 0
    assert "resumed verse at step 5\nthe run is finished" in capsys.readouterr().err
    assert (folder / "last.pt").read_bytes() == before


def test_a_longer_length_extends_a_run(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run("--steps", "5")
    assert train.main(["--resume", str(folder), "--steps", "9"]) == 0
    assert "resumed verse at step 5" in capsys.readouterr().err
    assert torch.load(folder / "last.pt", weights_only=True)["progress"]["step"] == 9
    assert train.main(["--resume", str(folder), "--epochs", "0.01"]) == 2
    assert "the run is at step 9" in capsys.readouterr().err
    taken = torch.load(folder / "last.pt", weights_only=True)["progress"]["seconds"] / 60
    assert train.main(["--resume", str(folder), "--minutes", str(taken + 0.02)]) == 0
    assert torch.load(folder / "last.pt", weights_only=True)["progress"]["step"] > 9


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--hidden-size", "17"], "--hidden-size 17 contradicts the checkpoint's 16"),
        (["--learning-rate", "1"], "--learning-rate 1.0 contradicts the checkpoint's 0.007"),
        (["--min-count", "2"], "--min-count 2 contradicts the checkpoint's 1"),
        (["--name", "other"], "--name other contradicts the run's verse"),
        (["--checkpoints", "other"], "--checkpoints other contradicts the run's"),
        (["--init-from", "x.pt"], "--resume and --init-from contradict each other"),
    ],
)
def test_a_flag_that_contradicts_the_run_is_refused(
    flags: list[str], message: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "2")
    capsys.readouterr()
    assert train.main(["--resume", str(folder), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_flags_that_the_run_has_already_are_no_contradiction(run: Run, text: Path) -> None:
    folder = run("--steps", "2")
    assert train.main([str(text), "--resume", str(folder / "last.pt"), "--steps", "2", "--name", "verse", *TINY]) == 0


def test_starting_from_the_weights_of_another_run(run: Run, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = run("--steps", "200") / "best.pt"
    common = [
        str(text),
        "--dropout",
        "0.2",
        "--init-from",
        str(best),
        "--batch-size",
        "4",
        "--seq-len",
        "16",
        "--steps",
        "1",
    ]
    assert train.main([*common, "--name", "second"]) == 0
    first, second = (
        [
            json.loads(line)["val_bits_per_char"]
            for line in Path(f"checkpoints/{name}/metrics.jsonl").read_text().splitlines()
        ]
        for name in ("verse", "second")
    )
    assert second[0] == pytest.approx(min(first), abs=0.3)
    assert second[0] < first[0] - 1
    assert train.main([*common, "--name", "third", "--hidden-size", "99"]) == 2
    assert "--hidden-size 99 contradicts the checkpoint's 16" in capsys.readouterr().err
    Path("new.txt").write_text(text.read_text("utf-8") + "∮雨Ｔ", encoding="utf-8")
    capsys.readouterr()
    kept = "23 characters known, 1 new that begin as a relative, 1 new that begin afresh"
    for flags, told in (([], kept), (["--drop-unused"], ", 0 dropped")):
        assert train.main(["new.txt", *common[1:], "--name", f"new{len(flags)}", *flags]) == 0
        assert told in capsys.readouterr().err
        assert torch.load(f"checkpoints/new{len(flags)}/last.pt", weights_only=True)["model_config"]["vocab_size"] == 25
    Path("short.txt").write_text("The rain " * 40)
    assert train.main(["short.txt", *common[1:], "--drop-unused"]) == 0
    assert "8 characters known, 0 new" in capsys.readouterr().err
    assert train.main(["--resume", "checkpoints/short", "--steps", "3"]) == 0
    assert train.main(["--resume", "checkpoints/new0", "--steps", "3"]) == 0
    assert train.main(["new.txt", "--drop-unused"]) == 2


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_run_of_an_earlier_format_writes_is_scored_is_a_beginning_and_cannot_go_on(
    version: int, run: Run, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "7")
    capsys.readouterr()
    assert evaluate.main([str(folder / "last.pt")]) == 0
    scored = capsys.readouterr().out
    older(folder / "last.pt", version)
    assert evaluate.main([str(folder / "last.pt")]) == 0
    assert capsys.readouterr().out == scored
    assert len("".join(charlstm.load(folder / "last.pt").generate(length=5))) == 5
    assert train.main([str(text), "--init-from", str(folder / "last.pt"), "--steps", "2", "--name", "new"]) == 0
    capsys.readouterr()
    assert train.main(["--resume", str(folder)]) == 2
    told = capsys.readouterr().err
    assert "of an earlier charlstm" in told
    assert "--init-from" in told
    assert told.count("\n") == 1


def test_an_ensemble_is_a_beginning_for_one_of_its_size(
    run: Run, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--steps", "3", "--ensemble-size", "2")
    older(run("--steps", "3", name="alone") / "last.pt", 2)  # which had no ensembles
    for origin, size in (("verse", 2), ("alone", 1)):
        flags = [
            "--batch-size",
            "4",
            "--seq-len",
            "16",
            "--init-from",
            f"checkpoints/{origin}",
            "--learning-rate",
            "1e-30",
        ]
        new = Path("checkpoints/verse-2" if size == 2 else "checkpoints/verse-3")
        assert train.main([str(text), *flags, "--steps", "1", "--name", new.name]) == 0
        assert checkpoint.load(new / "last.pt").model_config.ensemble_size == size
        ours, theirs = (
            checkpoint.load(Path(path)).weights for path in (new / "last.pt", f"checkpoints/{origin}/last.pt")
        )
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert train.main([str(text), *flags, "--minutes", "0.02", "--ensemble-size", "3", "--name", "third"]) == 2
        assert f"--ensemble-size 3 contradicts the checkpoint's {size}" in capsys.readouterr().err


def test_documents_are_learned_one_by_one(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*TINY, "--seq-len", "8", "--documents", "lines", "--learning-rate", "0.02"]
    assert train.main([str(names), *flags, "--steps", "400"]) == 0
    assert "in 54 documents" in capsys.readouterr().err
    model = charlstm.load("checkpoints/names")
    written = {"".join(model.generate(seed=seed, temperature=0.5)) for seed in range(30)}
    assert written <= {"Anna", "Bo", "李白"}
    assert len(written) == 3
    assert "".join(model.generate("An", until_document_end=True)) == "na"
    assert model.bits_per_char("李白") < 1 < model.bits_per_char("白李")
    assert train.main(["--resume", "checkpoints/names", "--documents", "files"]) == 2
    assert "--documents files contradicts the checkpoint's lines" in capsys.readouterr().err


def test_documents_and_plain_text_can_go_on_with_one_another(
    names: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = ["--batch-size", "2", "--seq-len", "8", "--steps", "1"]
    run("--steps", "1")
    documents = [str(names), *shape, "--init-from", "checkpoints/verse", "--documents", "lines"]
    assert train.main(documents) == 0
    messages = capsys.readouterr().err
    assert "2 new that begin as a relative" in messages  # A as a, and the end as that of a line
    Path("plain.txt").write_text("Anna and Bo\n" * 20)
    assert (
        train.main(["plain.txt", *shape, "--init-from", "checkpoints/names", "--name", "lines", "--drop-unused"]) == 0
    )
    assert "0 new that begin afresh" in capsys.readouterr().err  # the line's end is here, too, and was there
    assert train.main([str(names), *shape, "--init-from", "checkpoints/names", "--name", "plain"]) == 0
    messages = capsys.readouterr().err
    assert "1 dropped" in messages
    assert "learned documents; give --documents" in messages
    assert charlstm.load("checkpoints/plain").vocab.end_id is None


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_says_how_to_go_on(number: int, status: int, run: Run, text: Path) -> None:
    folder = Path("checkpoints/stopped")
    process = start(str(text), "--name", "stopped", "--steps", "1500", *TINY)
    wait_for_step(folder, process, 150)
    process.send_signal(number)
    error = process.communicate()[1]
    assert process.returncode == status
    assert "go on with: python -m charlstm.train --resume checkpoints/stopped" in error
    step = torch.load(folder / "last.pt", weights_only=True)["progress"]["step"]
    assert f"stopped at step {step}" in error


def test_a_killed_run_resumes_to_the_same_weights(run: Run, text: Path) -> None:
    steps = ["--steps", "400", "--checkpoint-every", "7"]
    whole = run(*steps, name="whole")
    process = start(str(text), "--name", "killed", *steps, *TINY)
    killed = Path("checkpoints/killed")
    wait_for_step(killed, process, 40)
    time.sleep(random.random() / 10)
    process.kill()
    process.communicate()
    at = torch.load(killed / "last.pt", weights_only=True)["progress"]["step"]
    assert 0 < at < 400
    assert train.main(["--resume", str(killed)]) == 0
    assert_equal_weights(killed / "last.pt", whole / "last.pt")
    assert_equal_weights(killed / "best.pt", whole / "best.pt")
    ours, theirs = (
        [
            (m["step"], m["train_bits_per_char"], m["val_bits_per_char"])
            for m in map(json.loads, path.read_text().splitlines())
        ]
        for path in (killed / "metrics.jsonl", whole / "metrics.jsonl")
    )
    assert ours == theirs


def test_a_resume_that_is_refused_loses_nothing(run: Run) -> None:
    folder = run("--steps", "20")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert train.main(["--resume", str(folder / "best.pt"), "--steps", "1"]) == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_goes_wrong_ends_with_a_word_on_what_to_lower(
    text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([str(text), *TINY, "--learning-rate", "1e30", "--steps", "60"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("charlstm-train: no finite gradient for 20 steps")
    assert "a lower --learning-rate than 1e+30" in last
    assert Path("checkpoints/verse/last.pt").exists()


def test_when_nobody_reads_the_messages_the_run_is_saved(text: Path) -> None:
    process = start(str(text), "--name", "unread", "--steps", "100000", *TINY)
    assert process.stderr
    process.stderr.readline()
    process.stderr.close()
    assert process.wait() == 1
    assert not Path("checkpoints/unread").exists() or Path("checkpoints/unread/last.pt").exists()


def test_a_signal_before_the_first_step_is_a_line_too(text: Path) -> None:
    process = start(str(text), "--minutes", "20", *TINY)
    while not Path("checkpoints/verse/.lock").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[1].splitlines()[-1] == "charlstm-train: stopped"
    assert process.returncode == 143
    assert not Path("checkpoints/verse").exists()


def test_the_last_checkpoint_of_another_run_is_not_overwritten(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    mine, other = run("--steps", "2", name="mine"), run("--steps", "2", name="other")
    (mine / "last.pt").rename(other / "mine.pt")
    before = (other / "last.pt").read_bytes()
    assert train.main(["--resume", str(other / "mine.pt"), "--steps", "5"]) == 2
    assert "is of another run" in capsys.readouterr().err
    assert (other / "last.pt").read_bytes() == before


def test_a_checkpoint_that_makes_no_sense_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    last = run("--steps", "2") / "last.pt"
    contents = torch.load(last, weights_only=True)
    for part, value in (
        ("run", {**contents["run"], "plan": {}}),
        ("run", {**contents["run"], "text": None}),
        ("run", {**contents["run"], "id": None}),
        ("run", None),
        ("state", 3),
        ("state", {name: tensor[:, :3] for name, tensor in contents["state"].items()}),
        ("optimizer", {}),
        ("progress", {**contents["progress"], "step": -1}),
    ):
        torch.save({**contents, "format": 4, part: value}, last)  # of 4, which has no digest
        capsys.readouterr()
        allowed = (part, value) == ("optimizer", {})  # as before the first step
        assert train.main(["--resume", str(last), "--steps", "9"]) == (0 if allowed else 2)
        assert allowed or capsys.readouterr().err.count("\n") == 1


def test_minutes_are_turned_into_steps_and_recorded(run: Run) -> None:
    folder = run("--minutes", "0.05")
    saved = torch.load(folder / "last.pt", weights_only=True)
    assert saved["progress"]["step"] == saved["run"]["plan"]["steps"] > 0


def test_minutes_choose_what_was_not_given_and_say_why(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([str(text), "--minutes", "0.02", "--seq-len", "8", "--dtype", "float32"]) == 0
    shown = capsys.readouterr().err
    assert "chosen for --minutes 0.02 (what you give yourself wins):" in shown
    saved = checkpoint.load(Path("checkpoints/verse/last.pt"))
    record, _ = saved.trained()
    settings = {**vars(saved.model_config), **vars(record.train_config)}
    lines = record.chosen
    assert len(lines) == 7
    for line in lines:
        assert line in shown
        flag, value, reason = line.split(maxsplit=2)
        assert settings[flag.removeprefix("--").replace("-", "_")] == float(value)
        assert reason
    assert not any("--seq-len" in line for line in lines)
    assert settings["seq_len"] == 8
    assert train.main([str(text), "--steps", "2", *TINY, "--name", "counted"]) == 0
    assert "chosen for" not in capsys.readouterr().err


def test_a_chosen_run_resumes_to_the_same_weights(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that may be switched on: an ensemble in threads of its own, and both dropouts. See where it stood."""
    flags = [
        "--minutes",
        "0.05",
        "--ensemble-size",
        "2",
        "--threads",
        "2",
        "--dropout",
        "0.3",
        "--checkpoint-every",
        "3",
    ]
    shape = ["--hidden-size", "16", "--recurrent-dropout", "0.2"]
    whole, parts = Path("checkpoints/verse"), Path("checkpoints/parts")
    with monkeypatch.context() as patch:
        # However slow the machine is now, it shall be six steps.
        patch.setattr(rehearsal, "plan_steps", lambda steps, *more, **named: plan_steps(6, *more, **named))
        patch.setattr(Training, "is_finished", property(lambda run: run.trainer.progress.step >= 2))
        assert train.main([str(text), *flags, *shape]) == 0
    recorded, _ = run_of(whole / "last.pt")
    assert recorded.chosen
    assert recorded.plan.steps == 6
    shutil.copytree(whole, parts)
    assert train.main(["--resume", str(whole)]) == 0
    for stop in (3, 4, 6):
        with monkeypatch.context() as patch:
            patch.setattr(Training, "is_finished", property(lambda run, at=stop: run.trainer.progress.step >= at))
            assert train.main(["--resume", str(parts)]) == 0
        assert run_of(parts / "last.pt")[1].step == stop
    assert_equal_weights(whole / "last.pt", parts / "last.pt")
    assert run_of(parts / "last.pt")[0] == recorded


FEW_CELLS = [cell if cell in ("lstm", "gru", "cifg") else pytest.param(cell, marks=pytest.mark.slow) for cell in CELLS]
"""All cells; those beside the fast one and two others are slow tests."""


@pytest.mark.parametrize("cell", FEW_CELLS)
def test_every_cell_learns_resumes_exactly_writes_and_is_scored(
    cell: str, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--cell", cell, "--num-layers", "2", "--recurrent-dropout", "0.1", "--dtype", "auto", "--steps", "2"]
    flags += ["--ensemble-size", "2", "--tie-weights", "--embedding-dim", "16"]
    whole = run(*flags, name="whole")
    with monkeypatch.context() as patch:
        patch.setattr(Training, "is_finished", property(lambda run: run.trainer.progress.step >= 1))
        parted = run(*flags, name="parted")
    assert train.main(["--resume", str(parted)]) == 0
    assert_equal_weights(whole / "last.pt", parted / "last.pt")
    capsys.readouterr()
    assert sample.main([str(whole), "--length", "20", "--num-samples", "2"]) == 0
    assert len(capsys.readouterr().out) >= 40
    assert evaluate.main([str(whole), "--json"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["bits_per_char"] < 6


@pytest.mark.parametrize("cell", FEW_CELLS)
def test_every_cell_learns_what_follows_what(cell: str, run: Run, text: Path) -> None:
    flags = ["--cell", cell, "--num-layers", "1", "--steps", "30", "--dropout", "0", "--learning-rate", "0.03"]
    folder = run(*flags)
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    written = text.read_text("utf-8")
    often = [written.count(character) / len(written) for character in set(written)]
    of_single_ones = -sum(share * math.log2(share) for share in often)
    assert last["val_bits_per_char"] < of_single_ones - 0.2


@pytest.mark.parametrize("cell", ["gru", pytest.param("depth-gated", marks=pytest.mark.slow)])
def test_a_plan_is_made_for_any_cell(cell: str, text: Path) -> None:
    assert train.main([str(text), "--minutes", "0.02", "--cell", cell, "--threads", "1"]) == 0
    saved = checkpoint.load(Path("checkpoints/verse/last.pt"))
    assert saved.model_config.cell == cell
    assert saved.model_config.num_layers == (2 if cell == "depth-gated" else 1)
    assert saved.trained()[0].chosen


def test_a_cell_that_needs_two_layers_is_told_of_one(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--steps", "2", "--hidden-size", "8", "--cell", "depth-gated"]
    assert train.main([str(text), *flags, "--name", "one"]) == 0
    assert "depth-gated is more than an LSTM only in a second layer" in capsys.readouterr().err
    assert train.main([str(text), *flags, "--name", "two", "--num-layers", "2"]) == 0
    assert "second layer" not in capsys.readouterr().err


def test_tied_weights_settle_the_size_of_what_they_tie(text: Path) -> None:
    flags = ["--minutes", "0.02", "--tie-weights", "--embedding-dim", "48", "--ensemble-size", "2"]
    assert train.main([str(text), *flags]) == 0
    config = checkpoint.load(Path("checkpoints/verse/last.pt")).model_config
    assert config.hidden_size == config.embedding_dim == 48
    assert config.ensemble_size == 2
    assert train.main(["--resume", "checkpoints/verse", "--ensemble-size", "3", "--minutes", "1"]) == 2


def test_a_short_text_ends_its_run_before_its_time(
    text: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MOST_EPOCHS", 2)
    text.write_text("It rains. " * 8)
    flags = ["--minutes", "0.1", "--hidden-size", "8", "--seq-len", "4", "--batch-size", "8", "--val-fraction", "0"]
    assert train.main([str(text), *flags]) == 0
    assert "so short a text is learned after 2 epochs" in capsys.readouterr().err
    assert checkpoint.load(Path("checkpoints/verse/last.pt")).trained()[1].step == 2 * 3


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        (None, [], "no such file or folder"),
        (b"", [], "there is no text in it"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\r", [], "looks like a binary file"),
        ("雨在河上".encode("gb18030") * 50, [], "is not utf-8: try --encoding gb18030 (Chinese) or cp1252"),
        (b"text" * 50, ["--encoding", "klingon"], "encoding 'klingon' can't be read"),
        (b"abc", [], "the text has 3 characters and training needs at least 65"),
        (b"text" * 50, ["--val-fraction", "1"], "val_fraction must be below 1"),
        (b"text" * 50, ["--steps", "0"], "steps must be at least 1"),
        (b"text" * 50, ["--steps", "5", "--epochs", "5"], "steps and epochs contradict each other"),
        (b"text" * 50, ["--tie-weights", "--embedding-dim=5", "--hidden-size=6"], "tie_weights needs embedding_dim"),
        (b"text" * 50, ["--device", "cuda"], "device cuda isn't available here"),
        (b"text" * 50, ["--checkpoints", "blocked"], "can't write in this folder"),
        (b"text" * 50, ["--cache", "blocked/cache"], "can't write in this folder"),
        (b"text" * 50, ["--name", "../up"], "a name is needed, not a path"),
        (b"text" * 50, ["--name", ""], "a name is needed"),
        (b"text" * 50, ["--checkpoints", ""], "argument --checkpoints: an empty path"),
        (b"text" * 50, [""], "an empty name of a text"),
        (b"text" * 50, ["--min-count", "1000"], "no character occurs 1000 times"),
        (b"text" * 50, ["--resume", "nothing"], "no such checkpoint or run's folder"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    content: bytes | None,
    flags: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    Path("blocked").write_text("a file where a folder is wanted")
    if content is not None:
        Path("bad.txt").write_bytes(content)
    assert train.main(["bad.txt", *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("charlstm-train: ")
    assert not list(Path("checkpoints").rglob("*.pt"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_a_full_disk_is_one_line_and_status_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(contents: object, file: object) -> None:
        with open("/dev/full", "wb") as device:
            device.write(b"x" * 1_000_000)

    folder = run("--steps", "5")
    before = (folder / "last.pt").read_bytes()
    monkeypatch.setattr(torch, "save", full)
    capsys.readouterr()
    assert train.main(["--resume", str(folder), "--steps", "9"]) == 1
    error = capsys.readouterr().err
    assert "can't be written (No space left on device): make room on the disk" in error
    assert error.count("\n") == 1
    assert (folder / "last.pt").read_bytes() == before
    assert not list(folder.glob(".*part"))


def test_help_answers_without_torch() -> None:
    code = (
        "import sys\nfrom charlstm import train, sample, evaluate, show\n"
        "for command in (train, sample, evaluate, show):\n"
        "    try: command.main(['--help'])\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "sys.exit(bool({'torch', 'numpy', 'tqdm'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_the_standard_library_is_learned_when_nothing_is_named() -> None:
    assert train.main(["--steps", "20", *TINY]) == 0
    assert Path("checkpoints/python-stdlib/best.pt").exists()


@pytest.mark.slow
def test_killed_ten_times_and_still_the_same_weights(text: Path) -> None:
    flags = ["--steps", "6000", "--checkpoint-every", "20", *TINY]
    assert ended(start(str(text), "--name", "whole", *flags)) == 0
    killed = Path("checkpoints/killed")
    command, dice, step = [str(text), "--name", "killed", *flags], random.Random(), -1
    for _ in range(10):
        process = start(*command)
        before = step
        while step <= before:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
            if (killed / "last.pt").exists():
                step = torch.load(killed / "last.pt", weights_only=True)["progress"]["step"]
        time.sleep(dice.random() / 2)
        process.kill()
        process.communicate()
        step = torch.load(killed / "last.pt", weights_only=True)["progress"]["step"]
        assert step > before
        command = ["--resume", str(killed)]
    assert ended(start(*command)) == 0
    assert_equal_weights(killed / "last.pt", Path("checkpoints/whole/last.pt"))


@pytest.mark.slow
def test_a_terminal_that_is_closed_saves_the_run(text: Path) -> None:
    """The terminal takes stderr away with it, and sends SIGHUP."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "charlstm.train", str(text), "--name", "hung-up", "--steps", "100000", *TINY]
    process = subprocess.Popen(command, stderr=theirs, stdin=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    wait_for_step(Path("checkpoints/hung-up"), process, 20)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 129
    assert checkpoint.load(Path("checkpoints/hung-up/last.pt")).trained()[1].step >= 20


@pytest.mark.slow
def test_without_stderr_a_run_is_trained_all_the_same(text: Path) -> None:
    command = [sys.executable, "-m", "charlstm.train", str(text), "--steps", "3", *TINY]
    shown = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *command], stdout=subprocess.PIPE, check=True).stdout
    assert shown == b""
    assert checkpoint.load(Path("checkpoints/verse/last.pt")).trained()[1].step == 3


def test_a_thread_can_train(text: Path) -> None:
    """Signals are for the main thread alone."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(train.main, [str(text), *TINY, "--steps", "3"]).result() == 0


@pytest.mark.parametrize("junk", [b"3\n", b"\xff\n", b'{"a": 1}\n', b'{"step": null}\n', b"[" * 100_000])
def test_a_spoiled_side_file_stops_no_good_checkpoint(
    junk: bytes, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "4")
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(junk)
    assert show.main([str(folder)]) == 0
    assert show.main([]) == 0
    assert train.main(["--resume", str(folder), "--steps", "6"]) == 0


def test_what_learned_less_than_nothing_is_no_success(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([str(text), *TINY, "--learning-rate", "1e3", "--steps", "30"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"finished at step 30, but its loss is [\d,.]+ bits per character, and guessing has 4.5", last)
    assert last.endswith("begin again, with a lower --learning-rate than 1000.0")


def test_more_threads_than_processors_are_told_of_in_a_new_run_too(
    text: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert train.main([str(text), *TINY, "--steps", "1", "--threads", "2"]) == 0
    assert "warning: 2 threads on 1 processors: --threads 1 is faster\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["\u3000雨.txt", "a\xa0b.txt", "👩\u200d🚀.txt", "\u200fשלום.txt", "*.txt", "NOVEL.TXT.GZ"]
)
def test_a_name_that_is_made_up_is_not_refused(name: str, text: Path) -> None:
    Path("texts").mkdir()
    packed = gzip.compress if name.endswith("GZ") else bytes
    Path("texts", name.replace("*", "one")).write_bytes(packed(text.read_bytes()))
    assert train.main([f"texts/{name}", *TINY, "--steps", "1"]) == 0
    (made,) = Path("checkpoints").iterdir()
    assert made.name == {"*.txt": "texts", "NOVEL.TXT.GZ": "NOVEL"}.get(name, made.name)


@pytest.mark.slow
def test_without_a_home_everything_works(text: Path) -> None:
    """As in a container whose user has no entry in its passwd."""
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    nobody = "import os; os.path.expanduser = lambda path: path; from charlstm import {0}; {0}.main({1})"
    for module, flags in (
        ("train", [str(text), *TINY, "--steps", "1"]),
        ("evaluate", ["checkpoints/verse", str(text)]),
    ):
        command = [sys.executable, "-c", nobody.format(module, flags)]
        shown = subprocess.run(command, env=env, capture_output=True, check=True, input=b"/quit\n").stderr
        assert b"Traceback" not in shown
        assert b"there is no home folder, so texts are encoded again each time" in shown
    command = [sys.executable, "-c", nobody.format("sample", ["--interactive"])]
    shown = subprocess.run(command, env=env, capture_output=True, check=True, input=b"/quit\n").stderr
    assert b"warning" not in shown  # no text is to be kept


def test_a_text_that_moved_is_evaluated_and_remembered(
    run: Run, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "4")
    shutil.rmtree(tmp_path / "cache")
    moved = text.rename(tmp_path / "moved.txt")
    assert evaluate.main([str(folder)]) == 2
    assert "say where it is now: --split val TEXT" in capsys.readouterr().err
    assert evaluate.main([str(folder), str(moved), "--split", "val", "--dynamic"]) == 0
    assert train.main(["--resume", str(folder), str(moved), "--steps", "6"]) == 0
    shutil.rmtree(tmp_path / "cache")
    assert train.main(["--resume", str(folder), "--steps", "8"]) == 0
