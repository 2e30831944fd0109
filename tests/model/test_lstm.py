from __future__ import annotations

import pytest
import torch

from charlstm.model.lstm import LSTM
from tests.model.test_cells import BATCH, HIDDEN, INPUT, a_sequence, stepped


@pytest.fixture
def cell() -> LSTM:
    torch.manual_seed(0)
    return LSTM(INPUT, HIDDEN)


def test_the_law_of_parameters(cell: LSTM) -> None:
    assert sum(p.numel() for p in cell.parameters()) == 4 * HIDDEN * (HIDDEN + INPUT + 1)


def test_fused_steps_and_torch_agree_in_outputs_and_gradients(cell: LSTM) -> None:
    theirs = torch.nn.LSTM(INPUT, HIDDEN, batch_first=True)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(cell.weight_ih)
        theirs.weight_hh_l0.copy_(cell.weight_hh)
        theirs.bias_ih_l0.copy_(cell.bias)
        theirs.bias_hh_l0.zero_()
    x, (h, c) = a_sequence()
    results = []
    for run, weights in (
        (lambda: cell(x, (h, c)), list(cell.parameters())),
        (lambda: stepped(cell, x, (h, c)), list(cell.parameters())),
        (lambda: theirs(x, (h[None], c[None])), [theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0]),
    ):
        y, state = run()
        loss = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum() + state[1].sum()
        results.append([y, *(s.view(BATCH, HIDDEN) for s in state), *torch.autograd.grad(loss, [x, *weights])])
    for ours in results[:2]:
        for a, b in zip(ours, results[2], strict=True):
            torch.testing.assert_close(a, b)
    with torch.no_grad():  # when PyTorch's kernel is taken
        y, state = cell(x, (h, c))
    for a, b in zip((y, *state), results[1], strict=False):
        torch.testing.assert_close(a, b)


def test_initial_weights(cell: LSTM) -> None:
    for block in cell.weight_hh.chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(HIDDEN))
    assert cell.bias.tolist() == [0.0] * HIDDEN + [1.0] * HIDDEN + [0.0] * 2 * HIDDEN
