"""What to do with a text and a time, fixed before the first step: the settings, the steps, the reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charlstm.config import flag_of

REPORTS = 10
"""Reports in a run that isn't long."""

FRESH_EVERY = 64
"""Steps from one fresh beginning of a lane to the next."""

LONGEST_INTERVAL = 1000
"""Steps between two reports at most."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do. It is recorded in the checkpoint, so that a resumed run does the same.

    Attributes:
        steps: the last step.
        report_every: steps between reports: validation, a sample, a checkpoint.
        val_characters: how much of the validation text a report reads at most.
        fresh_every: steps after which a lane begins afresh, each lane at steps of its own; 0 for never, as in the first
            checkpoints.
    """

    steps: int
    report_every: int
    val_characters: int
    fresh_every: int = 0


def plan_steps(steps: int, characters_per_step: int, reports: int = REPORTS) -> Plan:
    """Ten reports or fewer, and one every thousand steps in a long run.

    A report reads an eighth as many characters as were learned since the last one. Reading alone costs about a third
    of learning, so that a twenty-fourth of the time goes into validation at most.
    """
    report_every = min(LONGEST_INTERVAL, -(-steps // reports))
    return Plan(
        steps=steps,
        report_every=report_every,
        val_characters=report_every * characters_per_step // 8,
        fresh_every=FRESH_EVERY,
    )


PROBE_SIZE, PROBE_BATCH, PROBE_LEN = 512, 16, 64
"""Units, lanes and characters a step of the training whose speed tells how much computing a time holds."""

BALANCED = 1.5e6
"""Characters in which a layer of `PROBE_SIZE` units learns most; in more of them a larger one does."""

SIZES = range(64, 4097, 64)
BATCHES = (16, 32, 64, 128)

MOST_STEPS = 10_000
"""From here on more lanes pay: they are read faster, and their gradient is surer."""


@dataclass(frozen=True)
class Choice:
    """A value for a setting of `ModelConfig` or `TrainConfig`, and why it is this one."""

    setting: str
    value: float
    reason: str

    def __str__(self) -> str:
        return f"{flag_of(self.setting)} {self.value:g}".ljust(24) + self.reason


def choose(characters: int, seconds: float, speed: float, given: Mapping[str, Any]) -> list[Choice]:
    """What an experienced person would train, as docs/EXPERIMENTS.md has it.

    Args:
        characters: that there are to learn from.
        seconds: to learn in.
        speed: characters that the probe learns in a second, on this machine and with the text's vocabulary.
        given: settings that are fixed already.

    Returns:
        values for the settings that aren't.
    """
    choices: list[Choice] = []

    def settle(setting: str, value: float, reason: str) -> float:
        if setting in given:
            return float(given[setting])
        choices.append(Choice(setting, value, reason))
        return value

    budget = seconds * speed
    ideal = PROBE_SIZE * (budget / BALANCED) ** 0.25
    bound = math.sqrt(5 * characters)  # 20 weights in the recurrence for each character
    why = "as large as so small a text feeds" if bound < ideal else "as large as the time feeds"
    size = settle("hidden_size", min(SIZES, key=lambda size: abs(size - min(ideal, bound))), why)
    layers = settle("num_layers", 1, "one wide layer learns faster than two narrow ones")
    length = settle("seq_len", PROBE_LEN, "")
    learned = budget / (0.25 + 0.75 * (size / PROBE_SIZE) ** 2 * (2 * layers - 1))
    epochs = learned / characters
    enough = next((batch for batch in BATCHES if learned / (batch * length) <= MOST_STEPS), BATCHES[-1])
    batch = settle("batch_size", enough, "")
    steps = max(1.0, learned / (batch * length))
    dropout = min(0.5, max(0.0, 0.15 * math.log2(max(1.0, epochs))))
    settle("dropout", round(dropout, 2), f"the text is read about {epochs:.2g} times")
    rate = min(1e-2, max(1e-3, 1e-2 * (1200 / steps) ** 0.3))
    settle("learning_rate", float(f"{rate:.1g}"), f"in about {steps:,.0f} steps")
    return choices
