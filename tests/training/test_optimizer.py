from __future__ import annotations

import pytest

from charlstm.config import TrainConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.training.optimizer import FLOOR, WARMUP_STEPS, learning_rate, make_optimizer


def test_matrices_are_decayed_and_biases_are_not(model: CharLSTM) -> None:
    decayed, kept = make_optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    assert decayed["weight_decay"] == 0.3
    assert kept["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in kept["params"]} == {1}
    assert len(decayed["params"]) + len(kept["params"]) == len(list(model.parameters()))


def test_the_rate_warms_up_and_falls_to_its_floor() -> None:
    rates = [learning_rate(step, 5000, 1.0) for step in range(5000)]
    assert rates[0] == pytest.approx(1 / WARMUP_STEPS)
    assert rates[:WARMUP_STEPS] == sorted(rates[:WARMUP_STEPS])
    assert rates[WARMUP_STEPS:] == sorted(rates[WARMUP_STEPS:], reverse=True)
    assert max(rates) == pytest.approx(1.0, rel=0.01)
    assert rates[-1] == pytest.approx(FLOOR, rel=0.01)


def test_a_run_of_one_step_has_a_rate() -> None:
    assert learning_rate(0, 1, 0.5) == 0.5
