"""Which weights are decayed, and how fast they learn at each step."""

from __future__ import annotations

import math

import torch
from torch import nn

from charlstm.config import TrainConfig

WARMUP_STEPS = 100
"""Steps until the learning rate is at its peak; in a run of fewer than a thousand, a tenth of it."""

FLOOR = 0.01
"""The learning rate ends at this share of its peak."""


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) that decays matrices and leaves biases alone."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """The rate of step `step` of `steps`, counted from 0: a linear warm-up, then a cosine down to a hundredth.

    It depends on nothing else, so that a resumed run has the rates of one that never stopped.
    """
    warmup = min(WARMUP_STEPS, max(1, steps // 10))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return peak * min(1.0, (step + 1) / warmup) * (FLOOR + (1 - FLOOR) * cosine)
