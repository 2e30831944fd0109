"""On NVIDIA's devices: a model's way forward and back as one launch each, where hundreds would take longer to begin."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from charlstm.errors import Notice
from charlstm.model.stack import State


class Forward(Protocol):
    """A way through a member of a model."""

    def __call__(self, ids: Tensor, state: State, generator: torch.Generator | None = None, /) -> tuple[Tensor, State]:
        """ids [B, T], state → logits [B, T, V], state."""


def graphed(member: nn.Module, ids: Tensor, state: State, autocast: bool) -> Forward:
    """A member of a model, for training, recorded as CUDA graphs. Ids of another shape take the usual way.

    What it returns is overwritten by its next call. Its random numbers are the device's own.

    Args:
        member: on a CUDA device; it is put in training mode.
        ids, state: of the shapes that are recorded.
        autocast: to bfloat16, which is recorded too.
    """
    member.train()
    try:
        # A cast that the cache keeps from outside of the recording would be missing in it.
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast, cache_enabled=False):
            # The recording keeps what it is made with, and writes its later inputs there.
            sample = tuple(tensor.clone() for tensor in (ids, *state))
            recorded: Any = torch.cuda.make_graphed_callables(_Flat(member), sample)
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        warnings.warn(f"trains without CUDA graphs, which a small model misses ({why})", Notice, stacklevel=2)
        return member

    def forward(x: Tensor, before: State, generator: torch.Generator | None = None) -> tuple[Tensor, State]:
        if x.shape != ids.shape:
            logits, after = member(x, before, generator)
            return logits, after
        logits, h, c = recorded(x, *before)
        return logits, State(h, c)

    return forward


class _Flat(nn.Module):
    """A member with nothing but tensors going in and out."""

    def __init__(self, member: nn.Module) -> None:
        super().__init__()
        self.member = member

    def forward(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, state = self.member(ids, State(h, c))
        return logits, *state
