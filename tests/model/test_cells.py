"""Every cell of `CELLS` keeps what `Cell` promises: a new one is tested without a word here."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from charlstm import config
from charlstm.config import ModelConfig
from charlstm.model.cell import Cell
from charlstm.model.cells import (
    CELLS,
    ClockworkRNN,
    CoupledLSTM,
    DepthGatedLSTM,
    MogrifierLSTM,
    PeepholeLSTM,
    SimpleRNN,
)
from charlstm.model.charlstm import CharLSTM
from charlstm.model.dropout import masks_from
from charlstm.model.products import plain
from charlstm.model.stack import Stack, State
from charlstm.model.steps import CellState

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


def a_sequence(dtype: torch.dtype = torch.float32) -> tuple[Tensor, CellState]:
    """Inputs [T, B, n], and a state whose c may be a memory or a clock."""
    torch.manual_seed(1)
    clock = torch.tensor([3.0, 6.0, 6.0], dtype=dtype).repeat(HIDDEN, 1).T
    x = torch.randn(STEPS, BATCH, INPUT, dtype=dtype, requires_grad=True)
    return x, CellState(torch.randn(BATCH, HIDDEN, dtype=dtype), clock)


def memories(cell: Cell) -> Tensor | None:
    """What the layer below remembers at each step, for a cell that reads it."""
    torch.manual_seed(2)
    dtype = cell.bias.dtype
    return torch.randn(STEPS, BATCH, HIDDEN, dtype=dtype, requires_grad=True) if cell.reads_below else None


def state_of(stack: Stack, dtype: torch.dtype = torch.float32) -> State:
    """The state above, in every layer."""
    _, (h, c, _) = a_sequence(dtype)
    return State(*(tensor.repeat(len(stack.layers), 1, 1) for tensor in (h, c)))


def stepped(cell: Cell, x: Tensor, state: CellState, below: Tensor | None = None) -> tuple[Tensor, CellState]:
    """The definition, step by step, with PyTorch's products."""
    outputs, linear = [], plain(cell.matrices(cell.weight_hh))
    for t, wx in enumerate(cell.project(x)):
        state = cell.step(wx, CellState(state.h, state.c, None if below is None else below[t]), linear)
        outputs.append(state.h)
    return torch.stack(outputs), state


