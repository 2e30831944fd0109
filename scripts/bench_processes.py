"""How fast several processes train, beside what a model of a step's time says; and what talking seldom costs.

    python scripts/bench_processes.py                            1, 2 and 4 processes on this machine
    python scripts/bench_processes.py --rate 100mbit             each in a network of its own; needs ip, tc and root
    python scripts/bench_processes.py --text novel.txt           --sync-every 1, 10 and 50: bits and bytes

The model of a step's time has two parts:

    step = computing + message of a few bytes + message of the gradients
    message = wait · log2 P + 2 (P - 1) / P · bytes / rate      among P processes

Only processes that share the lanes send the gradients. Computing is measured with all processes at work, and without
messages. Wait and rate are measured with two processes, by messages of a few bytes and of 4 MB, and then hold for any
number, and for gradients of any length. Processes on one machine share its cores, and so compute more slowly; what 8,
64 and 512 machines would do follows from the speed of one process that has a machine to itself.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from launching import finished, launch, places

from charlstm.config import ModelConfig, TrainConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.saved.folder import read_metrics
from charlstm.text.split import split
from charlstm.training.plan import plan_steps
from charlstm.training.processes import Processes, joined
from charlstm.training.share import Share
from charlstm.training.trainer import Trainer

COUNTS = (1, 2, 4)
LATER = (8, 64, 512)
VOCAB = 65
MEASURED = 4_000_000
"""Bytes of the message that the rate is measured with."""

DIVISIONS = {"members": 4, "lanes": 1}
"""How many members there are, for each way in which four processes can divide the work."""


def main() -> None:
    """Measure, and print tables."""
    flags = parsed()
    if flags.only:
        with joined(torch.device("cpu")) as processes:
            found = measure(flags, processes)
            if processes.is_first:
                print(json.dumps(found))
    elif flags.text:
        print("\n".join(seldom(flags)))
    else:
        print("\n".join(speeds(flags)))


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--hidden-size", type=int, default=256, metavar="N", help="(default: 256)")
    add("--batch-size", type=int, default=32, metavar="N", help="(default: 32)")
    add("--seq-len", type=int, default=64, metavar="N", help="(default: 64)")
    add("--steps", type=int, default=0, metavar="N", help="steps of each measurement (default: 20; with --text 2000)")
    add("--rate", metavar="RATE", help="a network for each process, of this rate, such as 100mbit")
    add("--text", type=Path, metavar="FILE", help="compare --sync-every 1, 10 and 50 on this text")
    add("--processes", type=int, default=2, metavar="N", help="with --text: how many (default: 2)")
    add("--only", choices=list(DIVISIONS), help=argparse.SUPPRESS)
    flags = parser.parse_args()
    flags.steps = flags.steps or (2000 if flags.text else 20)
    return flags


class Mute(Processes):
    """Processes that share the work and say nothing to each other."""

    def __init__(self, processes: Processes) -> None:
        self.number, self.count, self.local_count = processes.number, processes.count, processes.local_count


def measure(flags: argparse.Namespace, processes: Processes) -> dict[str, float]:
    """Seconds of a step, of its computing, of a message of a few bytes, and of one as long as the gradients."""
    processes.use_threads(None)
    trainer, mute = (make(flags, each) for each in (processes, Mute(processes)))
    weights = sum(weight.numel() for weight in trainer.members.members[0].parameters())
    plan = plan_steps(10**6, 1)
    whole = Share(processes.number, processes.count, 1, processes.count)
    buffer = [torch.zeros(MEASURED // 4)]
    found: dict[str, list[float]] = {"step": [], "computing": [], "few bytes": [], "many bytes": []}
    contests: dict[str, Callable[[], object]] = {
        "step": lambda: trainer.train_step(plan),
        "computing": lambda: mute.train_step(plan),
        "few bytes": lambda: processes.summed(torch.zeros(2)),
        "many bytes": lambda: processes.average(buffer, whole),
    }
    for round_ in range(flags.steps + 3):
        for name, do in contests.items():
            processes.summed(torch.zeros(1))  # begin together
            began = time.perf_counter()
            do()
            if round_ >= 3:
                found[name].append(time.perf_counter() - began)
    return {**{name: statistics.median(each) for name, each in found.items()}, "bytes": 4.0 * weights}


def make(flags: argparse.Namespace, processes: Processes) -> Trainer:
    """A trainer on random text."""
    shape = ModelConfig(
        vocab_size=VOCAB, hidden_size=flags.hidden_size, ensemble_size=DIVISIONS[flags.only], dropout=0.1
    )
    config = TrainConfig(steps=10**6, batch_size=flags.batch_size, seq_len=flags.seq_len, dtype="float32", device="cpu")
    ids = np.random.default_rng(0).integers(0, VOCAB, flags.batch_size * flags.seq_len * 40, dtype=np.uint8)
    trainer = Trainer(CharLSTM.seeded(shape, 1), split(ids, 0.1, 0.0, flags.seq_len, None), config, processes=processes)
    trainer.model.train()
    return trainer


def speeds(flags: argparse.Namespace) -> Iterator[str]:
    """A table for each way to divide the work, and what follows from the model."""
    given = [f"--{name.replace('_', '-')}={getattr(flags, name)}" for name in SIZE]
    for division, members in DIVISIONS.items():
        yield f"{members} of 1 x {flags.hidden_size}, {flags.batch_size} x {flags.seq_len}: {division} divided"
        found = {}
        for count in COUNTS:
            with places(count, flags.rate) as at:
                command = [sys.executable, __file__, *given, "--only", division]
                found[count] = json.loads(finished(launch(command, at)))
        network = Network.between_two(found[2])
        yield f"a message waits {1e3 * network.wait:.2f} ms, and has {network.rate / 1e6:,.0f} MB/s"
        yield line("processes", "chars/s", "step ms", "computing ms", "model ms", "error")
        for count, each in found.items():
            model = each["computing"] + network.seconds(count, each["bytes"] * (division == "lanes"))
            speed = f"{flags.batch_size * flags.seq_len / each['step']:,.0f}"
            times = [f"{1e3 * seconds:.1f}" for seconds in (each["step"], each["computing"], model)]
            yield line(count, speed, *times, f"{model / each['step'] - 1:+.0%}")
        computing = found[1]["computing"] / members  # of one member, or of one batch, on a machine of its own
        for count in LATER:
            step = computing + network.seconds(count, found[1]["bytes"] * (division == "lanes"))
            yield line(count, "", f"{1e3 * step:.1f}", f"{1e3 * computing:.1f}", f"{computing / step:.0%} computing")


SIZE = ("hidden_size", "batch_size", "seq_len", "steps")


class Network(NamedTuple):
    """What a message takes between two processes: seconds before anything comes, and then bytes in a second."""

    wait: float
    rate: float

    @classmethod
    def between_two(cls, found: dict[str, float]) -> Network:
        """From the messages of two processes, each of which sends as many bytes as the message has."""
        return cls(found["few bytes"], MEASURED / max(found["many bytes"] - found["few bytes"], 1e-9))

    def seconds(self, count: int, size: float) -> float:
        """Of the messages of a step: a short one, and one of so many bytes if these aren't 0."""
        if count == 1:
            return 0.0
        wait = self.wait * math.log2(count)
        return wait + (wait + 2 * (count - 1) / count * size / self.rate if size else 0.0)


