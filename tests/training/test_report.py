from __future__ import annotations

import json
import math
from dataclasses import replace

from charlstm.training.report import Report

REPORT = Report(
    step=1_200,
    steps=2_400,
    epoch=1.23456,
    seconds=60.1234,
    learning_rate=0.002,
    train_bits_per_char=2.5,
    val_bits_per_char=2.25,
    is_best=True,
    chars_per_second=12_345.6,
    grad_norm=0.5,
    sample="To be,\nor not",
)


def test_people_see_a_line_and_a_sample() -> None:
    assert str(REPORT) == (
        "\nstep 1,200/2,400, epoch 1.23: 2.500 bits/char in training, 2.250 in validation (the best), 12,346 chars/s\n"
        "    To be,\n    or not"
    )
    other = replace(REPORT, val_bits_per_char=None, is_best=False, sample=None, why_no_sample="it went wrong")
    assert str(other) == (
        "\nstep 1,200/2,400, epoch 1.23: 2.500 bits/char in training, 12,346 chars/s\n    (it went wrong)"
    )


def test_metrics_are_plain_and_finite() -> None:
    metrics = replace(REPORT, train_bits_per_char=math.nan, grad_norm=math.inf).metrics()
    assert json.loads(json.dumps(metrics, allow_nan=False)) == {
        "step": 1200,
        "epoch": 1.2346,
        "seconds": 60.12,
        "learning_rate": 0.002,
        "train_bits_per_char": None,
        "val_bits_per_char": 2.25,
        "chars_per_second": 12346,
        "grad_norm": None,
        "sample": "To be,\nor not",
    }
