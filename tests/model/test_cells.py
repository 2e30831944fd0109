from __future__ import annotations

import pytest
import torch
from torch import Tensor

from charlstm.model.cells import LSTM

BATCH, STEPS, INPUT, HIDDEN = 3, 7, 5, 4


@pytest.fixture
def cell() -> LSTM:
    torch.manual_seed(0)
    return LSTM(INPUT, HIDDEN)


def a_sequence(dtype: torch.dtype = torch.float32) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    state = torch.randn(BATCH, HIDDEN, dtype=dtype), torch.randn(BATCH, HIDDEN, dtype=dtype)
    return torch.randn(BATCH, STEPS, INPUT, dtype=dtype, requires_grad=True), state


def stepped(cell: LSTM, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    outputs = []
    for moment in x.unbind(1):
        state = cell.step(moment, state)
        outputs.append(state[0])
    return torch.stack(outputs, 1), state


class _Stepped(torch.nn.Module):
    """The readable step as a module, so that its weights can be handed in."""

    def __init__(self, cell: LSTM) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        return stepped(self.cell, x, state)


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


def test_gradients_of_the_step_in_double_precision(cell: LSTM) -> None:
    cell.double()
    x, (h, c) = a_sequence(torch.float64)

    def outputs(x: Tensor, h: Tensor, c: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(dict(cell.named_parameters()), weights, strict=True))
        moment = torch.func.functional_call(_Stepped(cell), {f"cell.{n}": w for n, w in named.items()}, (x, (h, c)))
        return moment[0], *moment[1]

    inputs = [tensor.detach().requires_grad_() for tensor in (x, h, c, *cell.parameters())]
    assert torch.autograd.gradcheck(outputs, inputs)


def test_a_sequence_cut_in_two_is_the_same(cell: LSTM) -> None:
    x, state = a_sequence()
    whole, last = cell(x, state)
    first, between = cell(x[:, :3], state)
    second, end = cell(x[:, 3:], between)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    torch.testing.assert_close(end, last)


def test_initial_weights(cell: LSTM) -> None:
    for block in cell.weight_hh.chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(HIDDEN))
    assert cell.bias.tolist() == [0.0] * HIDDEN + [1.0] * HIDDEN + [0.0] * 2 * HIDDEN


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_table_and_ids_are_the_same_as_the_rows(cell: LSTM, rows: int) -> None:
    table, ids = torch.randn(rows, INPUT, requires_grad=True), torch.randint(rows, (BATCH, STEPS))
    _, state = a_sequence()
    results = []
    for run in (lambda: cell(table, state, ids), lambda: cell(table[ids], state)):
        y, (h, c) = run()
        results.append([y, h, c, *torch.autograd.grad(y.square().sum(), [table, *cell.parameters()])])
        with torch.no_grad():
            results.append([*run()[0]])
    for a, b in zip(results[0], results[2], strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(results[1], results[3], strict=True):
        torch.testing.assert_close(a, b)


def test_recurrent_dropout_silences_units_in_training_only() -> None:
    torch.manual_seed(0)
    cell = LSTM(INPUT, HIDDEN, recurrent_dropout=0.5)
    x, state = a_sequence()
    plain = LSTM(INPUT, HIDDEN)
    plain.load_state_dict(cell.state_dict())
    torch.testing.assert_close(cell.eval()(x, state), plain(x, state))
    torch.manual_seed(5)
    y, _ = cell.train()(x, state)
    torch.manual_seed(5)
    kept = torch.empty(HIDDEN).bernoulli_(0.5)
    assert 0 < kept.sum() < HIDDEN
    with torch.no_grad():
        plain.weight_hh.mul_(kept / 0.5)
    torch.testing.assert_close(y, plain(x, state)[0])
    y.sum().backward()
    assert cell.weight_hh.grad is not None
    assert torch.equal(cell.weight_hh.grad.any(0), kept.bool())
