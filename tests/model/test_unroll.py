from __future__ import annotations

import pytest
import torch

from charlstm.model.cell import Cell
from charlstm.model.cells import CELLS
from charlstm.model.steps import CellState
from charlstm.model.unroll import unroll
from tests.model.test_cells import STEPS, a_cell, a_sequence, every_kind, memories, stepped


@every_kind
@pytest.mark.parametrize("reverse", [False, True])
def test_texts_of_different_lengths_are_read_as_each_would_be_alone(kind: type[Cell], reverse: bool) -> None:
    """In both directions, whatever stands behind them."""
    cell = a_cell(kind, torch.float64)
    x, begin = a_sequence(torch.float64)
    below, lengths = memories(cell), [STEPS, 1, 4]
    filled = x.detach().clone()
    for b, length in enumerate(lengths):
        filled[length:, b] = torch.nan
    found = unroll(cell, filled, begin, below=below, lengths=torch.tensor(lengths), reverse=reverse, keep_c=True)
    assert found.c is not None
    for b, length in enumerate(lengths):
        order = list(range(length))[:: -1 if reverse else 1]
        mine, memory = x[order, b : b + 1], None if below is None else below[order, b : b + 1]
        y, last = stepped(cell, mine, CellState(begin.h[b : b + 1], begin.c[b : b + 1]), memory)
        torch.testing.assert_close(found.h[order, b], y[:, 0])
        torch.testing.assert_close(found.c[order[-1], b], last.c[0])
        torch.testing.assert_close((found.state.h[b], found.state.c[b]), (last.h[0], last.c[0]))
        assert not found.h[length:, b].any()
        assert not found.c[length:, b].any()


def test_in_reverse_without_lengths_it_is_the_text_turned_round() -> None:
    cell = a_cell(CELLS["lstm"])
    x, begin = a_sequence()
    found, turned = unroll(cell, x, begin, reverse=True), unroll(cell, x.flip(0), begin)
    torch.testing.assert_close(found.h, turned.h.flip(0))
    torch.testing.assert_close(found.state.c, turned.state.c)
