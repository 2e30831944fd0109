from __future__ import annotations

import pytest
import torch
from torch import Tensor

from charlstm.model import lstm_steps as module
from charlstm.model.lstm import FastLSTM
from charlstm.model.lstm_scan import scan
from charlstm.model.steps import CellState
from tests.model.test_cells import stepped

BATCH, STEPS, INPUT, HIDDEN = 3, 7, 5, 4


def given(dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    shapes = (STEPS, BATCH, 4 * HIDDEN), (4 * HIDDEN, HIDDEN), (BATCH, HIDDEN), (BATCH, HIDDEN)
    return tuple(torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes)


def test_its_gradients_are_right() -> None:
    assert torch.autograd.gradcheck(scan, given())


def test_they_do_not_depend_on_how_many_steps_are_prepared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = given()
    hs, cs = scan(*tensors)
    loss = (hs * torch.linspace(-1, 1, hs.numel()).view_as(hs)).sum() - (cs * cs.detach()).sum()
    for cached in (1, 3 * BATCH * HIDDEN):
        monkeypatch.setattr(module, "CACHED", cached)
        gradients = torch.autograd.grad(loss, tensors, retain_graph=True)
        monkeypatch.undo()
        for ours, expected in zip(gradients, torch.autograd.grad(loss, tensors, retain_graph=True), strict=True):
            torch.testing.assert_close(ours, expected)


@pytest.mark.usefixtures("with_and_without_loops")
def test_under_autocast_it_is_near_the_definition_and_its_state_is_full() -> None:
    torch.manual_seed(0)
    cell, x = FastLSTM(INPUT, HIDDEN), torch.randn(STEPS, BATCH, INPUT)
    state = CellState(torch.randn(BATCH, HIDDEN), torch.randn(BATCH, HIDDEN))
    expected, last = stepped(cell, x, state)
    with torch.autocast("cpu", torch.bfloat16):
        y, _, (h, c, _) = cell.sequence(x, state)
    assert y.dtype == torch.bfloat16
    assert h.dtype == c.dtype == torch.float32
    torch.testing.assert_close(y.float(), expected, rtol=0.03, atol=0.02)
    torch.testing.assert_close(c, last.c, rtol=0.03, atol=0.02)
    weights = torch.linspace(-1, 1, y.numel()).view_as(y)
    ours, theirs = (torch.autograd.grad((out * weights).sum(), list(cell.parameters())) for out in (y, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)
