"""Every cell of `CELLS` keeps what `Cell` promises: a new one is tested without a word here."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import pytest
import torch
from torch import Tensor, nn

from charlstm import config
from charlstm.model.cell import Cell, CellState
from charlstm.model.cells import (
    CELLS,
    GRU,
    ClockworkRNN,
    CoupledLSTM,
    DepthGatedLSTM,
    MogrifierLSTM,
    PeepholeLSTM,
    SimpleRNN,
)
from charlstm.model.stack import Stack, State

BATCH, STEPS, INPUT, HIDDEN = 3, 7, 5, 4

every_cell = pytest.mark.parametrize("name", CELLS)
every_kind = pytest.mark.parametrize(
    "kind", dict.fromkeys(chain.from_iterable((kind, kind.lowest or kind) for kind in CELLS.values()))
)


def a_cell(kind: type[Cell], dtype: torch.dtype = torch.float32) -> Cell:
    """A cell none of whose weights are zero."""
    torch.manual_seed(0)
    cell = kind(INPUT, HIDDEN).to(dtype)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return cell


def a_sequence(dtype: torch.dtype = torch.float32, width: int = INPUT) -> tuple[Tensor, CellState]:
    """Inputs, and a state whose c may be a memory or a clock."""
    torch.manual_seed(1)
    state = torch.randn(BATCH, HIDDEN, dtype=dtype), torch.tensor([3.0, 6.0, 6.0], dtype=dtype).repeat(HIDDEN, 1).T
    return torch.randn(BATCH, STEPS, width, dtype=dtype, requires_grad=True), state


def width_of(cell: Cell) -> int:
    """How many numbers a cell reads: those that are shown by the one below, if it isn't the lowest."""
    if type(cell).lowest is None:
        return INPUT
    below = type(cell).lowest(INPUT, HIDDEN)
    return INPUT + below.show((torch.zeros(1, HIDDEN), torch.zeros(1, HIDDEN))).shape[-1] - HIDDEN


def stepped(cell: Cell, x: Tensor, state: CellState) -> tuple[Tensor, CellState]:
    """The definition, moment by moment."""
    shown = []
    for moment in x.unbind(1):
        state = cell.moment(moment, state)
        shown.append(cell.show(state))
    return torch.stack(shown, 1), state


def test_the_flag_knows_every_cell() -> None:
    assert tuple(CELLS) == config.CELLS


@every_kind
def test_a_sequence_is_its_steps_in_outputs_and_gradients(kind: type[Cell]) -> None:
    cell = a_cell(kind, torch.float64)
    x, (h, c) = a_sequence(torch.float64, width_of(cell))
    begin = h.requires_grad_(), c.requires_grad_()
    results = []
    for y, after in (cell(x, begin), stepped(cell, x, begin)):
        loss = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum() + after[1].sum()
        results.append([y, *after, *torch.autograd.grad(loss, [x, *begin, *cell.parameters()])])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@every_kind
