"""Several processes against one: they learn the same, from the same data, and end together."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from charlstm.errors import InputError, RunError
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.record import RunRecord
from charlstm.text.vocab import Vocab
from charlstm.training import processes as module
from charlstm.training.board import Board
from charlstm.training.processes import ALONE, SAVE, STOP, Processes, is_launched
from charlstm.training.share import Share
from tests.conftest import TINY
from tests.several import commands, together
from tests.training.test_run import TEXT


def weights_of(file: Path) -> dict[str, Tensor]:
    return checkpoint.load(file).weights


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor], within: float = 0.0) -> None:
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=0, atol=within)


def talk(processes: Processes) -> list[object]:
    mine = torch.full((2, 3), float(processes.number))
    mean = [torch.full((4,), float(processes.number)), torch.ones(1)]
    share = processes.share(2, 8)  # of four processes, two have the same member
    processes.average(mean, share)
    spread = [torch.full((2,), float(processes.number)), torch.zeros(1)]
    processes.spread(spread, processes.count - 1)
    asked = processes.heard(STOP, processes.number == 1)
    total = processes.summed(mine)
    heard = [processes.heard(STOP, True), processes.heard(SAVE, False), processes.heard(STOP, False)]
    processes.summed(mine)
    said = processes.of_first({"of": processes.number})
    return [total.tolist(), mean[0].tolist(), spread[0].tolist(), asked, heard, processes.heard(STOP, False), said]


def test_processes_talk() -> None:
    told = together(4, talk)
    for number, each in enumerate(told):
        total, mean, spread, asked, heard, later, said = each
        assert total == [[6.0] * 3] * 2
        assert mean == [0.5 if number < 2 else 2.5] * 4
        assert spread == [3.0, 3.0]
        assert asked is False
        assert heard == [True, False, False]  # by all at once, and once
        assert later is False
        assert said == {"of": 0}


def test_alone_there_is_nobody_to_wait_for(tmp_path: Path) -> None:
    numbers = torch.ones(3)
    assert not is_launched()
    assert ALONE.summed(numbers) is numbers
    assert ALONE.heard(STOP, True)
    assert ALONE.of_first("this") == "this"
    assert ALONE.share(3, 5) == Share(0, 1, 3, 5)
    with ALONE.file_of_first(tmp_path) as path:
        assert path == tmp_path


def read_of_first(processes: Processes, path: Path) -> tuple[bytes, bool]:
    with processes.file_of_first(path if processes.is_first else None) as found:
        return found.read_bytes(), found == path


def test_a_file_of_the_first_one_can_be_read_by_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"contents")
    assert together(2, read_of_first, tmp_path / "file") == [(b"contents", True), (b"contents", False)]


def loses_the_other(processes: Processes, told: Path) -> None:
    """The second process fails while the first one waits for it."""
    if processes.number:
        torch.distributed.destroy_process_group()
        raise KeyError("whatever")
    try:
        processes.summed(torch.ones(1))
    except RunError as error:
        told.write_text(str(error))
        raise


def test_a_process_that_is_lost_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises((RunError, SystemExit)):  # whoever fails first says so, and the other one says nothing
        together(2, loses_the_other, tmp_path / "told")
    told = (tmp_path / "told").read_text()
    assert told.startswith("process 0 of 2, on ")
    assert "has lost another (" in told
    assert "\n" not in told


def test_threads_are_shared_by_the_processes_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(module, "cores_here", lambda: 8)
    together = module.Together(Board(torch.distributed.HashStore(), 0, 4), 2)
    try:
        assert (together.use_threads(None), torch.get_num_threads()) == (8, 4)
        assert (together.use_threads(2), torch.get_num_threads()) == (2, 1)
        assert (together.use_threads(1), torch.get_num_threads()) == (1, 1)
        torch.set_num_threads(3)
        assert ALONE.use_threads(None) == 3
    finally:
        torch.set_num_threads(before)


TRAINED = [*TINY, "--steps", "24", "--dropout", "0.3", "--recurrent-dropout", "0.2", "--threads", "2"]


def trained(count: int, text: Path, name: str, *flags: str) -> Path:
    """The run's folder, after `count` processes have trained."""
    arguments = [str(text), *TRAINED, "--name", name, *flags]
    ended = commands(count, "train", arguments)
    assert [each.status for each in ended] == [0] * count, ended
    return Path("checkpoints") / name


