from __future__ import annotations

import pytest
import torch

from charlstm.model.cell import Cell, Signals, skip_init
from charlstm.model.products import Linear
from charlstm.model.steps import CellState


class Mean(Cell):
    """The shortest cell that remembers: the mean of its output before and its input."""

    gates = ("m",)

    def activations(self, wx: torch.Tensor, state: CellState, linear: Linear) -> Signals:
        return {"m": (linear("weight_hh", state.h) + wx) / 2}

    def update(self, signals: Signals, state: CellState) -> CellState:
        return CellState(signals["m"], state.c)


def test_two_methods_are_enough_for_a_sequence() -> None:
    cell = Mean(2, 3)
    with torch.no_grad():
        cell.weight_hh.copy_(torch.eye(3))
        cell.weight_ih.zero_()
        cell.bias.fill_(1.0)
    state = CellState(torch.zeros(1, 3), torch.zeros(1, 3))
    y, c, last = cell.sequence(torch.zeros(3, 1, 2), state)
    assert y[:, 0, 0].tolist() == [0.5, 0.75, 0.875]
    assert c is None
    torch.testing.assert_close(last.h, y[-1])


def test_a_cell_without_equations_is_none() -> None:
    class Nothing(Cell):
        gates = ("n",)

    state = CellState(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(NotImplementedError):
        Nothing(2, 3).sequence(torch.zeros(1, 1, 2), state)
    with pytest.raises(NotImplementedError):
        Nothing(2, 3).update({}, state)


def test_weights_begin_gate_by_gate() -> None:
    class Six(Mean):
        gates = ("a", "f", "b", "c", "x", "y")
        input_only = ("x", "y")

    cell = Six(2, 3)
    for block in cell.weight_hh.chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(3))
    assert cell.weight_ih.shape == (18, 2)
    assert cell.weight_ih.all()
    assert cell.bias.view(6, 3).tolist() == [[1.0 if gate == "f" else 0.0] * 3 for gate in Six.gates]


def test_without_first_values_nothing_is_drawn() -> None:
    before = torch.get_rng_state()
    with skip_init():
        Mean(2, 3)
    assert torch.equal(torch.get_rng_state(), before)
    Mean(2, 3)
    assert not torch.equal(torch.get_rng_state(), before)