def seldom(flags: argparse.Namespace) -> Iterator[str]:
    """A table of `--sync-every`."""
    yield line("sync-every", "bits/char", "chars/s", "kB a step")
    for every in (1, 10, 50):
        with tempfile.TemporaryDirectory() as folder, places(flags.processes, flags.rate) as at:
            command = [sys.executable, "-m", "charlstm.train", str(flags.text.resolve()), f"--sync-every={every}"]
            command += [f"--{name.replace('_', '-')}={getattr(flags, name)}" for name in SIZE]
            command += ["--learning-rate=0.005", "--name=run", f"--checkpoints={folder}", "--dropout=0"]
            before = at[-1].sent()
            finished(launch(command, at))
            bytes_sent = (at[-1].sent() - before) / (flags.processes if at[-1].interface == "lo" else 1)
            last = read_metrics(Path(folder) / "run" / "metrics.jsonl", flags.steps)[-1]
        yield line(
            every,
            f"{last['val_bits_per_char']:.4f}",
            f"{last['chars_per_second']:,.0f}",
            f"{bytes_sent / flags.steps / 1e3:,.1f}",
        )


def line(*cells: Any) -> str:
    """A row of a table."""
    return "".join(f"{cell:>14}" for cell in cells)


if __name__ == "__main__":
    main()
