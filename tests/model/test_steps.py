from __future__ import annotations

import gc
import weakref

import torch
from torch import Tensor

from charlstm.model.cell import Cell, Signals
from charlstm.model.products import Linear, Matrix, plain
from charlstm.model.steps import CellState
from tests.model.test_cells import BATCH, HIDDEN, STEPS, stepped


class Odd(Cell):
    """A cell that uses products in all ways: with a bias, with an addend, with both, one matrix twice, and no h."""

    gates = ("a",)

    def matrices(self, weight_hh: Tensor) -> dict[str, Matrix]:
        return {"w": (weight_hh, None), "b": (weight_hh.T, self.bias)}

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        a = linear("w", linear("w", state.h, wx).tanh())
        return {"a": a + linear("b", a) * linear("b", wx, state.c).tanh()}

    def update(self, signals: Signals, state: CellState) -> CellState:
        return CellState(signals["a"].tanh(), state.c + signals["a"])


def odd() -> tuple[Cell, Tensor, CellState]:
    torch.manual_seed(0)
    cell = Odd(HIDDEN, HIDDEN).double()
    x = torch.randn(STEPS, BATCH, HIDDEN, dtype=torch.float64, requires_grad=True)
    return cell, x, CellState(*(torch.randn(BATCH, HIDDEN, dtype=torch.float64) for _ in range(2)))


def test_products_and_gradients_are_pytorchs_however_they_are_used() -> None:
    cell, x, state = odd()
    results = []
    for y, last in (cell.sequence(x, state)[::2], stepped(cell, x, state)):
        results.append([y, *torch.autograd.grad(y.square().sum() + last.c.sum(), [x, *cell.parameters()])])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_second_backward_pass_gives_the_same() -> None:
    cell, x, state = odd()
    loss = cell.sequence(x, state).h.square().sum()
    first = torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(loss, list(cell.parameters())), first)


def test_a_backward_pass_that_asks_for_no_weight_leaves_no_trace() -> None:
    cell, x, state = odd()
    loss = cell.sequence(x, state).h.square().sum()
    torch.autograd.grad(loss, x, retain_graph=True)
    ours = torch.autograd.grad(loss, list(cell.parameters()))
    torch.testing.assert_close(
        ours, torch.autograd.grad(stepped(cell, x, state)[0].square().sum(), list(cell.parameters()))
    )


def test_only_what_the_loss_depends_on_counts() -> None:
    cell, x, state = odd()
    ours, theirs = (
        torch.autograd.grad(y[:2].sum(), list(cell.parameters()))
        for y in (cell.sequence(x, state).h, stepped(cell, x, state)[0])
    )
    torch.testing.assert_close(ours, theirs)


def test_weights_that_stand_still_have_no_gradient_and_the_input_has_its_own() -> None:
    cell, x, state = odd()
    cell.requires_grad_(False)
    y = cell.sequence(x, state).h
    torch.testing.assert_close(
        torch.autograd.grad(y.sum(), x), torch.autograd.grad(stepped(cell, x, state)[0].sum(), x)
    )


def test_weights_learn_where_nothing_else_has_a_gradient() -> None:
    """The first step's products are on no way to an input then, and count all the same."""
    cell, x, state = odd()
    cell.weight_ih.requires_grad_(False)
    weights = [cell.weight_hh]
    ours, theirs = (
        torch.autograd.grad(y.square().sum(), weights)
        for y in (cell.sequence(x.detach(), state).h, stepped(cell, x.detach(), state)[0])
    )
    torch.testing.assert_close(ours, theirs)


def test_a_sequence_leaves_nothing_behind() -> None:
    gc.disable()
    try:
        cell, x, state = odd()
        y = cell.sequence(x, state).h
        y.sum().backward()
        kept = weakref.ref(y.grad_fn)
        del y
        assert kept() is None
    finally:
        gc.enable()


def test_the_definition_with_plain_products_is_the_same() -> None:
    cell, x, state = odd()
    linear = plain(cell.matrices(cell.weight_hh))
    step = cell.step(cell.project(x)[0], state, linear)
    torch.testing.assert_close(cell.sequence(x[:1], state).h[0], step.h)
