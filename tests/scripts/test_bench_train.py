from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SIZE = ["--hidden-size=8", "--embedding-dim=4", "--batch-size=2", "--seq-len=8"]


@pytest.fixture
def bench(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr("charlstm.device.keep_freed_memory", lambda: None)
    for name in ("turns", "training_contests", "nanogpt_contest"):
        script(name)
    return script("bench_train")


@pytest.mark.parametrize("members", [1, 2])
def test_every_contestant_trains(
    bench: ModuleType, members: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in bench.CONTESTANTS:
        if name != "Keras":
            size = [*SIZE, f"--ensemble-size={members}", "--steps=1"]
            monkeypatch.setattr(sys, "argv", ["bench_train.py", *size, "--only", name])
            bench.main()
            figure = json.loads(capsys.readouterr().out)
            assert "bfloat16 on this processor" in figure if isinstance(figure, str) else figure > 0


def test_a_processor_that_lacks_a_kind_of_number_is_told(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(step: object, steps: int) -> float:
        raise RuntimeError(failure)

    contests = sys.modules["training_contests"]
    monkeypatch.setattr(contests, "seconds_each", fail)
    failure = "could not create a primitive descriptor for an LSTM forward propagation primitive"
    with pytest.raises(contests.LeftOut, match="in bfloat16 on this processor"):
        contests.plain(bench.Size(8), 1, "bfloat16")
    failure = "out of memory"
    with pytest.raises(RuntimeError, match="out of memory"):
        contests.plain(bench.Size(8), 1, "bfloat16")


SECONDS = {"charlstm": 0.002, "charlstm, without numba": 0.004, "its matrix products alone": 0.001}


def print_table(bench: ModuleType, monkeypatch: pytest.MonkeyPatch, flags: list[str]) -> list[tuple[str, str]]:
    """Run `main` with contestants that take `SECONDS`. Returns their first argument and their name, in turns."""
    turns: list[tuple[str, str]] = []

    def in_own_process(python: str, file: str, arguments: list[str]) -> float:
        turns.append((arguments[0], arguments[-1]))
        if "autocast" in arguments[-1]:
            raise sys.modules["turns"].LeftOut("no such numbers")
        return SECONDS.get(arguments[-1], 0.008)

    monkeypatch.setattr("turns.in_own_process", in_own_process)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "numba" or None)
    monkeypatch.setattr(sys, "argv", ["bench_train.py", *flags])
    bench.main()
    return turns


def test_they_take_turns_and_the_shares_are_told(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = print_table(bench, monkeypatch, [*SIZE, "--rounds=2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 x 8: embedding 4, 2 x 8 characters a step"
    table = {line[:32].strip(): line[32:].split() for line in lines[1:]}
    assert table["characters per second"] == ["1", "x", "8"]
    assert table["charlstm, without numba"] == ["2.00"]  # in the last part: so many times as fast
    assert table["its matrix products alone"] == ["0.50"]
    assert table["plain PyTorch, float32"] == ["4.00"]
    assert "plain PyTorch, autocast" not in table
    assert [line.split()[-1] for line in lines if line.startswith("  charlstm")] == [
        "8,000",
        "4,000",
        "50%",
        "25%",
        "2.00",
    ]
    names = [name for name in bench.CONTESTANTS if name != "Keras"]
    assert turns == [("--hidden-size=8", name) for name in [*names, *(n for n in names if "autocast" not in n)]]


def test_without_a_size_there_are_those_that_people_train(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(bench, monkeypatch, ["--rounds=1"])
    lines = capsys.readouterr().out.splitlines()
    sizes = ["1 x 384", "2 of 1 x 384", "1 x 512", "1 x 1024"]
    assert [line.partition(":")[0] for line in lines[:4]] == sizes
    assert lines[4].split() == ["characters", "per", "second", *" ".join(sizes).split()]
    assert lines[5].split() == ["charlstm", "1,024,000", "1,024,000", "1,024,000", "3,200,000"]


def test_the_embedding_is_as_long_as_the_package_chooses(bench: ModuleType) -> None:
    from charlstm.config import ModelConfig

    assert bench.Size().embedding_dim == ModelConfig(vocab_size=2).embedding_dim


CHECKOUT = {
    "data/shakespeare_char/prepare.py": "import requests; open('seen', 'w').write(open('input.txt').read())",
    "train.py": "import sys; assert '--max_iters=2000' in sys.argv; print(open('data/shakespeare_char/seen').read())"
    "; print('step 0: train loss 4.1, val loss 4.2\\nstep 9: train loss 1.1, val loss 1.9375')",
}


def test_nanogpt_and_the_package_train_for_the_same_time(
    bench: ModuleType, text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, program in CHECKOUT.items():
        file = Path("checkout", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(program)
    contest, asked = sys.modules["nanogpt_contest"], []
    run = contest.run

    def recorded(arguments: list[str], folder: Path) -> str:
        asked.append(arguments)
        if "-m" not in arguments:
            return str(run(arguments, folder))
        return '{"nats_per_char": 1.5}'

    monkeypatch.setattr(contest, "run", recorded)
    monkeypatch.setattr(sys, "argv", ["bench_train.py", "--nanogpt", "checkout", "--text", str(text)])
    bench.main()
    lines = capsys.readouterr().out.splitlines()
    assert [float(line.split(" s", 1)[1].split()[0]) for line in lines] == [1.9375, 1.5, 1.5]
    seconds = float(lines[0].split()[1])
    assert abs(float(lines[1].split()[2]) * 60 - seconds) < 0.1
    assert asked[2][1:3] == ["charlstm.train", str(text.resolve())]
    assert asked[-1][-1] == "--context=64"
    assert sorted(file.name for file in Path("checkout").rglob("*")) == [
        "data",
        "prepare.py",
        "shakespeare_char",
        "train.py",
    ]


@pytest.mark.slow
def test_the_package_is_trained_and_evaluated_as_from_the_command_line(
    bench: ModuleType, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contest = sys.modules["nanogpt_contest"]
    monkeypatch.setattr(contest, "nanogpt", lambda *given: (3.0, 2.0))
    lines = list(contest.compare(Path(), text))
    assert [line.split()[0] for line in lines] == ["nanoGPT", "charlstm", "charlstm"]
    assert all(0 < float(line.split(" s", 1)[1].split()[0]) < 10 for line in lines)


def test_nanogpt_needs_a_text(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_train.py", "--nanogpt", "checkout"])
    with pytest.raises(SystemExit):
        bench.main()
