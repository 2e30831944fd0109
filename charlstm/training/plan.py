"""What to do with a text and a time, fixed before the first step: the settings, the steps, the reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charlstm.config import flag_of
from charlstm.model.cells import CELLS
from charlstm.saved.record import Plan

REPORTS = 10
"""Reports in a run that isn't long."""

FRESH_EVERY = 64
"""Steps after which a lane begins again with a zero state."""

LONGEST_INTERVAL = 1000
"""Steps between two reports at most."""


def plan_steps(steps: int, characters_per_step: int, reports: int = REPORTS, sync_every: int = 1) -> Plan:
    """Ten reports or fewer, and one every thousand steps in a long run; at steps after which processes know the same.

    A report validates on 1/16 as many characters as were trained since the last one. The forward pass alone costs about
    a third of a training step, so that validation takes about 1/48 of the time.
    """
    report_every = -(-min(LONGEST_INTERVAL, -(-steps // reports)) // sync_every) * sync_every
    beta1, beta2 = _betas(steps)
    return Plan(
        steps=steps,
        report_every=report_every,
        val_characters=report_every * characters_per_step // 16,
        fresh_every=FRESH_EVERY,
        beta1=beta1,
        beta2=beta2,
    )


def _betas(steps: int) -> tuple[float, float]:
    """The decay of Adam's averages: shorter averages in a short run, where more changes from step to step.

    (0.8, 0.95) up to 1,500 steps, (0.9, 0.99) from 3,000 on, and values between them in between.
    """
    length = min(1.0, max(0.0, math.log2(steps / 1500)))
    return 0.8 + 0.1 * length, 0.95 + 0.04 * length


PROBE_SIZE, PROBE_BATCH, PROBE_LEN = 512, 32, 64
"""Units, batch size and sequence length of the probe: its speed tells how much computing fits into the time."""

OVERHEAD = 300_000
"""The cost of a character besides its matrix products, as the number of multiplications that take the same time.

It depends on the machine: 100,000 was measured with compiled loops and products in float32, and 1,200,000 without loops
and in bfloat16, where products are faster. This is a value between them. The choice doesn't depend on it much.
"""

FED = 14
"""A layer of n units is worth its size once it has seen FED · n² characters; with fewer, a smaller one learns more."""

READ_ENOUGH = 14
"""Epochs after which a text is worth a layer of `PROBE_SIZE` units, however short it is, with dropout."""

WEIGHTS_A_CHARACTER = 24
"""The most recurrent weights for each character of the text."""

MOST_EPOCHS = 50
"""The most epochs: after these, a model only learns the text by heart."""

PAIR = 2.9
"""Epochs from which on two models that share the time learn more than one."""

MOST_MEMBERS = 10
"""The largest ensemble."""

SIZES = range(64, 4097, 64)
"""The hidden sizes to choose from."""

BATCHES = {16: 1200, 32: 10_000, 64: 10_000, 128: 10_000, 256: math.inf}
"""Batch sizes, and the most steps for each. A larger batch is read faster, but less is learned from each character."""

MOST_NUMBERS = 1 << 27
"""The most numbers that a step keeps for its backward pass, unless 16 lanes need more; 8 bytes each with gradients."""


@dataclass(frozen=True)
class Choice:
    """A value for a setting of `ModelConfig` or `TrainConfig`, and why it is this one."""

    setting: str
    value: float
    reason: str

    def __str__(self) -> str:
        return f"{flag_of(self.setting)} {self.value:g}".ljust(26) + self.reason


def choose(characters: int, vocab_size: int, seconds: float, speed: float, given: Mapping[str, Any]) -> list[Choice]:
    """What an experienced person would train. The evidence is in docs/EXPERIMENTS.md, and most of it is of LSTMs.

    Args:
        characters: that there are to learn from.
        seconds: to learn in.
        speed: characters that the probe learns in a second, on this machine.
        given: settings that are fixed already.

    Returns:
        values for the settings that aren't.
    """
    choices: list[Choice] = []

    def settle(setting: str, value: float, reason: str) -> Any:
        if setting in given:
            return given[setting]
        choices.append(Choice(setting, value, reason))
        return value

    cell = CELLS[given.get("cell", "lstm")]
    if cell.lowest:
        layers = settle("num_layers", 2, "what is special in this cell is between two layers")
    else:
        layers = settle("num_layers", 1, "one wide layer learns faster than several narrow ones")

    budget = seconds * speed * _work(PROBE_SIZE, 1, vocab_size)  # in multiplications

    def epochs_of(size: int) -> float:
        return budget / _work(size, layers, vocab_size) / characters

    def members_of(size: int) -> int:
        return int(given.get("ensemble_size", _members(epochs_of(size))))

    sizes = [size for size in SIZES if _is_worth(size, characters, epochs_of(size), members_of(size))]
    size = settle("hidden_size", max(sizes, default=SIZES[0]), "units: as many as such a text feeds in the time")
    epochs = epochs_of(size)
    times = f"{epochs:,.0f}" if epochs >= 10 else f"{epochs:.2g}"
    shared = ", better shared by several models" if members_of(size) > 1 else ""
    members = settle("ensemble_size", members_of(size), f"there is time to read the text {times} times{shared}")

    epochs = min(epochs / members, MOST_EPOCHS)
    for setting, dropped in (
        ("dropout", min(0.6, 0.25 * math.log2(max(1.0, epochs / 3)))),
        ("recurrent_dropout", min(0.5, 0.15 * math.log2(max(1.0, epochs / 8)))),
    ):
        often = "the more often a model reads the text, the more, lest it learn it by heart"
        settle(setting, round(dropped, 2), often if dropped else "a text read so seldom isn't learned by heart")

    length = settle("seq_len", PROBE_LEN, "to look further back takes time, and gains little")
    batch = settle("batch_size", *_lanes(characters, epochs, length, length * (vocab_size + 7 * size * layers)))
    steps = max(1.0, epochs * characters / (batch * length))
    highest = 2e-2 * math.sqrt(256 / max(256, size))
    rate = cell.learning_rate * min(highest, 1e-2 * (2000 / steps) ** 0.4 * math.sqrt(384 / size))
    settle("learning_rate", float(f"{rate:.2g}"), f"the more steps, the smaller, and there will be about {steps:,.0f}")
    return choices


def _is_worth(size: int, characters: int, epochs: float, members: int) -> bool:
    """Whether a layer of this size is worth it for a text that is read in these epochs, shared by the members."""
    learns_most = epochs >= members**1.5 * FED * size**2 / characters
    read_enough = epochs >= READ_ENOUGH and size <= PROBE_SIZE
    return (learns_most or read_enough) and 4 * size**2 <= WEIGHTS_A_CHARACTER * characters


def _lanes(characters: int, epochs: float, length: int, numbers: int) -> tuple[int, str]:
    """The batch size, and why it is this one; `numbers` is what a step keeps of a lane for its backward pass."""
    wanted = next(lanes for lanes, steps in BATCHES.items() if epochs * characters <= steps * lanes * length)
    fitting = max((lanes for lanes in BATCHES if lanes * numbers <= MOST_NUMBERS), default=min(BATCHES))
    room = max(1, (characters - 1) // length)
    reasons = {room: "as many as the text has room for", fitting: "as many as fit into memory"}
    reasons[wanted] = "the more time, the more: they are read faster, but teach less"
    lanes = min(wanted, fitting, room)
    return lanes, reasons[lanes]


def _members(epochs: float) -> int:
    """How many models share the time in which one model would read the text `epochs` times.

    One, or an even number, which two threads can share.
    """
    if epochs < PAIR:
        return 1
    return max(2, min(MOST_MEMBERS, round(math.sqrt(epochs) / 1.2)) // 2 * 2)


def _work(size: int, layers: int, vocab_size: int) -> int:
    """The cost of learning a character, in multiplications."""
    return OVERHEAD * layers + 4 * size**2 * (2 * layers - 1) + vocab_size * size
