"""Every signal of a model while it reads: all gates, states and logits, of each member, layer and character."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from charlstm.model.cell import Signals
from charlstm.model.charlstm import CharLSTM, evaluating, mean_of
from charlstm.model.products import plain
from charlstm.model.stack import State
from charlstm.model.steps import CellState


@dataclass(frozen=True)
class Trace:
    """What a model computed for some texts.

    Attributes:
        signals: `signals[member][layer][name]` is [B, T, n]: the gates of the cell by their names, what else it
            computes (see `activations` of each cell), and `h` and `c`, the state after each character. n is
            `hidden_size`, but for the mogrifier's odd rounds in the lowest layer, which have `embedding_dim`.
        logits: [B, T, vocab_size], of the members together.
        state: after the last character.
    """

    signals: list[list[Signals]]
    logits: Tensor
    state: State


@torch.no_grad()
def trace(model: CharLSTM, ids: Tensor, state: State | None = None) -> Trace:
    """Read ids, [B, T], step by step, by the definition of the cells, and keep all that is computed.

    Args:
        state: what was read before; None for nothing.
    """
    states = (model.initial_state(len(ids)) if state is None else state).split(len(model.members))
    signals: list[list[Signals]] = []
    logits, after = [], []
    with evaluating(model):
        for member, before in zip(model.each, states, strict=True):
            x = member.embedding(ids)
            layers: list[Signals] = []
            for number, cell in enumerate(member.stack.cells):
                linear, wx = plain(cell.matrices(cell.weight_hh)), cell.project(x)
                now, steps = before.of_layer(number), []
                for t in range(ids.shape[1]):
                    below = layers[-1]["c"][:, t] if cell.reads_below else None
                    now = CellState(now.h, now.c, below)
                    found = cell.activations(wx[:, t], now, linear)
                    now = cell.update(found, now)
                    steps.append({**found, "h": now.h, "c": now.c})
                layers.append({name: torch.stack([step[name] for step in steps], 1) for name in steps[0]})
                x = layers[-1]["h"]
            signals.append(layers)
            logits.append(member.head(x))
            after.append(State(*(torch.stack([layer[name][:, -1] for layer in layers]) for name in State._fields)))
    return Trace(signals, mean_of(logits), State.joined(after))
