from __future__ import annotations

import pytest
import torch
from torch import Tensor

from charlstm.loops.compiling import has_loops
from charlstm.model import lstm_steps as module
from charlstm.model.lstm_scan import scan

pytestmark = pytest.mark.skipif(not has_loops(), reason="there are no compiled loops")

STEPS, ROWS = 6, 9
HOW_CLOSE = {torch.float32: 1e-5, torch.bfloat16: 0.02}

with_and_without_table = pytest.mark.parametrize("table", [True, False])
in_both_dtypes = pytest.mark.parametrize("dtype", HOW_CLOSE)


class Scanned:
    """A sequence, the same each time, forward and backward."""

    def __init__(self, dtype: torch.dtype, size: int, *, table: bool, texts: int = 3, ids_of: str = "int64") -> None:
        torch.manual_seed(size)
        state = torch.float64 if dtype == torch.float64 else torch.float32
        ids = torch.randint(ROWS, (STEPS, texts)).to(getattr(torch, ids_of))
        x = torch.randn(ROWS, 4 * size) if table else torch.randn(STEPS, texts, 4 * size)
        weight, h, c = (
            torch.randn(4 * size, size) / size**0.5,
            torch.randn(texts, size).tanh(),
            torch.randn(texts, size),
        )
        given = x.to(dtype), weight.to(dtype), h.to(dtype), c.to(state)
        self.given = [tensor.requires_grad_() for tensor in given]
        self.hs, self.cs = scan(*self.given, ids if table else None)  # type: ignore[call-arg]
        self.d_hs, self.d_cs = torch.randn_like(self.hs), torch.randn_like(self.cs)

    def gradients(self, hs: bool = True, cs: bool = True) -> tuple[Tensor, ...]:
        """Of the input or table, of the weights, of h and of c, from those of all h, of all c, or of both."""
        pairs = [(self.hs, self.d_hs)] * hs + [(self.cs, self.d_cs)] * cs
        outputs, gradients = zip(*pairs, strict=True)
        return torch.autograd.grad(outputs, self.given, gradients, retain_graph=True)

    def all(self) -> list[Tensor]:
        return [self.hs, self.cs, *self.gradients(), *self.gradients(cs=False), *self.gradients(hs=False)]


def without_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_loops", lambda: False)


@in_both_dtypes
@with_and_without_table
@pytest.mark.parametrize(("size", "texts"), [(1, 5), (6, 3), (33, 1), (48, 17)])
def test_compiled_and_plain_steps_agree(
    dtype: torch.dtype, size: int, texts: int, table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Scanned(dtype, size, table=table, texts=texts).all()
    without_loops(monkeypatch)
    theirs = Scanned(dtype, size, table=table, texts=texts).all()
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        error = (a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-3)
        assert error <= HOW_CLOSE[dtype]


@in_both_dtypes
@with_and_without_table
def test_the_number_of_threads_changes_no_bit(dtype: torch.dtype, table: bool) -> None:
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        steps = module.forward_steps(*parts(dtype, table))
        for t, products in enumerate(torch.linspace(-2, 2, STEPS * 3 * 160).to(dtype).view(STEPS, 3, 160)):
            steps.step(t, products)
        back = steps.backward()
        for t in reversed(range(STEPS)):
            back.step(t, steps.hs[t + 1])
        found.append([steps.hs, steps.cs, back.d_sums, back.dc, back.d_input()])
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)


def parts(dtype: torch.dtype, table: bool) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """What the steps are made of, for 3 texts and 40 units."""
    torch.manual_seed(0)
    ids = torch.randint(ROWS, (STEPS, 3))
    wx = torch.randn(ROWS, 160) if table else torch.randn(STEPS, 3, 160)
    return wx.to(dtype), ids if table else None, torch.randn(3, 40).to(dtype), torch.randn(3, 40)


@in_both_dtypes
@with_and_without_table
def test_the_way_back_may_be_taken_again(dtype: torch.dtype, table: bool) -> None:
    scanned = Scanned(dtype, 20, table=table)
    first = scanned.gradients()
    for one, other in zip(first, scanned.gradients(), strict=True):
        assert torch.equal(one, other)


def test_ids_may_be_shorter_numbers() -> None:
    expected, found = (Scanned(torch.float32, 8, table=True, ids_of=kind).all() for kind in ("int64", "int32"))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_table_in_another_order_of_memory_is_read_as_it_is() -> None:
    (wx, ids, h, c), products = parts(torch.float32, table=True), torch.randn(3, 160)
    assert ids is not None
    found = []
    for table, rows in ((wx, ids), (wx.T.contiguous().T, ids.T.contiguous().T)):
        steps = module.forward_steps(table, rows, h.T.contiguous().T, c.T.contiguous().T)
        steps.step(0, products)
        found.append(steps.hs[1])
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("dtype", "state", "compiled"),
    [
        (torch.float32, torch.float32, True),
        (torch.bfloat16, torch.float32, True),
        (torch.float64, torch.float64, False),
        (torch.float16, torch.float32, False),
        (torch.bfloat16, torch.bfloat16, False),
    ],
)
def test_what_the_loops_do_not_know_is_left_to_pytorch(
    dtype: torch.dtype, state: torch.dtype, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wx, ids, h, c = parts(dtype, table=False)
    kind = module._CompiledForward if compiled else module._PlainForward
    assert isinstance(module.forward_steps(wx, ids, h, c.to(state)), kind)
    without_loops(monkeypatch)
    assert isinstance(module.forward_steps(wx, ids, h, c.to(state)), module._PlainForward)


def test_what_is_not_a_number_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer counts such steps, and leaves them out."""
    for _ in range(2):
        wx, ids, h, c = parts(torch.float32, table=True)
        wx[ids[0, 1], 3] = torch.nan  # type: ignore[index]
        steps = module.forward_steps(wx, ids, h, c)
        steps.step(0, torch.zeros(3, 160) if steps.added[0] is None else steps.added[0])
        assert steps.hs[1, 1, 3].isnan()
        assert steps.hs[1].isnan().sum() == ids[0].eq(ids[0, 1]).sum()  # type: ignore[index]
        without_loops(monkeypatch)


@pytest.mark.parametrize("wrong", [-1, ROWS])
@pytest.mark.parametrize("with_loops", [True, False])
def test_ids_that_are_not_in_the_table_are_refused(
    wrong: int, with_loops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no memory is read that isn't the table's."""
    if not with_loops:
        without_loops(monkeypatch)
    wx, ids, h, c = parts(torch.float32, table=True)
    ids[2, 1] = wrong  # type: ignore[index]
    with pytest.raises(IndexError, match="out of range"):
        module.forward_steps(wx, ids, h, c)
