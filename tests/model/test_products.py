from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from charlstm.model import products


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("has_layout", [True, False])
def test_a_product_is_a_product(dtype: torch.dtype, has_layout: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_layout:
        monkeypatch.setattr(products, "has_layout", lambda dtype: False)
    weight, x, added = torch.randn(24, 16), torch.randn(5, 16), torch.randn(5, 24)
    got = products.product_with(weight.to(dtype), 5)(x.to(dtype), added.to(dtype))
    tolerance = {"rtol": 0.02, "atol": 0.1} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(got.float(), x @ weight.T + added, **tolerance)


def test_rows_and_their_gradient_are_those_of_an_embedding() -> None:
    table, ids = torch.randn(5, 3, requires_grad=True), torch.randint(5, (4, 7))
    rows = products.rows_of(table, ids)
    expected = F.embedding(ids, table)
    assert torch.equal(rows, expected)
    weights = torch.randn_like(rows)
    ours, theirs = (torch.autograd.grad((r * weights).sum(), table)[0] for r in (rows, expected))
    torch.testing.assert_close(ours, theirs)


def test_the_gradient_of_a_row_that_is_read_often_is_not_lost_in_bfloat16() -> None:
    table = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    rows = products.rows_of(table, torch.zeros(3000, dtype=torch.long))
    rows.sum().backward()
    assert table.grad is not None
    assert table.grad.flatten().tolist() == pytest.approx([3000, 0], rel=0.01)  # one after another they stop at 256


def test_plain_products() -> None:
    linear = products.plain({"w": (torch.full((2, 3), 2.0), None), "b": (torch.full((2, 3), 2.0), torch.ones(2))})
    assert linear("w", torch.ones(1, 3)).tolist() == [[6.0, 6.0]]
    assert linear("w", torch.ones(1, 3), torch.ones(1, 2)).tolist() == [[7.0, 7.0]]
    assert linear("b", torch.ones(1, 3), torch.ones(1, 2)).tolist() == [[8.0, 8.0]]
