"""Whether an exported model computes what its checkpoint computes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from charlstm.errors import NOT_FINITE, InputError, RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State

Step = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""(ids [B], h, c) → (logits [B, V], h, c): one character of B texts; h and c are [members · layers, B, H]."""

STEPS, BATCH = 24, 3

TOLERANCE = 1e-5
"""The largest difference that float32 explains, in sums of another order. See `largest_difference`."""


def checked(model: CharLSTM, step: Step, tolerance: float = TOLERANCE) -> float:
    """The largest difference, after a comparison with the tolerance.

    Raises:
        InputError: for a model whose numbers aren't finite.
        RunError: when the difference is above the tolerance.
    """
    largest = largest_difference(model, step)
    if not largest <= tolerance:
        raise RunError(f"the exported model differs from its checkpoint by {largest:.1e}: nothing is written")
    return largest


@torch.inference_mode()
def largest_difference(model: CharLSTM, step: Step) -> float:
    """The largest difference between the numbers of two models: logits, h and c, at random ids.

    At each of `STEPS` steps both get the state that `model` has reached: a network that is sensitive to its state would
    make much of a difference in the last digit. A number of size 1 has seven digits in float32, and larger ones have
    no more: where the largest number of a tensor is above 1, differences in the tensor are relative to it.

    Raises:
        InputError: for a model whose numbers aren't finite.
    """
    generator = torch.Generator().manual_seed(0)
    state, differences = model.initial_state(BATCH), []
    for _ in range(STEPS):
        ids = torch.randint(model.config.vocab_size, (BATCH,), generator=generator)
        before = state
        logits, state = model(ids.unsqueeze(1), before)
        for wanted, found in zip((logits.squeeze(1), *state), step(ids, *before), strict=True):
            if not wanted.isfinite().all():
                raise InputError(NOT_FINITE)
            differences.append((found - wanted).abs().max() / wanted.abs().max().clamp(min=1))
    return float(torch.stack(differences).max())


class OneStep(torch.nn.Module):
    """One step of a model, as a module: (ids, h, c) → (logits, h, c), as of `Step`."""

    def __init__(self, model: CharLSTM) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, state = self.model(ids.unsqueeze(1), State(h, c))
        return logits.squeeze(1), state.h, state.c