class WholeSequence(nn.Module):
    """A cell whose call is a sequence, its input's projection included."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, *given: Any) -> Any:
        return self.cell.sequence(*given)


def test_the_flag_knows_every_cell() -> None:
    assert tuple(CELLS) == config.CELLS


@every_kind
def test_gates_have_names_and_each_its_rows(kind: type[Cell]) -> None:
    cell = a_cell(kind)
    assert len(cell.weight_ih) == len(cell.bias) == HIDDEN * len(kind.gates)
    assert len(cell.weight_hh) == HIDDEN * (len(kind.gates) - len(kind.input_only))
    x, (h, c, _) = a_sequence()
    below = memories(cell)
    state = CellState(h, c, None if below is None else below[0])
    signals = cell.activations(cell.project(x)[0], state, plain(cell.matrices(cell.weight_hh)))
    assert set(kind.gates) <= set(signals)
    assert all(signals[gate].shape == (BATCH, HIDDEN) for gate in kind.gates)


@every_kind
def test_a_sequence_is_its_steps_in_outputs_and_gradients(kind: type[Cell]) -> None:
    cell = a_cell(kind, torch.float64)
    x, (h, c, _) = a_sequence(torch.float64)
    below = memories(cell)
    begin = CellState(h.requires_grad_(), c.requires_grad_())
    read = [x, h, c, *([] if below is None else [below]), *cell.parameters()]
    results = []
    for y, after in (cell.sequence(x, begin, below)[::2], stepped(cell, x, begin, below)):
        loss = (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum() + after.c.sum()
        results.append([y, after.h, after.c, *torch.autograd.grad(loss, read)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@every_kind
def test_the_memory_of_every_step_is_kept_where_it_is_asked_for(kind: type[Cell]) -> None:
    cell = a_cell(kind, torch.float64)
    x, begin = a_sequence(torch.float64)
    below = memories(cell)
    y, c, last = cell.sequence(x, begin, below, keep_c=True)
    assert c is not None
    torch.testing.assert_close((y[-1], c[-1]), (last.h, last.c))
    weights = torch.linspace(-1, 1, c.numel()).view_as(c)
    shorter = [stepped(cell, x[:t], begin, below)[1].c for t in range(1, STEPS + 1)]
    torch.testing.assert_close(c, torch.stack(shorter))
    if c.requires_grad:  # else it is no memory
        ours, theirs = (torch.autograd.grad((each * weights).sum(), x)[0] for each in (c, torch.stack(shorter)))
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():  # when another kernel may be taken
        again = cell.sequence(x, begin, below, keep_c=True)
    torch.testing.assert_close((again.h, again.c), (y, c))


@every_kind
def test_gradients_in_double_precision(kind: type[Cell]) -> None:
    cell = a_cell(kind, torch.float64)
    x, (h, c, _) = a_sequence(torch.float64)
    below = memories(cell)
    whole = WholeSequence(cell)
    names = [name for name, _ in whole.named_parameters()]
    more = [] if below is None else [below]

    def outputs(x: Tensor, h: Tensor, c: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        below, weights = (others[0], others[1:]) if more else (None, others)
        with_these = dict(zip(names, weights, strict=True))
        y, _, after = torch.func.functional_call(whole, with_these, (x, CellState(h, c), below))
        return y, after.h, after.c

    inputs = [tensor.detach().requires_grad_() for tensor in (x, h, c, *more, *cell.parameters())]
    inputs[2].requires_grad_(kind is not ClockworkRNN)  # whose c is a clock
    assert torch.autograd.gradcheck(outputs, inputs)


@pytest.mark.parametrize(
    "name",
    [name if name in ("lstm", "gru", "depth-gated") else pytest.param(name, marks=pytest.mark.slow) for name in CELLS],
)
def test_gradients_through_two_layers_in_double_precision(name: str) -> None:
    torch.manual_seed(0)
    stack = Stack(INPUT, HIDDEN, 2, cell=name).double()
    x, _ = a_sequence(torch.float64)
    _, c = state_of(stack, torch.float64)
    names = [name for name, _ in stack.named_parameters()]

    def outputs(x: Tensor, h: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        y, state = torch.func.functional_call(stack, dict(zip(names, weights, strict=True)), (x, State(h, c)))
        assert y.dtype == state.h.dtype == torch.float64
        return y, state.h

    inputs = (x[:3].transpose(0, 1), state_of(stack, torch.float64).h, *stack.parameters())
    assert torch.autograd.gradcheck(outputs, [tensor.detach().requires_grad_() for tensor in inputs])


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_cut_in_two_or_into_steps_it_is_the_same(name: str, layers: int) -> None:
    torch.manual_seed(0)
    stack = Stack(INPUT, HIDDEN, layers, cell=name)
    x, begin = a_sequence()[0].transpose(0, 1), state_of(stack)
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
    x, state = a_sequence()
    y = cell.sequence(x, state, memories(cell)).h
    for gradient in torch.autograd.grad(y.square().sum(), [x, *cell.parameters()]):
        assert gradient.any()


@every_kind
def test_recurrent_dropout_silences_units_of_h_in_training_only(kind: type[Cell]) -> None:
    cell = a_cell(kind)
    x, state = a_sequence()
    below = memories(cell)
    without = cell.sequence(x, state, below).h
    cell.recurrent_dropout = 0.5
    torch.testing.assert_close(cell.eval().sequence(x, state, below).h, without)
    with masks_from(torch.Generator().manual_seed(5)):
        y = cell.train().sequence(x, state, below).h
    kept = torch.empty(HIDDEN).bernoulli_(0.5, generator=torch.Generator().manual_seed(5))
    assert 0 < kept.sum() < HIDDEN
    y.sum().backward()
    assert cell.weight_hh.grad is not None
    assert not cell.weight_hh.grad[:, kept == 0].any()
    with torch.no_grad():
        cell.weight_hh.mul_(kept / 0.5)
    torch.testing.assert_close(y, cell.eval().sequence(x, state, below).h)


@every_cell
def test_under_autocast_a_state_stays_in_full_precision(name: str) -> None:
    stack = Stack(INPUT, HIDDEN, 2, cell=name)
    x, begin = a_sequence()[0].transpose(0, 1), state_of(stack)
    exact, _ = stack(x, begin)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = stack(x, begin)
        y.float().sum().backward()
    assert state.h.dtype == state.c.dtype == torch.float32
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), exact, atol=0.05, rtol=0.05)


@every_cell
def test_a_step_of_a_model_can_be_exported(name: str) -> None:
    torch.manual_seed(0)
    shape = ModelConfig(vocab_size=7, hidden_size=HIDDEN, num_layers=2, embedding_dim=INPUT, cell=name)
    model = CharLSTM(shape).eval()
    ids = torch.tensor([[3], [1], [3]])
    state = State(*(torch.rand_like(tensor) for tensor in model.initial_state(3)))
    if name == "clockwork":  # whose c is a clock, and texts needn't have come equally far
        state = state._replace(c=torch.tensor([3.0, 6.0, 6.0]).repeat(2, HIDDEN, 1).transpose(1, 2))
    with torch.no_grad():
        exported = torch.export.export(model, (ids, state)).module()
    for expected, found in zip(model(ids, state), exported(ids, state), strict=True):
        torch.testing.assert_close(found, expected)


def test_pytorch_has_the_same_simple_network() -> None:
    cell, other = a_cell(SimpleRNN), nn.RNN(INPUT, HIDDEN)
    weights = [cell.weight_ih, cell.weight_hh, cell.bias]
    their_weights = [other.weight_ih_l0, other.weight_hh_l0, other.bias_ih_l0]
    with torch.no_grad():
        for weight, own in zip(their_weights, weights, strict=True):
            weight.copy_(own)
        other.bias_hh_l0.zero_()
    x, state = a_sequence()
    y, _, after = cell.sequence(x, state)
    expected, last = other(x, state.h[None])
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(after.h, last[0])
    assert torch.equal(after.c, state.c)
    ours = torch.autograd.grad(y.square().sum(), [x, *weights])
    found = torch.autograd.grad(expected.square().sum(), [x, *their_weights])
    for one, another in zip(ours, found, strict=True):
        torch.testing.assert_close(one, another)


# The equations once more, gate by gate, as the papers have them: what cells are tested against.


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
    below = memories(cell)[0]
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
def test_a_step_is_what_its_paper_says(kind: type[Cell], equations: Callable[..., tuple[Tensor, Tensor]]) -> None:
    cell = a_cell(kind)
    x, h, c = torch.randn(BATCH, INPUT), torch.randn(BATCH, HIDDEN), torch.randn(BATCH, HIDDEN)
    found = cell.sequence(x[None], CellState(h, c), None if (below := memories(cell)) is None else below[:1])
    for ours, theirs in zip((found.state.h, found.state.c), equations(cell, x, h, c), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_module_of_a_clockwork_changes_in_its_time_and_is_fed_by_the_slower_ones() -> None:
    torch.manual_seed(0)
    units, per = 16, 2
    cell = ClockworkRNN(INPUT, units)
    for t in (0, 1, 2, 6, 8, 127, 128):
        x, h, clock = torch.randn(1, INPUT), torch.randn(1, units, requires_grad=True), torch.full((1, units), float(t))
        _, (after, later, _) = stepped(cell, x[None], CellState(h, clock))
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
