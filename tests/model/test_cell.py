from __future__ import annotations

import pytest
import torch

from charlstm.model.cell import Cell, CellState, Times, plainly


class Mean(Cell):
    """The shortest cell that remembers: the mean of what it shows and what it reads."""

    gates = recurrent = 1

    def step(self, x: torch.Tensor, state: CellState, times: Times) -> CellState:
        h, c = state
        return (times("weight_hh", h) + x) / 2, c


def test_a_step_is_enough_for_a_sequence() -> None:
    cell = Mean(2, 3)
    with torch.no_grad():
        cell.weight_hh.copy_(torch.eye(3))
        cell.weight_ih.zero_()
        cell.bias.fill_(1.0)
    state = torch.zeros(1, 3), torch.zeros(1, 3)
    y, (h, _) = cell(torch.zeros(1, 3, 2), state)
    assert y[0, :, 0].tolist() == [0.5, 0.75, 0.875]
    torch.testing.assert_close(h, y[:, -1])


def test_a_cell_without_a_step_is_none() -> None:
    class Nothing(Cell):
        gates = recurrent = 1

    with pytest.raises(NotImplementedError):
        Nothing(2, 3).moment(torch.zeros(1, 2), (torch.zeros(1, 3), torch.zeros(1, 3)))


def test_weights_begin_gate_by_gate() -> None:
    class Four(Mean):
        gates = 2
        recurrent = 4

    cell = Four(2, 3)
    for block in cell.weight_hh.chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(3))
    assert cell.weight_ih.shape == (6, 2)
    assert cell.weight_ih.all()
    assert not cell.bias.any()


def test_plain_products() -> None:
    times = plainly({"w": torch.full((2, 3), 2.0)})
    assert times("w", torch.ones(1, 3)).tolist() == [[6.0, 6.0]]
    assert times("w", torch.ones(1, 3), torch.ones(1, 2)).tolist() == [[7.0, 7.0]]
