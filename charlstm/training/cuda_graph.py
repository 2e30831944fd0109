"""On NVIDIA's devices: a member's forward and backward pass as one launch each, not hundreds."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from charlstm.errors import notice
from charlstm.model.charlstm import Member
from charlstm.model.stack import State


class Forward(Protocol):
    """The contract of a member."""

    def __call__(self, ids: Tensor, state: State, /) -> tuple[Tensor, State]:
        """ids [B, T], state → logits [B, T, V], state."""


def graphed_member(member: Member, ids: Tensor, state: State, autocast: bool) -> Forward:
    """A member of a model, for training, recorded as CUDA graphs. Ids of another shape go through the member itself.

    What it returns is overwritten by its next call. Dropout draws from the device's default generator.

    Args:
        member: on a CUDA device; it is put in training mode.
        ids, state: of the shapes that are recorded.
        autocast: whether to record products in bfloat16.
    """
    member.train()
    try:
        # A cast that the cache keeps from outside of the recording would be missing in it.
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast, cache_enabled=False):
            # The recording keeps what it is made with, and writes its later inputs there.
            sample = tuple(tensor.clone() for tensor in (ids, *state))
            graphed: Any = torch.cuda.make_graphed_callables(_Flat(member), sample)
    except RuntimeError as error:
        why = str(error).partition("\n")[0]
        notice(f"trains without CUDA graphs, which a small model misses ({why})")
        return member

    def forward(x: Tensor, before: State) -> tuple[Tensor, State]:
        if x.shape != ids.shape:
            logits, after = member(x, before)
            return logits, after
        logits, h, c = graphed(x, *before)
        return logits, State(h, c)

    return forward


class _Flat(nn.Module):
    """A member whose arguments and results are tensors only, as CUDA graphs need it."""

    def __init__(self, member: Member) -> None:
        super().__init__()
        self.member = member

    def forward(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, state = self.member(ids, State(h, c))
        return logits, *state