def test_members_learn_bit_for_bit_what_they_learn_in_one_process(text: Path) -> None:
    """With as many threads for each: products of matrices are added up in another order on two."""
    size = ["--hidden-size", "96", "--batch-size", "16", "--seq-len", "32", "--ensemble-size", "2"]
    one, two = (trained(count, text, f"of{count}", *size, "--threads", str(count)) for count in (1, 2))
    for file in ("last.pt", "best.pt"):
        assert_close(weights_of(two / file), weights_of(one / file))
    ours, theirs = (checkpoint.load(run / "last.pt").learning for run in (one, two))
    assert ours
    assert theirs
    assert torch.equal(ours.state.h, theirs.state.h)
    assert ours.optimizer.keys() == theirs.optimizer.keys()
    for name, averages in ours.optimizer.items():
        assert_close(averages, theirs.optimizer[name])


def losses(processes: Processes, characters: str, steps: int) -> tuple[list[float], list[list[int]]]:
    """The loss of each step, and the beginnings of the lanes that are read here."""
    from tests.training.test_trainer import PLAN, trainer

    run = trainer(characters=characters, processes=processes)
    found = []
    for _ in range(steps):
        before = run.progress.nats
        run.train_step(PLAN)
        found.append((run.progress.nats - before) / (3 * 5))
    x, _ = run.lanes.batch(7, run.share.lanes)
    return found, x.tolist()


@pytest.mark.parametrize("documents", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow), 4])
def test_lanes_teach_what_they_teach_one_process(count: int, documents: bool) -> None:
    """Over 200 steps the losses stay within 1e-4. Four processes have two members and three lanes, in halves."""
    from charlstm.text.vocab import END

    characters = f"\n abcd{END}" if documents else "\n abcde"
    expected, read = losses(ALONE, characters, 200)
    several = together(count, losses, characters, 200)
    for found, _ in several:
        torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=0, atol=1e-4)
    parts = Share(0, count, 2, 3).parts
    assert [row for _, rows in several[:parts] for row in rows] == read


def goes_on(processes: Processes, file: Path, steps: int, members: int) -> None:
    """Some more steps after those in a checkpoint, which the first process then replaces."""
    from tests.training.test_trainer import CONFIG, PLAN, SHAPE, trainer

    shape = replace(SHAPE, ensemble_size=members)
    run = trainer(replace(CONFIG, batch_size=6), shape=shape, processes=processes)
    if file.exists():
        saved = checkpoint.load(file)
        assert saved.progress
        assert saved.learning
        run.model.load_state_dict(saved.weights)
        run.restore(saved.progress, saved.learning)
    for _ in range(steps):
        run.train_step(PLAN)
    run.bring_weights()
    learning = run.learning()
    if processes.is_first:
        record = RunRecord(id="1", text=TEXT, train_config=run.config, plan=PLAN)
        contents = Checkpoint(
            run.model.config, Vocab("\n abcde"), run.model.state_dict(), record, run.progress, learning
        )
        checkpoint.save(file, contents)
    processes.of_first(None)


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize(
    "counts",
    [(2, 1, 2), pytest.param((4, 2, 3), marks=pytest.mark.slow), pytest.param((1, 3, 1), marks=pytest.mark.slow)],
)
def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path, counts: tuple[int, ...], members: int) -> None:
    """As if the first number of them had made all steps."""
    moved, stayed = tmp_path / "moved.pt", tmp_path / "stayed.pt"
    for count in counts:
        together(count, goes_on, moved, 8, members)
    together(counts[0], goes_on, stayed, 8 * len(counts), members)
    exactly = members == 2 and all(2 % count == 0 for count in counts)  # one process for each member, or for both
    assert_close(weights_of(moved), weights_of(stayed), 0.0 if exactly else 1e-5)


def told_to_end(number: int) -> None:
    def tell() -> None:
        wait_for(Path("checkpoints/told/last.pt").exists)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    if number == 1:
        threading.Thread(target=tell).start()


def test_a_signal_to_one_saves_and_ends_all(text: Path) -> None:
    arguments = [str(text), *TINY, "--steps", "1000000", "--name", "told", "--ensemble-size", "2"]
    ended = commands(2, "train", arguments, told_to_end)
    assert [each.status for each in ended] == [143, 143]
    assert "stopped at step" in ended[0].err
    assert ended[1].err == ""
    _, progress = checkpoint.load(Path("checkpoints/told/last.pt")).trained()
    assert progress.step > 0


