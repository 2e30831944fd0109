"""When several processes bring together what they learned from different lanes: in each step, or seldom."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from charlstm.saved.record import Progress
from charlstm.training.members import Members
from charlstm.training.processes import Processes

OUTER_RATE, OUTER_MOMENTUM = 0.7, 0.9
"""Of the outer step of DiLoCo, as in the paper."""


class Syncing(Protocol):
    """The three moments of a step at which processes may talk.

    Attributes:
        is_synced: whether all processes know the same now. Only then a run can be saved, or stop.
    """

    is_synced: bool

    def gradients(self) -> None:
        """After the backward pass, before the gradients are clipped."""

    def means(self, means: Tensor) -> Tensor:
        """The means of loss and norm that decide about the step, from those of this process's share."""

    def step_done(self, progress: Progress, steps: int) -> None:
        """After step `progress.step` of `steps`."""

    def begin(self) -> None:
        """The weights are others than before, such as a checkpoint's."""


class EachStep:
    """The gradients are averaged before they are clipped, so that all take the step that one process would take."""

    is_synced = True

    def __init__(self, members: Members, processes: Processes) -> None:
        self.members, self.processes = members, processes

    def gradients(self) -> None:
        """They become those of the whole batch."""
        self.processes.average(self.members.gradients(), self.members.share)

    def means(self, means: Tensor) -> Tensor:
        """Those of the whole batch and of all members."""
        return self.processes.summed(means * self.members.share.of_all)

    def step_done(self, progress: Progress, steps: int) -> None:
        """All know the same already."""

    def begin(self) -> None:
        """Nothing is kept."""


class DiLoCo:
    """Each process learns alone, and every so many steps there is an outer step (Douillard et al. 2023).

    With the weights θ after the last outer step, and the mean θ' of those that the processes have come to since then,
    the outer step is one of gradient descent with Nesterov's momentum, whose gradient is g = θ - θ':

        m ← μ m + g
        θ ← θ - η (g + μ m)

    The paper leaves Adam's averages to each process. Here they are averaged, too: then one checkpoint has all that a
    run needs, for any number of processes. The message is three times as long as the paper's.

    Args:
        every: steps from one outer step to the next. The last step of a run is followed by one, too.
        optimizer: the inner one. It also keeps m, as `momentum` of each weight.
    """

    def __init__(self, members: Members, processes: Processes, every: int, optimizer: torch.optim.Optimizer) -> None:
        self.processes, self.share, self.every, self.optimizer = processes, members.share, every, optimizer
        self.weights = [weight for member in members.members for weight in member.parameters()]
        self.begin()

    def begin(self) -> None:
        """Keep the weights as those of an outer step."""
        self.is_synced = True
        self.outer = [weight.detach().clone() for weight in self.weights]

    def gradients(self) -> None:
        """Each process keeps its own."""

    def means(self, means: Tensor) -> Tensor:
        """Its own: of each report's training loss, the first process knows that of its share."""
        return means

    @torch.no_grad()
    def step_done(self, progress: Progress, steps: int) -> None:
        """The outer step, where it is time for it. All learn whether somebody's last steps were bad."""
        self.is_synced = progress.step % self.every == 0 or progress.step == steps
        if not self.is_synced:
            return
        states = [self._state(weight) for weight in self.weights]
        averages = [state[name] for state in states for name in ("exp_avg", "exp_avg_sq", "step")]
        self.processes.average([*self.weights, *averages], self.share)
        for weight, outer, state in zip(self.weights, self.outer, states, strict=True):
            state["step"].round_()
            gradient = outer - weight
            momentum = state["momentum"].mul_(OUTER_MOMENTUM).add_(gradient)
            outer.sub_(gradient.add_(momentum, alpha=OUTER_MOMENTUM), alpha=OUTER_RATE)
            weight.copy_(outer)
        bad = self.processes.summed(torch.tensor([float(progress.bad_steps)])).item()
        progress.bad_steps = math.ceil(bad / self.processes.count)

    def _state(self, weight: Tensor) -> dict[str, Tensor]:
        """What the optimizer keeps of a weight, with what it would have after a first step."""
        state: dict[str, Tensor] = self.optimizer.state[weight]
        if not state:  # no step of this process was a good one
            state["step"] = torch.zeros((), device=weight.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        return state


def syncing(members: Members, processes: Processes, every: int, optimizer: torch.optim.Optimizer) -> Syncing:
    """How often the processes talk: in each step, or every so many."""
    return EachStep(members, processes) if every == 1 else DiLoCo(members, processes, every, optimizer)
