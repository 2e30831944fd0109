"""What a run says of itself from time to time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a training goes: the figures since the report before, and a sample of the model's.

    Attributes:
        step, steps: the steps that are done, and those that are planned.
        epoch: how often the text was read.
        seconds: of training so far, over all sittings of the run.
        learning_rate: of the last step.
        train_bits_per_char: the mean loss in training, with dropout.
        val_bits_per_char: the loss on the validation text; None without one.
        is_best: whether no report before was better in validation.
        chars_per_second: how fast the text is learned.
        grad_norm: the mean norm of the gradient, before clipping.
        sample: a short text of the model's; None where it could write none, and `why_no_sample` says why.
    """

    step: int
    steps: int
    epoch: float
    seconds: float
    learning_rate: float
    train_bits_per_char: float
    val_bits_per_char: float | None
    is_best: bool
    chars_per_second: float
    grad_norm: float
    sample: str | None
    why_no_sample: str = ""

    def metrics(self) -> dict[str, Any]:
        """Its line of `metrics.jsonl`: numbers that aren't finite are None there."""
        return {
            "step": self.step,
            "epoch": round(self.epoch, 4),
            "seconds": round(self.seconds, 2),
            "learning_rate": self.learning_rate,
            "train_bits_per_char": _finite(self.train_bits_per_char),
            "val_bits_per_char": _finite(self.val_bits_per_char),
            "chars_per_second": round(self.chars_per_second),
            "grad_norm": _finite(self.grad_norm),
            "sample": self.sample,
        }

    def __str__(self) -> str:
        """As people see it: a line of figures, and the sample below it."""
        figures = [
            f"step {self.step:,}/{self.steps:,}",
            f"epoch {self.epoch:.2f}: {self.train_bits_per_char:.3f} bits/char in training",
        ]
        if self.val_bits_per_char is not None:
            figures.append(f"{self.val_bits_per_char:.3f} in validation{' (the best)' if self.is_best else ''}")
        figures.append(f"{self.chars_per_second:,.0f} chars/s")
        lines = (f"({self.why_no_sample})" if self.sample is None else self.sample).split("\n")
        return f"\n{', '.join(figures)}\n" + "\n".join(f"    {line}" for line in lines)


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
