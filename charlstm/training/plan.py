"""From a length as people give it to steps, reports and validation, fixed before the first step."""

from __future__ import annotations

from dataclasses import dataclass

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
