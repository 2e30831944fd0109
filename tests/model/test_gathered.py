from __future__ import annotations

import gc
import weakref

import torch
from torch.nn import functional as F

from charlstm.model.gathered import Gathered


def test_products_and_gradients_are_pytorchs() -> None:
    torch.manual_seed(0)
    weight = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    x, added = (torch.randn(2, n, dtype=torch.float64, requires_grad=True) for n in (4, 3))

    def chain(times: object, rounds: int) -> torch.Tensor:
        y = x
        for _ in range(rounds):
            y = F.pad(times("w", y, added), (0, 1)).tanh()  # type: ignore[operator]
        return y.square().sum()

    for rounds in (1, 4):
        ours = torch.autograd.grad(chain(Gathered({"w": weight}, 2, weight.dtype), rounds), [weight, x, added])
        plain = torch.autograd.grad(chain(lambda _, y, a: F.linear(y, weight) + a, rounds), [weight, x, added])
        for one, other in zip(ours, plain, strict=True):
            torch.testing.assert_close(one, other)


def test_a_second_way_back_gives_the_same() -> None:
    weight, x = torch.randn(3, 3, requires_grad=True), torch.randn(2, 3)
    times = Gathered({"w": weight}, 2, weight.dtype)
    loss = times("w", times("w", x)).sum()
    (first,) = torch.autograd.grad(loss, weight, retain_graph=True)
    (second,) = torch.autograd.grad(loss, weight)
    torch.testing.assert_close(first, second)


def test_a_way_back_that_asks_for_no_weight_leaves_no_trace() -> None:
    weight, x = torch.randn(3, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    loss = Gathered({"w": weight}, 2, weight.dtype)("w", x).sum()
    torch.autograd.grad(loss, x, retain_graph=True)
    (gradient,) = torch.autograd.grad(loss, weight)
    torch.testing.assert_close(gradient, x.sum(0).expand(3, 3))


def test_a_sequence_leaves_nothing_behind() -> None:
    gc.disable()
    try:
        times = Gathered({"w": torch.randn(3, 3, requires_grad=True)}, 2, torch.float32)
        times("w", torch.randn(2, 3)).sum().backward()
        matrix = weakref.ref(times._matrices["w"])
        del times
        assert matrix() is None
    finally:
        gc.enable()


def test_only_what_the_loss_depends_on_counts() -> None:
    weight, x = torch.randn(3, 3, requires_grad=True), torch.randn(2, 3)
    times = Gathered({"w": weight}, 2, weight.dtype)
    y, _ = times("w", x), times("w", 2 * x)
    (gradient,) = torch.autograd.grad(y.sum(), weight)
    torch.testing.assert_close(gradient, x.sum(0).expand(3, 3))


def test_a_weight_that_stands_still_has_no_gradient() -> None:
    weight, x = torch.randn(3, 3), torch.randn(2, 3, requires_grad=True)
    y = Gathered({"w": weight}, 2, weight.dtype)("w", x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, weight.sum(0).expand(2, 3))


def test_biases_are_gathered_too_each_its_own() -> None:
    torch.manual_seed(0)
    weight, one, other = (torch.randn(size, dtype=torch.float64, requires_grad=True) for size in ((3, 3), 3, 3))
    x = torch.randn(2, 3, dtype=torch.float64)

    def chain(times: object) -> torch.Tensor:
        y = x
        for bias in (one, other, None, one):
            y = times("w", y, bias).tanh()  # type: ignore[operator]
        return y.square().sum()

    ours = torch.autograd.grad(chain(Gathered({"w": weight}, 2, weight.dtype)), [weight, one, other])
    plain = torch.autograd.grad(chain(lambda _, y, bias: F.linear(y, weight, bias)), [weight, one, other])
    for gathered, expected in zip(ours, plain, strict=True):
        torch.testing.assert_close(gathered, expected)
