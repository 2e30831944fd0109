"""Which weights are decayed, and how fast each learns at each step."""

from __future__ import annotations

import torch
from torch import Tensor

from charlstm.config import TrainConfig
from charlstm.model.charlstm import CharLSTM

WARMUP_STEPS = 100
"""Steps until the learning rate is at its peak; in a run of fewer than a thousand, a tenth of it."""

INPUT_PACE = 0.3
"""The learning rate of the embedding and of the lowest layer's input weights, relative to the others'.

They are factors of one matrix: each step moves it by both.
"""


def make_optimizer(model: CharLSTM, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) that decays matrices and leaves biases alone.

    There is a group for each weight, with its name, matrices first; `pace` multiplies its learning rate.
    """
    paces: dict[Tensor, float] = {}
    for member in model.each:
        paces[member.stack.cells[0].weight_ih] = INPUT_PACE
        if not model.config.tie_weights:  # otherwise the embedding is the output's matrix, too
            pace = member.stack.cells[-1].head_pace
            paces |= {member.embedding.weight: INPUT_PACE, member.head.weight: pace, member.head.bias: pace}
    groups = [
        {
            "params": [weight],
            "name": name,
            "pace": paces.get(weight, 1.0),
            "weight_decay": config.weight_decay if weight.ndim >= 2 else 0.0,
        }
        for name, weight in sorted(model.named_parameters(), key=lambda named: named[1].dim(), reverse=True)
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, rate: float, betas: tuple[float, float]) -> None:
    """Set the learning rate of the next step, which each weight takes at its pace, and the decay of Adam's averages."""
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = rate * group["pace"], betas


def averages_of(optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Tensor]]:
    """Adam's averages, by the name of the weight; empty before the first step."""
    states = {group["name"]: optimizer.state[group["params"][0]] for group in optimizer.param_groups}
    return {name: dict(state) for name, state in states.items() if state}


def restore_averages(optimizer: torch.optim.Optimizer, averages: dict[str, dict[str, Tensor]]) -> None:
    """Put back what `averages_of` gave. The groups' settings come from the code."""
    groups = optimizer.state_dict()["param_groups"]
    state = {i: averages[group["name"]] for i, group in enumerate(groups) if group["name"] in averages}
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The rate of step `step` of `steps`, counted from 0: a linear warm-up, then a line down to zero.

    It depends on nothing else, so that a resumed run has the rates of one that never stopped.
    """
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    return peak * min(1.0, (step + 1) / warmup) * max(0.0, 1 - step / steps)