def test_gradients_in_double_precision(kind: type[Cell]) -> None:
    cell = a_cell(kind, torch.float64)
    x, (h, c) = a_sequence(torch.float64, width_of(cell))
    names = [name for name, _ in cell.named_parameters()]

    def outputs(x: Tensor, h: Tensor, c: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        y, after = torch.func.functional_call(cell, dict(zip(names, weights, strict=True)), (x, (h, c)))
        return y, *after

    inputs = [tensor.detach().requires_grad_() for tensor in (x, h, c, *cell.parameters())]
    inputs[2].requires_grad_(kind is not ClockworkRNN)  # whose c is a clock
    assert torch.autograd.gradcheck(outputs, inputs)


@every_cell
def test_gradients_through_two_layers_in_double_precision(name: str) -> None:
    torch.manual_seed(0)
    stack = Stack(INPUT, HIDDEN, 2, dropout=0.0, cell=name).double()
    x, state = a_sequence(torch.float64)
    h, c = (torch.stack([tensor, tensor]) for tensor in state)
    names = [name for name, _ in stack.named_parameters()]

    def outputs(x: Tensor, h: Tensor, *weights: Tensor) -> Tensor:
        y, _ = torch.func.functional_call(stack, dict(zip(names, weights, strict=True)), (x[:, :3], State(h, c)))
        return y

    inputs = [tensor.detach().requires_grad_() for tensor in (x, h, *stack.parameters())]
    assert torch.autograd.gradcheck(outputs, inputs)


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_cut_in_two_or_into_steps_it_is_the_same(name: str, layers: int) -> None:
    torch.manual_seed(0)
    stack = Stack(INPUT, HIDDEN, layers, dropout=0.0, cell=name)
    x, begin = a_sequence()
    begin = State(*(tensor.expand(layers, -1, -1) for tensor in begin))
    whole, last = stack(x, begin)
    for sizes in ([3, 4], [1] * STEPS):
        state, parts = begin, []
        for part in x.split(sizes, dim=1):
            y, state = stack(part, state)
            parts.append(y)
        torch.testing.assert_close(torch.cat(parts, 1), whole)
        torch.testing.assert_close(state, last)


@every_kind
def test_what_is_read_makes_a_difference_to_everything(kind: type[Cell]) -> None:
    cell = a_cell(kind)
    x, state = a_sequence(width=width_of(cell))
    y, _ = cell(x, state)
    for gradient in torch.autograd.grad(y.square().sum(), [x, *cell.parameters()]):
        assert gradient.any()


@every_cell
def test_a_table_and_ids_are_the_same_as_the_rows(name: str) -> None:
    cell = a_cell(CELLS[name].lowest or CELLS[name], torch.float64)
    _, state = a_sequence(torch.float64)
    for rows in (1, 3, 100):
        table = torch.randn(rows, INPUT, dtype=torch.float64, requires_grad=True)
        ids = torch.randint(rows, (BATCH, STEPS))
        results = []
        for y, _ in (cell(table, state, ids), cell(table[ids], state)):
            results.append([y, *torch.autograd.grad(y.square().sum(), [table, *cell.parameters()])])
        with torch.no_grad():  # when another kernel may be taken
            torch.testing.assert_close(cell(table, state, ids)[0], results[0][0])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(one, other)


@every_kind
def test_recurrent_dropout_silences_units_of_h_in_training_only(kind: type[Cell]) -> None:
    cell = a_cell(kind)
    x, state = a_sequence(width=width_of(cell))
    plain, _ = cell(x, state)
    cell.recurrent_dropout = 0.5
    torch.testing.assert_close(cell.eval()(x, state)[0], plain)
    torch.manual_seed(5)
    y, _ = cell.train()(x, state)
    torch.manual_seed(5)
    kept = torch.empty(HIDDEN).bernoulli_(0.5)
    assert 0 < kept.sum() < HIDDEN
    y.sum().backward()
    assert cell.weight_hh.grad is not None
    assert not cell.weight_hh.grad[:, kept == 0].any()
    with torch.no_grad():
        cell.weight_hh.mul_(kept / 0.5)
    torch.testing.assert_close(y, cell.eval()(x, state)[0])


@every_cell
def test_under_autocast_a_state_stays_in_full_precision(name: str) -> None:
    stack = Stack(INPUT, HIDDEN, 2, 0.0, cell=name)
    x, begin = a_sequence()
    begin = State(*(tensor.expand(2, -1, -1) for tensor in begin))
    exact, _ = stack(x, begin)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = stack(x, begin)
        y.float().sum().backward()
    assert state.h.dtype == state.c.dtype == torch.float32
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), exact, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(("kind", "theirs"), [(GRU, nn.GRU), (SimpleRNN, nn.RNN)])
def test_pytorch_has_the_same(kind: type[Cell], theirs: type[nn.RNNBase]) -> None:
    cell, other = a_cell(kind), theirs(INPUT, HIDDEN, batch_first=True)
    with torch.no_grad():
        for weight, own in ((other.weight_ih_l0, cell.weight_ih), (other.weight_hh_l0, cell.weight_hh)):
            weight.copy_(own)
        other.bias_ih_l0.copy_(cell.bias)
        other.bias_hh_l0.zero_()
    x, (h, c) = a_sequence()
    y, after = cell(x, (h, c))
    expected, last = other(x, h[None])
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(after[0], last[0])
    assert after[1] is c
    weights = [cell.weight_ih, cell.weight_hh, cell.bias]
    ours = torch.autograd.grad(y.square().sum(), [x, *weights])
    weights = [other.weight_ih_l0, other.weight_hh_l0, other.bias_ih_l0]
    for one, another in zip(ours, torch.autograd.grad(expected.square().sum(), [x, *weights]), strict=True):
        torch.testing.assert_close(one, another)


