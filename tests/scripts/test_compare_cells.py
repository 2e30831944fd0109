from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from charlstm.config import CELLS


@pytest.fixture
def imported(script: Callable[[str], ModuleType]) -> ModuleType:
    for name in ("commands", "recall", "cells_report"):
        script(name)
    return script("compare_cells")


@pytest.fixture
def compare(imported: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in which training is quick. Best are 0.02 to write, 0.0005 to recall, and the first cells."""
    Path("text").write_text("a text of its own")

    def train(flags: Any, key: Any) -> dict[str, float]:
        bits = 2 + CELLS.index(key[1]) / 10 + abs(math.log2(key[2] / 0.02)) + key[3] / 100
        return {"bits": bits, "chars_per_second": 1000.0}

    def recall(flags: Any, key: Any) -> dict[str, float]:
        return {str(n): 5 / n * 2 ** -abs(math.log2(key[2] / 0.0005)) / key[3] for n in imported.DISTANCES}

    monkeypatch.setattr(imported, "train", train)
    monkeypatch.setattr(imported, "recall", recall)
    return imported


ONE = ["--seeds", "1", "--recall-seeds", "1"]


def call(compare: ModuleType, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    size = ["--hidden-size", "16", "--cells", "gru", "lstm"]
    monkeypatch.setattr(sys, "argv", ["compare_cells.py", "text", "--out", "out", *size, *more])
    compare.main()


def done(kind: str, cell: str = "gru") -> list[tuple[float, int]]:
    """The rates and seeds of what was measured."""
    keys = [json.loads(line)[1] for line in Path("out/results.jsonl").read_text().splitlines()]
    return sorted((rate, seed) for k, c, rate, seed in keys if (k, c) == (kind, cell))


def test_tables_of_all_cells_each_at_its_best_rates(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(compare, monkeypatch, "--seeds", "2", "--recall-seeds", "2")
    printed = capsys.readouterr().out
    assert Path("out/table.md").read_text() == printed
    lines = [line.strip("| ").split(" | ") for line in printed.splitlines() if "---" not in line]
    assert [line[0] for line in lines] == ["cell", "lstm", "gru", "", "cell", "gru", "lstm"]
    parameters = 11 * 128 + 4 * 16 * (145 + 33) + 11 * 17  # of the embedding, the layers and the output
    assert lines[1][1:] == ["16", f"{parameters:,}", "0.02", "2.015 ± 0.007", "2.015 ± 0.007", "1,000"]
    assert lines[5][3:7] == ["0.0005", "75 % (50–100)", "38 % (25–50)", "19 % (12–25)"]
    assert done("steps") == [(0.005, 1), (0.01, 1), (0.02, 1), (0.02, 2), (0.04, 1)]
    assert done("minutes") == [(0.02, 1), (0.02, 2)]
    assert done("recall") == [(0.00025, 1), (0.0005, 1), (0.0005, 2), (0.001, 1), (0.003, 1)]


def test_what_recalls_all_seeks_no_other_rate(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "recall", lambda flags, key: {str(n): 1.0 for n in compare.DISTANCES})
    call(compare, monkeypatch, *ONE)
    assert done("recall") == [(0.001, 1), (0.003, 1)]


def test_a_rate_that_diverges_is_the_worst(imported: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def charlstm(*command: object, **more: object) -> str:
        raise imported.Failure("no finite gradient for 100 steps: checkpoints keeps the checkpoints from before")

    monkeypatch.setattr(imported, "charlstm", charlstm)
    Path("text").write_text("a text of its own")
    flags = type("Flags", (), {"text": "text", "hidden_size": 16, "num_layers": 1, "steps": 3})
    worst = imported.train(flags, ("steps", "gru", 0.04, 1))
    results = {("steps", "gru", 0.02, 1): {"bits": 2.0}, ("steps", "gru", 0.04, 1): worst}
    assert imported.rate_of(results, "gru", "steps") == 0.02
    assert imported.rates_of(results, "gru", "steps", [0.02]) == [0.02, 0.04, 0.01]
    assert imported.rates_of({("steps", "gru", 0.04, 1): worst}, "gru", "steps", [0.04]) == [0.04]


def test_rates_that_are_equally_good_end_the_search(imported: ModuleType) -> None:
    results = {("steps", "gru", rate, 1): {"bits": 2.0} for rate in (0.02, 0.04)}
    assert imported.rates_of(results, "gru", "steps", [0.02, 0.04]) == [0.02, 0.04]
    assert imported.rate_of(results, "gru", "steps") == 0.02


def test_only_what_is_timed_runs_alone(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2)  # which two runs at once pass, and one alone never
    alone = threading.Lock()

    def train(flags: Any, key: Any) -> dict[str, float]:
        if key[0] == "steps":
            together.wait(10)
        else:
            assert alone.acquire(blocking=False)
            time.sleep(0.05)
            alone.release()
        return {"bits": 1.0, "chars_per_second": 1000.0}

    monkeypatch.setattr(compare, "train", train)
    call(compare, monkeypatch, *ONE, "--jobs", "2", "--rates", "0.01")
    assert len(done("minutes") + done("minutes", "lstm")) == 2


def test_what_fails_ends_it_and_loses_nothing_that_runs(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, failed = threading.Barrier(2), threading.Event()

    def train(flags: Any, key: Any) -> dict[str, float]:
        begun.wait(10)
        if key[1] == "gru":
            failed.set()
            raise compare.Failure("no such luck")
        assert failed.wait(10)
        time.sleep(0.05)
        return {"bits": 1.0, "chars_per_second": 1000.0}

    monkeypatch.setattr(compare, "train", train)
    with pytest.raises(compare.Failure, match="no such luck"):
        call(compare, monkeypatch, *ONE, "--jobs", "2", "--rates", "0.01")
    assert (done("steps"), done("steps", "lstm")) == ([], [(0.01, 1)])


def test_what_was_measured_is_not_measured_again(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    call(compare, monkeypatch, *ONE)
    before = Path("out/results.jsonl").read_text()
    monkeypatch.setattr(compare, "train", lambda flags, key: 1 / 0)
    call(compare, monkeypatch, *ONE)
    assert Path("out/results.jsonl").read_text() == before
    for other in (["--seeds", "2", "--recall-seeds", "1"], [*ONE, "--minutes", "3"]):
        with pytest.raises(ZeroDivisionError):
            call(compare, monkeypatch, *other)
    Path("text").write_text("another text")
    with pytest.raises(ZeroDivisionError):
        call(compare, monkeypatch, *ONE)


@pytest.mark.parametrize("end", [pytest.param(-10, marks=pytest.mark.slow), 10])
def test_what_is_damaged_is_measured_again(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: int
) -> None:
    call(compare, monkeypatch, *ONE)
    before = Path("out/results.jsonl").read_text()
    Path("out/results.jsonl").write_bytes(
        b'\xff\xfe\n[1]\n[{}, ["steps", "gru", 0.01, 1], null]\n' + before[:end].encode()
    )
    call(compare, monkeypatch, *ONE)
    assert sorted(Path("out/results.jsonl").read_text().splitlines()) == sorted(before.splitlines())
    assert "results.jsonl: damaged lines, which are measured again: 4" in capsys.readouterr().err


def test_two_do_not_write_to_one_folder(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out").mkdir()
    with compare.locked(Path("out/lock"), wait=False), pytest.raises(compare.Failure, match="out: another comparison"):
        call(compare, monkeypatch, *ONE)


def test_what_cannot_be_read_is_told_before_anything_is_trained(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "train", lambda flags, key: 1 / 0)
    Path("text").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(compare.Failure, match="text: 'utf-8' codec can't decode"):
        call(compare, monkeypatch)
    Path("text").unlink()
    with pytest.raises(compare.Failure, match="No such file.*text"):
        call(compare, monkeypatch)
    Path("out").rmdir()
    Path("out").write_text("a file")
    with pytest.raises(compare.Failure, match="exists.*out"):
        call(compare, monkeypatch)


@pytest.mark.parametrize("lstm", [64, 256])
@pytest.mark.parametrize("cell", CELLS)
def test_sizes_of_equal_parameters(imported: ModuleType, cell: str, lstm: int) -> None:
    wanted = imported.parameters("lstm", lstm, 2, 65)
    size, total = imported.equal_size(lstm, 2, 65, cell)
    assert abs(total / wanted - 1) < 0.02
    assert size == lstm or cell not in ("lstm", "peephole")


def test_without_matplotlib_there_is_a_word_of_it(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    call(compare, monkeypatch, *ONE)
    assert "charlstm[charts]" in capsys.readouterr().err
    assert not list(Path("out").glob("*.png"))


def test_with_matplotlib_there_are_two_pictures(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    call(compare, monkeypatch, "--seeds", "2")
    for name in ("cells.png", "recall.png"):
        picture = Path("out", name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert 10_000 < len(picture) < 300_000


@pytest.mark.slow
def test_a_real_run_is_trained_and_scored(imported: ModuleType, text: Path) -> None:
    flags = type("Flags", (), {"text": str(text), "hidden_size": 16, "num_layers": 1, "steps": 3, "recall_steps": 2})
    result = imported.train(flags, ("steps", "gru", 0.01, 1))
    assert 0 < result["bits"] < 20
    assert result["chars_per_second"] > 0
    shares = imported.recall(flags, ("recall", "rnn", 0.01, 1))
    assert list(shares) == [str(n) for n in imported.DISTANCES]
    assert all(0 <= share <= 1 for share in shares.values())