def test_the_same_command_goes_on_with_the_run_that_it_began(text: Path) -> None:
    run = trained(2, text, "verse")
    stopped = checkpoint.load(run / "best.pt")
    checkpoint.save(run / "last.pt", stopped)
    arguments = [str(text), *TRAINED, "--name", "verse"]
    record, _ = stopped.trained()
    assert record.command.endswith(" ".join(TRAINED[-2:]) + " --name verse")
    ended = commands(3, "train", arguments)
    assert [each.status for each in ended] == [0, 0, 0]
    assert "resumed verse" in ended[0].err
    assert checkpoint.load(run / "last.pt").trained()[1].step == 24
    ended = commands(2, "train", [*arguments, "--seed", "2"])
    assert {each.status for each in ended} == {2}
    assert "a run is here already" in "".join(each.err for each in ended)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-", "--name", "piped"], "put the text into a file"),
        (["nowhere.txt"], "nowhere.txt"),
        (["TEXT", *TINY, "--batch-size", "1", "--steps", "3"], "2 processes can't share a batch of 1"),
    ],
)
def test_a_mistake_is_told_once(text: Path, flags: list[str], said: str) -> None:
    ended = commands(2, "train", [str(text) if flag == "TEXT" else flag for flag in flags])
    assert [each.status for each in ended] == [2, 2]
    lines = "".join(each.err for each in ended).splitlines()
    assert len([line for line in lines if "charlstm-train:" in line]) == 1
    assert said in lines[-1]


def test_minutes_are_rehearsed_together(text: Path) -> None:
    arguments = [str(text), "--name", "short", "--minutes", "0.05", "--dtype", "float32", "--page", "--sync-every", "7"]
    ended = commands(2, "train", arguments)
    assert [each.status for each in ended] == [0, 0], ended
    assert "2 processes, each with" in ended[0].err
    assert "page.html has the model now" in ended[0].err
    assert checkpoint.load(Path("checkpoints/short/last.pt")).trained()[0].plan.report_every % 7 == 0


def test_several_processes_score_what_one_scores(text: Path, run: Callable[..., Path]) -> None:
    folder = run("--steps", "20", "--ensemble-size", "2")
    for flags in ([], ["--context", "16"], ["--dynamic"], ["--per-line"]):
        arguments = [str(folder), "--json", *flags]
        (first, second), (expected,) = commands(2, "evaluate", arguments), commands(1, "evaluate", arguments)
        assert (first.status, second.status, second.out) == (0, 0, "")
        assert figures(first.out) == pytest.approx(figures(expected.out), abs=1e-5)


def figures(out: str) -> list[float]:
    return [float(figure) for figure in re.findall(r'"bits_per_char": ([\d.]+)', out)]


KILLS = int(os.environ.get("CHARLSTM_KILLS", "4"))
"""How often a process is killed."""


@pytest.mark.slow
@pytest.mark.parametrize("members", [1, 2])
def test_a_run_whose_processes_are_killed_ends_as_if_nothing_had_been(text: Path, members: int) -> None:
    """At random moments, also while it begins; `torchrun` starts it again each time."""
    steps, moments = 300 * KILLS, random.Random(members)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--monitor-interval", "0.1"]
    command = ["-m", "charlstm.train", str(text), *TINY, "--dropout", "0.1", "--ensemble-size", str(members)]
    command += ["--steps", str(steps), "--checkpoint-every", "20"]
    stayed = [*torchrun, "--master-port", str(free_port()), *command, "--name", "stayed"]
    subprocess.run(stayed, check=True, capture_output=True)

    restarts = ["--max-restarts", str(2 * KILLS), "--master-port", str(free_port())]
    killed = subprocess.Popen([*torchrun, *restarts, *command, "--name", "killed"], stderr=subprocess.PIPE, text=True)
    for number in range(KILLS):
        if number % 3 == 0:
            time.sleep(moments.uniform(0.5, 4.0))
        else:  # when it has learned something since
            before = step_of(Path("checkpoints/killed"))
            wait_for(lambda before=before: step_of(Path("checkpoints/killed")) > before)
            time.sleep(moments.uniform(0.0, 0.5))
        wait_for(lambda: len(children_of(killed.pid)) == 2)
        os.kill(moments.choice(children_of(killed.pid)), signal.SIGKILL)
        wait_for(lambda: len(children_of(killed.pid)) < 2)
    _, told = killed.communicate(timeout=500)
    assert killed.returncode == 0, told
    runs = [Path("checkpoints") / name / "last.pt" for name in ("stayed", "killed")]
    assert_close(*map(weights_of, runs))
    assert checkpoint.load(runs[1]).trained()[1].step == steps


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def children_of(number: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            _, _, fields = stat.read_text().rpartition(") ")
            state, parent = fields.split()[:2]
            if int(parent) == number and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def step_of(folder: Path) -> int:
    """How far the run in a folder is; -1 before it has begun."""
    try:
        return checkpoint.load(folder / "last.pt").trained()[1].step
    except InputError:
        return -1


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
