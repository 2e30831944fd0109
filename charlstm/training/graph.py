"""On NVIDIA's devices: a model's way forward and back as one launch each, where hundreds would take longer to begin."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from charlstm.errors import Notice
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State

Each = Callable[[Tensor, State], tuple[list[Tensor], State]]
"""What `CharLSTM.each` does."""


def graphed(model: CharLSTM, batch_size: int, seq_len: int, autocast: bool) -> Each:
    """`model.each` for training, recorded as CUDA graphs for ids of this shape; other shapes take the usual way.

    What it returns is overwritten by its next call.

    Args:
        model: on a CUDA device; it is put in training mode.
        autocast: to bfloat16, which is recorded too.
    """
    model.train()
    ids = torch.zeros(batch_size, seq_len, dtype=torch.long, device=model.device)
    try:
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast, cache_enabled=False):
            recorded: Any = torch.cuda.make_graphed_callables(_Flat(model), (ids, *model.initial_state(batch_size)))
    except RuntimeError as error:
        warnings.warn(f"trains without CUDA graphs, which a small model misses ({error})", Notice, stacklevel=2)
        return model.each

    def each(x: Tensor, state: State) -> tuple[list[Tensor], State]:
        if x.shape != ids.shape:
            return model.each(x, state)
        *logits, h, c = recorded(x, *state)
        return logits, State(h, c)

    return each


class _Flat(nn.Module):
    """`each` with nothing but tensors going in and out."""

    def __init__(self, model: CharLSTM) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        logits, state = self.model.each(ids, State(h, c))
        return *logits, *state
