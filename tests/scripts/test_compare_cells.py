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
def compare(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in which training is quick. Best are 0.02 to write, 0.0015 to recall, and the first cells."""
    script("study_choice")
    script("recall")
    module = script("compare_cells")

    def train(flags: Any, key: Any) -> dict[str, float]:
        return {
            "bits": 2 + CELLS.index(key[1]) / 10 + abs(math.log2(key[2] / 0.02)) + key[3] / 100,
            "chars_per_second": 1000.0,
        }

    monkeypatch.setattr(module, "train", train)

    def recall(flags: Any, key: Any) -> dict[str, float]:
        return {str(n): 5 / n * 2 ** -abs(math.log2(key[2] / 0.0015)) for n in module.DISTANCES}

    monkeypatch.setattr(module, "recall", recall)
    return module


def call(compare: ModuleType, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    size = ["--hidden-size", "16", "--cells", "gru", "lstm"]
    monkeypatch.setattr(sys, "argv", ["compare_cells.py", "text", "--out", "out", *size, *more])
    compare.main()


def test_a_table_of_all_cells_each_at_its_best_rate(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(compare, monkeypatch, "--seeds", "2")
    lines = capsys.readouterr().out.splitlines()
    assert Path("out/table.md").read_text().splitlines() == lines
    assert [line.split(" | ")[0] for line in lines] == [
        "| cell",
        "|" + "---|" * 13,
        "| lstm",
        "| gru",
    ]
    assert lines[2].split(" | ")[1:] == [
        "16", "11,392", "0.02", "2.015 ± 0.007", "2.015 ± 0.007", "1,000", "100%", "50%", "25%", "12%", "6%", "3% |"
    ]  # fmt: skip
    done = [json.loads(line)[0] for line in Path("out/results.jsonl").read_text().splitlines()[1:]]
    assert sorted(key for key in done if key[0] == "steps" and key[1] == "gru") == [
        ["steps", "gru", 0.005, 1], ["steps", "gru", 0.01, 1], ["steps", "gru", 0.02, 1], ["steps", "gru", 0.02, 2],
        ["steps", "gru", 0.04, 1],
    ]  # fmt: skip
    assert sorted(key for key in done if key[0] == "recall" and key[1] == "gru") == [
        ["recall", "gru", 0.00075, 1], ["recall", "gru", 0.0015, 1], ["recall", "gru", 0.0015, 2],
        ["recall", "gru", 0.003, 1], ["recall", "gru", 0.006, 1],
    ]  # fmt: skip


def test_what_recalls_all_seeks_no_other_rate(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "recall", lambda flags, key: {str(n): 1.0 for n in compare.DISTANCES})
    call(compare, monkeypatch, "--seeds", "1")
    done = [json.loads(line)[0] for line in Path("out/results.jsonl").read_text().splitlines()[1:]]
    assert sorted(key for key in done if key[0] == "recall") == [
        ["recall", "gru", 0.003, 1],
        ["recall", "lstm", 0.003, 1],
    ]


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
    call(compare, monkeypatch, "--seeds", "1", "--jobs", "2", "--rates", "0.01")
    assert len(Path("out/results.jsonl").read_text().splitlines()) == 1 + 2 * (3 + 4 + 1)


def test_what_fails_ends_it_and_loses_nothing_that_runs(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, failed = threading.Barrier(2), threading.Event()

    def train(flags: Any, key: Any) -> dict[str, float]:
        begun.wait(10)
        if key[1] == "gru":
            failed.set()
            raise SystemExit("no such text")
        assert failed.wait(10)
        time.sleep(0.05)
        return {"bits": 1.0, "chars_per_second": 1000.0}

    monkeypatch.setattr(compare, "train", train)
    with pytest.raises(SystemExit, match="no such text"):
        call(compare, monkeypatch, "--seeds", "1", "--jobs", "2", "--rates", "0.01")
    assert [json.loads(line)[0][:2] for line in Path("out/results.jsonl").read_text().splitlines()[1:]] == [
        ["steps", "lstm"]
    ]


def test_what_was_measured_is_not_measured_again(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    call(compare, monkeypatch, "--seeds", "1")
    before = Path("out/results.jsonl").read_text()
    monkeypatch.setattr(compare, "train", lambda flags, key: 1 / 0)
    call(compare, monkeypatch, "--seeds", "1")
    assert Path("out/results.jsonl").read_text() == before
    with pytest.raises(ZeroDivisionError):
        call(compare, monkeypatch, "--seeds", "2")
    with pytest.raises(SystemExit, match="measured with other settings"):
        call(compare, monkeypatch, "--seeds", "1", "--minutes", "3")


def test_a_line_cut_off_is_measured_again(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    call(compare, monkeypatch, "--seeds", "1")
    before = Path("out/results.jsonl").read_text()
    for end in (-10, 10):
        Path("out/results.jsonl").write_text(before[:end])
        call(compare, monkeypatch, "--seeds", "1")
        assert sorted(Path("out/results.jsonl").read_text().splitlines()) == sorted(before.splitlines())


@pytest.mark.parametrize("cell", CELLS)
def test_sizes_of_equal_parameters(compare: ModuleType, cell: str) -> None:
    wanted = compare.parameters("lstm", 64, 2)
    size, total = compare.equal_size(64, 2, cell)
    assert abs(total / wanted - 1) < 0.02
    assert size == 64 or cell not in ("lstm", "peephole")


def test_without_matplotlib_there_is_a_word_of_it(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    call(compare, monkeypatch, "--seeds", "1")
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
def test_a_real_run_is_trained_and_scored(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    script("study_choice")
    script("recall")
    compare = script("compare_cells")
    flags = type("Flags", (), {"text": str(text), "hidden_size": 16, "num_layers": 1, "steps": 3, "recall_steps": 2})
    result = compare.train(flags, ("steps", "gru", 0.01, 1))
    assert 0 < result["bits"] < 20
    assert result["chars_per_second"] > 0
    shares = compare.recall(flags, ("recall", "rnn", 0.01, 1))
    assert list(shares) == [str(n) for n in compare.DISTANCES]
    assert all(0 <= share <= 1 for share in shares.values())
