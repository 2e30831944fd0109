"""How fast each cell trains, compared with the LSTM.

    python scripts/bench_cells.py
    python scripts/bench_cells.py --num-layers 2

A step is a forward pass, a backward pass and an update. The cells take turns, one step each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from charlstm.config import CELLS, ModelConfig, TrainConfig
from charlstm.device import choose_dtype, keep_freed_memory
from charlstm.model.charlstm import CharLSTM
from charlstm.training.members import Members
from charlstm.training.optimizer import make_optimizer

VOCAB = 65


def main() -> None:
    """Print each cell's characters per second, and their ratio to the LSTM's."""
    flags = parsed()
    keep_freed_memory()
    steps = {cell: training_step(flags, cell) for cell in CELLS}
    times: dict[str, list[float]] = {cell: [] for cell in CELLS}
    for _ in range(2 + flags.rounds):  # the first two warm up and don't count
        for cell, step in steps.items():
            began = time.perf_counter()
            step()
            times[cell].append(time.perf_counter() - began)
    seconds = {cell: statistics.median(each[2:]) for cell, each in times.items()}
    print(f"{flags.num_layers} x {flags.hidden_size}, {flags.batch_size} x {flags.seq_len} a step")
    for cell, each in seconds.items():
        speed = flags.batch_size * flags.seq_len / each
        print(f"{cell:<18}{speed:>9,.0f} chars/s{seconds['lstm'] / each:>8.2f} times the LSTM's")


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for flag, default in {"hidden-size": 512, "num-layers": 1, "batch-size": 32, "seq-len": 64, "rounds": 40}.items():
        parser.add_argument(f"--{flag}", type=int, default=default, metavar="N", help=f"(default: {default})")
    return parser.parse_args()


def training_step(flags: argparse.Namespace, cell: str) -> Callable[[], None]:
    """A function that trains a model with this cell for one step."""
    shape = ModelConfig(vocab_size=VOCAB, hidden_size=flags.hidden_size, num_layers=flags.num_layers, cell=cell)
    model, batch = CharLSTM(shape).train(), (flags.batch_size, flags.seq_len)
    autocast = choose_dtype("auto", model.device) == "bfloat16"
    members, optimizer = Members(model, batch, autocast), make_optimizer(model, TrainConfig(steps=1))
    x, y = torch.randint(VOCAB, (2, *batch))
    state = model.initial_state(flags.batch_size)

    def step() -> None:
        nonlocal state
        optimizer.zero_grad()
        _, state = members.backward(x, y, state, seed=1, step=0)
        members.clip(1.0)
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
