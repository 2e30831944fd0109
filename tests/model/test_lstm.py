from __future__ import annotations

import pytest
import torch

from charlstm.model.lstm import FastLSTM
from charlstm.model.steps import CellState
from tests.model.test_cells import BATCH, HIDDEN, INPUT, a_sequence, stepped


@pytest.fixture
def cell() -> FastLSTM:
    torch.manual_seed(0)
    return FastLSTM(INPUT, HIDDEN)


def test_the_law_of_parameters(cell: FastLSTM) -> None:
    assert sum(p.numel() for p in cell.parameters()) == 4 * HIDDEN * (HIDDEN + INPUT + 1)


def test_scan_definition_and_torch_agree_in_outputs_and_gradients(cell: FastLSTM) -> None:
    theirs = torch.nn.LSTM(INPUT, HIDDEN)
    their_weights = [theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0]
    with torch.no_grad():
        for weight, own in zip(their_weights, (cell.weight_ih, cell.weight_hh, cell.bias), strict=True):
            weight.copy_(own)
        theirs.bias_hh_l0.zero_()
    x, state = a_sequence()

    def torchs() -> tuple[torch.Tensor, CellState]:
        y, (h, c) = theirs(x, (state.h[None], state.c[None]))
        return y, CellState(h[0], c[0])

    weights = [cell.weight_ih, cell.weight_hh, cell.bias]
    results = []
    for (y, after), read in (
        (cell.sequence(x, state)[::2], weights),
        (stepped(cell, x, state), weights),
        (torchs(), their_weights),
    ):
        loss = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum() + after.c.sum()
        results.append([y, after.h, after.c, *torch.autograd.grad(loss, [x, *read])])
    for ours in results[:2]:
        for a, b in zip(ours, results[2], strict=True):
            torch.testing.assert_close(a, b)
    with torch.no_grad():  # when PyTorch's kernel is taken
        y, _, after = cell.sequence(x, state)
    for a, b in zip((y, after.h, after.c), results[1], strict=False):
        torch.testing.assert_close(a, b)


def test_initial_weights(cell: FastLSTM) -> None:
    for block in cell.weight_hh.chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(HIDDEN))
    assert cell.bias.tolist() == [0.0] * HIDDEN + [1.0] * HIDDEN + [0.0] * 2 * HIDDEN


def test_a_batch_is_what_its_texts_are(cell: FastLSTM) -> None:
    x, state = a_sequence()
    whole = cell.sequence(x, state).h
    for b in range(BATCH):
        alone = cell.sequence(x[:, b : b + 1], CellState(state.h[b : b + 1], state.c[b : b + 1])).h
        torch.testing.assert_close(alone[:, 0], whole[:, b])
