"""How fast several processes train, beside what a model of a step's time says; and what talking seldom costs.

    python scripts/bench_processes.py                            1, 2 and 4 processes on this machine
    python scripts/bench_processes.py --rate 100mbit             each in a network of its own; needs ip, tc and root
    python scripts/bench_processes.py --text novel.txt           --sync-every 1, 10 and 50: bits and bytes

The model of a step's time has two parts:

    step = computing + messages
    messages = wait + 2 (P - 1) / P · bytes / rate        of P processes that share the lanes; else nothing but a wait

Computing is measured with all processes at work, and without messages. Wait and rate are those of messages alone: of a
few bytes, and of as many as a step sends. Processes on one machine share its cores: there, only the model's error says
something. From the speed of one process and the network's figures follows what 8, 64 and 512 machines would do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    buffer = [torch.zeros(weights)]
    found: dict[str, list[float]] = {"step": [], "computing": [], "few bytes": [], "gradients": []}
    contests: dict[str, Callable[[], object]] = {
        "step": lambda: trainer.train_step(plan),
        "computing": lambda: mute.train_step(plan),
        "few bytes": lambda: processes.summed(torch.zeros(2)),
        "gradients": lambda: processes.average(buffer, whole),
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
    per_step = flags.batch_size * flags.seq_len
    for division, members in DIVISIONS.items():
        yield f"{members} of 1 x {flags.hidden_size}, {flags.batch_size} x {flags.seq_len}: {division} divided"
        yield line("processes", "chars/s", "step ms", "model ms", "error", "computing ms", "few bytes ms", "all ms")
        found: dict[str, float] = {}
        for count in COUNTS:
            with places(count, flags.rate) as at:
                command = [sys.executable, __file__, *given, "--only", division]
                found = json.loads(finished(launch(command, at)))
            model = predicted(division, count, found)
            error = f"{model / found['step'] - 1:+.0%}"
            times = [f"{1e3 * found[name]:.2f}" for name in ("computing", "few bytes", "gradients")]
            speed = f"{per_step / found['step']:,.0f}"
            yield line(count, speed, f"{1e3 * found['step']:.1f}", f"{1e3 * model:.1f}", error, *times)
            if count == 1:
                alone = found
        yield from far(division, alone, found, per_step)


SIZE = ("hidden_size", "batch_size", "seq_len", "steps")


def predicted(division: str, count: int, found: dict[str, float]) -> float:
    """Seconds of a step by the model, from what its parts take alone."""
    messages = found["few bytes"] + (found["gradients"] if division == "lanes" and count > 1 else 0.0)
    return found["computing"] + messages


def far(division: str, alone: dict[str, float], network: dict[str, float], per_step: int) -> Iterator[str]:
    """What the model says of more machines than there are here, each as fast as one process here."""
    most = max(COUNTS)
    factor = 2 * (most - 1) / most
    rate = factor * network["bytes"] / max(network["gradients"] - network["few bytes"], 1e-9)
    yield f"  messages at {rate / 1e6:,.0f} MB/s, after {1e3 * network['few bytes']:.2f} ms; by the model:"
    for count in LATER:
        wait = network["few bytes"] * np.log2(count) / np.log2(most)
        computing = alone["computing"] / DIVISIONS[division]  # of one member
        if division == "members":  # each machine has one more member, and the same batch
            step, work = computing + wait, count * per_step
        else:  # each machine has a batch of its own
            step = computing + 2 * wait + 2 * (count - 1) / count * network["bytes"] / rate
            work = count * per_step
        share = work / step / (count * per_step / computing)
        yield f"  {count:4} machines: a step of {1e3 * step:,.1f} ms; each computes {share:.0%} of the time"


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
