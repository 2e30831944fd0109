"""Which weights are decayed, and how fast each learns at each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from charlstm.config import TrainConfig
from charlstm.model.charlstm import CharLSTM

WARMUP_STEPS = 100
"""Steps until the learning rate is at its peak; in a run of fewer than a thousand, a tenth of it."""

FLOOR = 0.01
"""The learning rate ends at this share of its peak."""

INPUT_PACE = 0.3
"""How fast the embedding and the lowest layer's input weights learn, in learning rates.

They are factors of one matrix, and move it together.
"""


def make_optimizer(model: CharLSTM, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) that decays matrices and leaves biases alone.

    There is a group for each weight, matrices first; its `pace` is what its learning rate is multiplied with.
    """
    slow = ["stack.layers.0.weight_ih"]
    if not model.config.tie_weights:  # then the embedding is the output's matrix, too
        slow.append("embedding.weight")
    groups = [
        {
            "params": [weight],
            "pace": INPUT_PACE if name.endswith(tuple(slow)) else 1.0,
            "weight_decay": config.weight_decay if weight.ndim >= 2 else 0.0,
        }
        for name, weight in sorted(model.named_parameters(), key=lambda named: named[1].dim(), reverse=True)
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def prepare(optimizer: torch.optim.Optimizer, rate: float, betas: tuple[float, float]) -> None:
    """Set what the next step learns at: a rate, of which each weight has its pace, and Adam's memory."""
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = rate * group["pace"], betas


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
    """Put back what the optimizer remembers of each weight. The groups' settings come from the code."""
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The rate of step `step` of `steps`, counted from 0: a linear warm-up, then a cosine down to a hundredth.

    It depends on nothing else, so that a resumed run has the rates of one that never stopped.
    """
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return peak * min(1.0, (step + 1) / warmup) * (FLOOR + (1 - FLOOR) * cosine)
