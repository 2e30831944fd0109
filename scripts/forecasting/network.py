"""The network of the tutorials, LSTM 50 → LSTM 100 → 1, with a highway; and how it learns. All in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.stack import Stack
from forecasting.series import Values

AT_ONCE = 128
"""The windows of a step, at most."""

PENALTY = 3.0
"""Of the highway's first weights: it is added to the diagonal of the normal equations (ridge regression)."""


class Network(nn.Module):
    """A window of a series → what comes next.

    The highway is a linear layer from the window to the answer, beside the recurrent layers (Lai et al. 2018, LSTNet).
    A few dozen windows suffice for it, and the recurrent layers learn what it leaves.

    Args:
        inputs: the numbers of a step: z, and the calendar's.
        layers: the units of each recurrent layer, from the lowest up.
        cell: its name in `charlstm.model.cells.CELLS`.
    """

    def __init__(self, inputs: int, window: int, layers: Sequence[int], cell: str, has_highway: bool) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(
            Stack(below, units, 1, cell=cell) for below, units in zip([inputs, *layers], layers, strict=False)
        )
        self.head = nn.Linear(layers[-1], 1)
        self.highway = nn.Linear(window + inputs - 1, 1) if has_highway else None
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        """x [B, window, inputs] → [B]."""
        y = x
        for stack in self.stacks:
            y, _ = stack(y, stack.initial_state(len(y)))
        answer = self.head(y[:, -1])
        if self.highway is not None:
            answer = answer + self.highway(flat(x))
        return answer.squeeze(1)

    @torch.no_grad()
    def begin(self, x: Tensor, y: Tensor) -> None:
        """Give the highway the weights of a ridge regression of y on windows x. The rest adds nothing."""
        if self.highway is None:
            return
        ones = x.new_ones(len(x), 1)
        rows = torch.cat([flat(x), ones], 1)
        penalty = torch.full((rows.shape[1],), PENALTY, dtype=rows.dtype)
        penalty[-1] = 0  # the bias
        weights = torch.linalg.solve(rows.T @ rows + penalty.diag(), rows.T @ y)
        self.highway.weight.copy_(weights[:-1])
        self.highway.bias.copy_(weights[-1])
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)


def flat(x: Tensor) -> Tensor:
    """What the highway sees: z of each step, and the calendar of what is forecast: [B, window + inputs - 1]."""
    return torch.cat([x[:, :, 0], x[:, -1, 1:]], 1)


def fit(
    network: Network,
    x: Values,
    y: Values,
    rate: float,
    steps: int,
    seed: int,
    at: Iterable[int] = (),
    on_step: Callable[[int], object] = lambda step: None,
) -> None:
    """Train a network for a number of steps.

    Args:
        x: windows, [n, window, inputs].
        y: what followed each, [n].
        rate: the learning rate.
        at: the steps, 0 for before the first one, after which `on_step` is called, with the number of the step.
    """
    # Copies, since what stands elsewhere in memory is added up in another order.
    windows, targets = torch.tensor(x), torch.tensor(y)
    random = np.random.default_rng(seed)
    network.begin(windows, targets)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    if 0 in at:
        on_step(0)
    network.train()
    for step in range(1, steps + 1):
        rows = torch.from_numpy(random.permutation(len(y))[:AT_ONCE])
        loss = F.mse_loss(network(windows[rows]), targets[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step in at:
            on_step(step)
    network.eval()