# The equations once more, gate by gate, as the papers have them: `step` is tested against these and not against itself.


def gates_of(cell: Cell, x: Tensor, h: Tensor, names: str) -> dict[str, Tensor]:
    """W x + R h₋ + b of each gate."""
    parts = (tensor.chunk(len(names)) for tensor in (cell.weight_ih, cell.weight_hh, cell.bias))
    return {name: x @ w.T + h @ r.T + b for name, w, r, b in zip(names, *parts, strict=True)}


def peephole(cell: PeepholeLSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    a = gates_of(cell, x, h, "ifgo")
    i, f = torch.sigmoid(a["i"] + cell.see_i * c), torch.sigmoid(a["f"] + cell.see_f * c)
    new = f * c + i * torch.tanh(a["g"])
    return torch.sigmoid(a["o"] + cell.see_o * new) * torch.tanh(new), new


def coupled(cell: CoupledLSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    a = gates_of(cell, x, h, "fgo")
    f = torch.sigmoid(a["f"])
    new = f * c + (1 - f) * torch.tanh(a["g"])
    return torch.sigmoid(a["o"]) * torch.tanh(new), new


def depth_gated(cell: DepthGatedLSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    x, below = x[:, :INPUT], x[:, INPUT:]
    names = "ifgod"
    w, b = cell.weight_ih.chunk(len(names)), cell.bias.chunk(len(names))
    r = [*cell.weight_hh.chunk(4), torch.zeros(HIDDEN, HIDDEN)]
    a = {n: x @ w[k].T + h @ r[k].T + b[k] for k, n in enumerate(names)}
    d = torch.sigmoid(a["d"] + cell.see_own * c + cell.see_below * below)
    new = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["g"]) + d * below
    return torch.sigmoid(a["o"]) * torch.tanh(new), new


def mogrifier(cell: MogrifierLSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    q, b = list(cell.mogrify), list(cell.mogrify_bias)
    x = 2 * torch.sigmoid(h @ q[0].T + b[0]) * x
    h = 2 * torch.sigmoid(x @ q[1].T + b[1]) * h
    x = 2 * torch.sigmoid(h @ q[2].T + b[2]) * x
    h = 2 * torch.sigmoid(x @ q[3].T + b[3]) * h
    a = gates_of(cell, x, h, "ifgo")
    new = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["g"])
    return torch.sigmoid(a["o"]) * torch.tanh(new), new


@pytest.mark.parametrize(
    ("kind", "equations"),
    [(PeepholeLSTM, peephole), (CoupledLSTM, coupled), (DepthGatedLSTM, depth_gated), (MogrifierLSTM, mogrifier)],
)
def test_a_step_is_what_its_paper_says(kind: type[Cell], equations: Callable[..., CellState]) -> None:
    cell = a_cell(kind)
    x, h, c = torch.randn(BATCH, width_of(cell)), torch.randn(BATCH, HIDDEN), torch.randn(BATCH, HIDDEN)
    for ours, theirs in zip(cell.moment(x, (h, c)), equations(cell, x, h, c), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_module_of_a_clockwork_changes_in_its_time_and_is_fed_by_the_slower_ones() -> None:
    torch.manual_seed(0)
    units, per = 16, 2
    cell = ClockworkRNN(INPUT, units)
    for t in (0, 1, 2, 6, 8, 127, 128):
        x, h, clock = torch.randn(1, INPUT), torch.randn(1, units, requires_grad=True), torch.full((1, units), float(t))
        after, later = cell.moment(x, (h, clock))
        assert (later == (t + 1) % 256).all()
        for module in range(8):
            mine = slice(module * per, module * per + per)
            (fed,) = torch.autograd.grad(after[0, mine].sum(), h, retain_graph=True)
            if t % 2**module:
                assert torch.equal(after[0, mine], h[0, mine])
            else:
                sums = x @ cell.weight_ih[mine].T + h[:, mine.start :] @ cell.weight_hh[mine, mine.start :].T
                torch.testing.assert_close(after[:, mine], torch.tanh(sums + cell.bias[mine]))
                assert not fed[0, : mine.start].any()
                assert fed[0, mine.start :].all()
