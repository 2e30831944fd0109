"""From what each process has of a training, the whole; and back. All processes call these functions together."""

from __future__ import annotations

import torch
from torch import Tensor

from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.training.optimizer import averages_of
from charlstm.training.processes import Processes
from charlstm.training.share import Share

Averages = dict[str, dict[str, Tensor]]
"""Adam's averages, by the name of the weight."""


def spread_weights(model: CharLSTM, share: Share, processes: Processes) -> None:
    """Put the weights of each member where it learns into the models of all processes."""
    if share.groups == 1:  # it learns everywhere
        return
    for number, member in enumerate(model.each):
        processes.spread(list(member.parameters()), share.owner(number))


def all_averages(model: CharLSTM, optimizer: torch.optim.Optimizer, share: Share, processes: Processes) -> Averages:
    """Adam's averages of all members, from the optimizers of those processes where they learn."""
    own = averages_of(optimizer)
    if not own or share.groups == 1:  # before the first step, in all processes; or where each has all of them
        return own
    names = next(iter(own.values()))
    averages: Averages = {}
    for number, member in enumerate(model.each):
        of_member: Averages = {}
        for name, weight in member.named_parameters(f"members.{number}"):
            of_member[name] = own.get(name) or {
                kept: torch.zeros_like(weight) if value.ndim else torch.zeros_like(value)
                for kept, value in names.items()
            }
        tensors = [tensor for of_weight in of_member.values() for tensor in of_weight.values()]
        processes.spread(tensors, share.owner(number))
        averages |= of_member
    return averages


def whole_state(state: State, share: Share, processes: Processes) -> State:
    """The state of all members in all lanes."""
    if processes.count == 1:
        return state
    whole = []
    for tensor in state:
        layers = len(tensor) // len(share.members)
        values = tensor.new_zeros(layers * share.all_members, share.all_lanes, tensor.shape[-1])
        _part(values, share)[:] = tensor
        whole.append(processes.summed(values).to(tensor.device))
    return State(*whole)


def part_of_state(state: State, share: Share) -> State:
    """This process's part of a state of all members in all lanes."""
    return State(*(_part(tensor, share).contiguous() for tensor in state))


def _part(tensor: Tensor, share: Share) -> Tensor:
    """A view of [members · layers, lanes, hidden_size]."""
    layers = len(tensor) // share.all_members
    return tensor[share.members.start * layers : share.members.stop * layers, share.lanes]
