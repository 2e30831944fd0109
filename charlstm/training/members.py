"""A batch forward and backward through every member of a model, side by side where there are processors for it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Barrier

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from charlstm.model.charlstm import CharLSTM
from charlstm.model.dropout import masks_from
from charlstm.model.stack import State
from charlstm.randomness import seed_from
from charlstm.training.cuda_graph import Forward, graphed_member
from charlstm.training.loss import cross_entropy
from charlstm.training.share import Share


class Members:
    """The members of a model, as they learn.

    On a CPU, members learn in threads, side by side (`thread_pool`). The operations are small: one thread
    for each of two members is faster than two threads for one member after the other.

    Args:
        model: on the device where it learns.
        batch: (batch_size, seq_len) of most batches, all lanes counted.
        autocast: whether to compute the matrix products in bfloat16.
        share: which members learn here, and from which lanes of a batch; None for all.
    """

    def __init__(self, model: CharLSTM, batch: tuple[int, int], autocast: bool, share: Share | None = None) -> None:
        self.share = share = share or Share(0, 1, len(model.each), batch[0])
        self.members = [model.each[number] for number in share.members]
        self.device, self.autocast = model.device, autocast
        self.forwards: Sequence[Forward] = self.members
        self.pool = thread_pool(len(self.members)) if self.device.type == "cpu" else None
        if self.device.type == "cuda":
            ids = torch.zeros(share.rows, batch[1], dtype=torch.int64, device=self.device)
            state = self.members[0].stack.initial_state(len(ids))
            with self._masks_from(None):
                self.forwards = [graphed_member(member, ids, state, autocast) for member in self.members]

    def initial_state(self) -> State:
        """The state of these members before anything is read, in each of the lanes."""
        return State.joined([member.stack.initial_state(self.share.rows) for member in self.members])

    def backward(self, x: Tensor, y: Tensor, state: State, *, seed: int, step: int) -> tuple[Tensor, State]:
        """Forward and backward pass of a batch: the gradients are added to those of the weights.

        Args:
            x, y: ids of the lanes, and those that follow them, [B, T].
            state: of the members, before the batch.
            seed, step: dropout's masks follow from the seed, the step and the member's number.

        Returns:
            the loss of each member in nats per character, [members], and the state after the batch.
        """

        def learn(number: int, forward: Forward, before: State) -> tuple[Tensor, State]:
            # All threads share autocast's cache of casts, and the first one that leaves empties it: so it is off.
            with (
                self._masks_from(self._generator(seed_from(seed, step, number))),
                torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast, cache_enabled=False),
            ):
                logits, after = forward(x, before)  # [B, T, V]
            loss = cross_entropy(logits, y)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach(), after.detach()  # the state goes on to the next batch, the gradient ends here

        run = self.pool.map if self.pool else map
        results = run(learn, self.share.members, self.forwards, state.split(len(self.members)))
        losses, states = zip(*results, strict=True)
        return torch.stack(losses), State.joined(states)

    def gradients(self) -> list[Tensor]:
        """Those of all weights of the members."""
        weights = itertools.chain(*(member.parameters() for member in self.members))
        return [weight.grad for weight in weights if weight.grad is not None]

    def clip(self, max_norm: float) -> Tensor:
        """Scale each member's whole gradient down to this norm where it is longer. Returns the norms before."""
        run = self.pool.map if self.pool else map  # the sum of a norm depends on the threads that add it up
        return torch.stack(list(run(lambda member: clip_grad_norm_(member.parameters(), max_norm), self.members)))

    def _masks_from(self, generator: torch.Generator | None) -> AbstractContextManager[None]:
        return masks_from(generator, self.share.lanes.start, self.share.all_lanes)

    def _generator(self, seed: int) -> torch.Generator:
        """A generator on the device. On NVIDIA's it is the default one: a recorded graph draws from no other."""
        if self.device.type == "cuda":
            return torch.cuda.default_generators[self.device.index or 0].manual_seed(seed)
        return torch.Generator(self.device).manual_seed(seed)


def thread_pool(members: int) -> ThreadPoolExecutor | None:
    """A pool of the largest number of threads that divides `members` and is at most PyTorch's own; None if that is 1.

    PyTorch's threads are divided among them.
    """
    threads = torch.get_num_threads()
    workers = max(n for n in range(1, members + 1) if n <= threads and members % n == 0)
    if workers == 1:
        return None
    all_there = Barrier(workers + 1)

    def begin() -> None:
        torch.get_num_threads()  # without it, a thread's first operation would set the number for all again
        torch.set_num_threads(threads // workers)
        all_there.wait()

    pool = ThreadPoolExecutor(workers, "member", begin)
    for _ in range(workers):  # each begins a thread, since none is done before all are there
        pool.submit(int)
    all_there.wait()
    torch.set_num_threads(threads)  # what a thread sets is also what new threads of the program begin with
    return pool
