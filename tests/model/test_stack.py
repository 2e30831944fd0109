from __future__ import annotations

import torch

from charlstm.model.cells import CELLS
from charlstm.model.stack import Stack, State


def test_shapes_and_state_of_several_layers() -> None:
    stack = Stack(input_size=5, hidden_size=4, num_layers=3, dropout=0.0)
    state = State.zeros(3, 2, 4)
    assert state.h.shape == state.c.shape == (3, 2, 4)
    assert not state.h.any()
    y, state = stack(torch.randn(2, 7, 5), state)
    assert y.shape == (2, 7, 4)
    torch.testing.assert_close(state.h[-1], y[:, -1])


def test_stepping_and_cutting_change_nothing() -> None:
    stack = Stack(5, 4, num_layers=2, dropout=0.0)
    x, state = torch.randn(2, 7, 5), State(torch.randn(2, 2, 4), torch.randn(2, 2, 4))
    whole, last = stack(x, state)
    outputs = []
    for moment in x.split([1, 1, 3, 2], dim=1):
        y, state = stack(moment, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, 1), whole)
    torch.testing.assert_close(state, last)


def test_state_stays_in_full_precision_under_autocast() -> None:
    stack = Stack(5, 4, 1, 0.0)
    with torch.autocast("cpu", torch.bfloat16):
        _, state = stack(torch.randn(2, 7, 5), State.zeros(1, 2, 4))
    assert state.h.dtype == state.c.dtype == torch.float32


def test_dropout_is_between_layers_and_only_in_training() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 7, 5)
    one, two = Stack(5, 4, 1, dropout=0.5), Stack(5, 4, 2, dropout=0.5)
    for stack, differs in ((one, False), (two, True)):
        first, second = (stack.train()(x, State.zeros(len(stack.layers), 2, 4))[0] for _ in range(2))
        assert torch.equal(first, second) is not differs
        first, second = (stack.eval()(x, State.zeros(len(stack.layers), 2, 4))[0] for _ in range(2))
        assert torch.equal(first, second)


def test_detaching_cuts_the_gradient() -> None:
    stack = Stack(5, 4, 1, 0.0)
    _, state = stack(torch.randn(2, 3, 5), State.zeros(1, 2, 4))
    assert state.h.requires_grad
    assert not state.detach().h.requires_grad
    assert torch.equal(state.detach().c, state.c)


def test_forgetting_leaves_the_others_in_the_batch_as_they_are() -> None:
    state = State(torch.ones(2, 3, 4), torch.full((2, 3, 4), 2.0))
    h, c = state.forget(torch.tensor([False, True, False]))
    assert (h[:, 1] == 0).all()
    assert (c[:, 1] == 0).all()
    assert torch.equal(h[:, [0, 2]], state.h[:, [0, 2]])
    assert torch.equal(c[:, [0, 2]], state.c[:, [0, 2]])


def test_its_state_begins_with_zeros_of_its_own_dtype() -> None:
    stack = Stack(5, 4, num_layers=2).double()
    state = stack.initial_state(3)
    assert state.h.shape == state.c.shape == (2, 3, 4)
    assert state.h.dtype == torch.float64
    y, state = stack(torch.randn(3, 7, 5, dtype=torch.float64), state)
    assert y.dtype == state.h.dtype == state.c.dtype == torch.float64


def test_texts_of_different_lengths_are_read_as_each_would_be_alone() -> None:
    for cell in CELLS:
        stack, lengths = Stack(5, 4, num_layers=2, cell=cell), [7, 2]
        x = torch.randn(2, 7, 5)
        y, state = stack(x, stack.initial_state(2), torch.tensor(lengths))
        for b, length in enumerate(lengths):
            alone, last = stack(x[b : b + 1, :length], stack.initial_state(1))
            torch.testing.assert_close(y[b, :length], alone[0])
            assert not y[b, length:].any()
            torch.testing.assert_close((state.h[:, b], state.c[:, b]), (last.h[:, 0], last.c[:, 0]))


def test_states_are_joined_and_split() -> None:
    states = [State(torch.randn(3, 2, 4), torch.randn(3, 2, 4)) for _ in range(2)]
    joined = State.joined(states)
    assert joined.h.shape == joined.c.shape == (6, 2, 4)
    torch.testing.assert_close(joined.split(2), states, rtol=0, atol=0)
    assert State.joined(states[:1]) is states[0]
