from __future__ import annotations

import numpy as np
import torch
from torch import nn

from charlstm.model.gru import GRU, ResetBeforeGRU
from tests.model.test_cells import HIDDEN, INPUT, a_cell, a_sequence


def test_pytorch_has_the_same_with_the_reset_gate_after_the_product() -> None:
    """With its second bias, too, where that doesn't just add to the first: inside the reset gate."""
    cell, other = a_cell(GRU), nn.GRU(INPUT, HIDDEN)
    weights = [cell.weight_ih, cell.weight_hh, cell.bias]
    their_weights = [other.weight_ih_l0, other.weight_hh_l0, other.bias_ih_l0]
    with torch.no_grad():
        for weight, own in zip(their_weights, weights, strict=True):
            weight.copy_(own)
        other.bias_hh_l0.zero_()
        other.bias_hh_l0[2 * HIDDEN :] = cell.bias_n
    x, state = a_sequence()
    y, _, after = cell.sequence(x, state)
    expected, last = other(x, state.h[None])
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(after.h, last[0])
    assert torch.equal(after.c, state.c)
    ours = torch.autograd.grad(y.square().sum(), [x, *weights, cell.bias_n])
    *found, their_bias = torch.autograd.grad(expected.square().sum(), [x, *their_weights, other.bias_hh_l0])
    for one, another in zip(ours, [*found, their_bias[2 * HIDDEN :]], strict=True):
        torch.testing.assert_close(one, another)


def test_with_the_reset_gate_before_the_product_it_is_as_the_paper_says() -> None:
    """Its equations once more, in NumPy, gate by gate and step by step."""
    cell = a_cell(ResetBeforeGRU, torch.float64)
    x, state = a_sequence(torch.float64)
    found = cell.sequence(x, state)
    (w_r, w_z, w_n), (r_r, r_z, r_n), (b_r, b_z, b_n) = (
        np.split(weight.detach().numpy(), 3) for weight in (cell.weight_ih, cell.weight_hh, cell.bias)
    )
    h = state.h.numpy()
    for now, output in zip(x.detach().numpy(), found.h.detach().numpy(), strict=True):
        r = 1 / (1 + np.exp(-(now @ w_r.T + h @ r_r.T + b_r)))
        z = 1 / (1 + np.exp(-(now @ w_z.T + h @ r_z.T + b_z)))
        n = np.tanh(now @ w_n.T + (r * h) @ r_n.T + b_n)
        h = z * h + (1 - z) * n
        np.testing.assert_allclose(output, h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.state.h.detach().numpy(), h, rtol=0, atol=1e-12)
    assert torch.equal(found.state.c, state.c)


def test_the_two_differ_only_in_what_the_reset_gate_resets() -> None:
    after, before = a_cell(GRU, torch.float64), a_cell(ResetBeforeGRU, torch.float64)
    before.load_state_dict({name: weight for name, weight in after.state_dict().items() if name != "bias_n"})
    assert isinstance(after, GRU)
    nn.init.zeros_(after.bias_n)
    x, state = a_sequence(torch.float64)
    assert (after.sequence(x, state).h - before.sequence(x, state).h).abs().max() > 0.01
    with torch.no_grad():
        for cell in (after, before):
            cell.bias[:HIDDEN] = 50.0  # the reset gates are open: nothing is reset
    torch.testing.assert_close(after.sequence(x, state).h, before.sequence(x, state).h)
