"""A batch forward and back through every member of a model, side by side where there are processors for it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from charlstm.model.charlstm import CharLSTM, Member
from charlstm.model.stack import State
from charlstm.training.graph import Forward, graphed
from charlstm.training.loss import cross_entropy


class Members:
    """The members of a model, as they learn.

    On a processor they do so in threads of their own, which share the threads that PyTorch has. The steps of a
    recurrence are small, and what two threads do each by itself takes less time than what they do together.

    Args:
        model: on the device where it learns.
        batch: (batch_size, seq_len) of most batches.
        lower: whether to compute in bfloat16 what autocast has computed in it.
        grad_clip: the longest gradient that a member learns from.
    """

    def __init__(self, model: CharLSTM, batch: tuple[int, int], lower: bool, grad_clip: float) -> None:
        self.members = cast(list[Member], list(model.members))
        self.device, self.lower, self.grad_clip = model.device, lower, grad_clip
        self.forwards: Sequence[Forward] = self.members
        self.pool = side_by_side(len(self.members)) if self.device.type == "cpu" else None
        if self.device.type == "cuda":
            ids = torch.zeros(batch, dtype=torch.int64, device=self.device)
            state, *_ = model.initial_state(len(ids)).parted(len(self.members))
            self.forwards = [graphed(member, ids, state, lower) for member in self.members]

    def learn(self, x: Tensor, y: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Add the gradients of a batch to the weights', each member's clipped.

        Args:
            x, y: ids, and those that follow them, [B, T].
            state: of all members, before the batch.

        Returns:
            the mean loss in nats per character, the sum of the gradients' lengths before clipping, the state after.
        """

        def learn_one(
            member: Member, forward: Forward, before: State, generator: torch.Generator | None
        ) -> tuple[Tensor, Tensor, State]:
            # Its cache of casts is one for all threads, and whichever is ready first would empty it for the others.
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.lower, cache_enabled=False):
                logits, after = forward(x, before, generator)  # [B, T, V]
            loss = cross_entropy(logits, y)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = clip_grad_norm_(member.parameters(), self.grad_clip)
            return loss.detach(), norm, after.detach()  # the values go on to the next batch, the gradient ends here

        run = self.pool.map if self.pool else map
        each = run(learn_one, self.members, self.forwards, state.parted(len(self.members)), self._generators())
        losses, norms, states = zip(*each, strict=True)
        return torch.stack(losses).mean(), torch.stack(norms).sum(), State.joined(states)

    def _generators(self) -> Sequence[torch.Generator | None]:
        """Of each member, since whose turn it is to draw from PyTorch's own random numbers, threads couldn't say."""
        if self.device.type != "cpu" or len(self.members) == 1:
            return [None] * len(self.members)
        return [torch.Generator().manual_seed(int(seed)) for seed in torch.randint(2**63 - 1, (len(self.members),))]


def side_by_side(members: int) -> ThreadPoolExecutor | None:
    """Threads for so many members, as many as they can share evenly, with PyTorch's threads divided among them.

    None where a member at a time, with all of PyTorch's threads, is as good.
    """
    threads = torch.get_num_threads()
    abreast = max(n for n in range(1, members + 1) if n <= threads and members % n == 0)
    return ThreadPoolExecutor(abreast, "member", torch.set_num_threads, (threads // abreast,)) if abreast > 1 else None
