from __future__ import annotations

import pytest
import torch

from charlstm.config import ModelConfig, TrainConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.training.optimizer import (
    INPUT_PACE,
    WARMUP_STEPS,
    averages_of,
    learning_rate,
    make_optimizer,
    restore_averages,
    set_rates,
)


def test_matrices_are_decayed_and_biases_are_not(model: CharLSTM) -> None:
    groups = make_optimizer(model, TrainConfig(weight_decay=0.3)).param_groups
    assert {(group["params"][0].ndim, group["weight_decay"]) for group in groups} == {(2, 0.3), (1, 0)}
    assert {id(group["params"][0]) for group in groups} == {id(weight) for weight in model.parameters()}


def test_each_weight_learns_at_its_pace(model: CharLSTM) -> None:
    optimizer = make_optimizer(model, TrainConfig())
    set_rates(optimizer, rate=0.1, betas=(0.7, 0.8))
    assert {group["betas"] for group in optimizer.param_groups} == {(0.7, 0.8)}
    rates = {id(group["params"][0]): group["lr"] for group in optimizer.param_groups}
    (member,) = model.members
    lowest, next_one = member.stack.layers
    assert rates[id(member.embedding.weight)] == rates[id(lowest.weight_ih)] == pytest.approx(0.1 * INPUT_PACE)
    assert rates[id(next_one.weight_ih)] == rates[id(lowest.weight_hh)] == pytest.approx(0.1)
    assert rates[id(member.head.weight)] == rates[id(member.head.bias)] == pytest.approx(0.1 * next_one.head_pace)


def test_the_output_layer_learns_faster_above_an_lstm_than_above_other_cells() -> None:
    for cell, pace in (("lstm", 3.0), ("gru", 1.0)):
        model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, cell=cell))
        groups = make_optimizer(model, TrainConfig()).param_groups
        assert [group["pace"] for group in groups if group["params"][0] is model.members[0].head.weight] == [pace]


def test_a_matrix_that_is_both_ends_learns_at_the_common_pace() -> None:
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, tie_weights=True))
    groups = make_optimizer(model, TrainConfig()).param_groups
    assert [group["pace"] for group in groups if group["params"][0] is model.members[0].head.weight] == [1.0]


def test_what_is_restored_is_the_memory_and_not_the_settings(model: CharLSTM) -> None:
    def stepped(config: TrainConfig) -> torch.optim.AdamW:
        optimizer = make_optimizer(model, config)
        sum(weight.square().sum() for weight in model.parameters()).backward()
        optimizer.step()
        return optimizer

    before, after = stepped(TrainConfig(weight_decay=0.3)), stepped(TrainConfig(weight_decay=0.1))
    restore_averages(after, averages_of(before))
    assert after.param_groups[0]["weight_decay"] == pytest.approx(0.1)
    for group in after.param_groups:
        (weight,) = group["params"]
        assert torch.equal(after.state[weight]["exp_avg"], before.state[weight]["exp_avg"])


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(step, 5000, 1.0) for step in range(5000)]
    assert rates[0] == pytest.approx(1 / WARMUP_STEPS)
    assert rates[:WARMUP_STEPS] == sorted(rates[:WARMUP_STEPS])
    assert rates[WARMUP_STEPS:] == sorted(rates[WARMUP_STEPS:], reverse=True)
    assert max(rates) == pytest.approx(1.0, rel=0.03)
    assert rates[-1] == pytest.approx(1 / 5000)


def test_a_run_of_one_step_has_a_rate() -> None:
    assert learning_rate(0, 1, 0.5) == 0.5
