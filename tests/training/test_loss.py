"""The loss of a batch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from charlstm.training import loss


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("at_once", [1, 40, 1 << 20])
def test_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, at_once: int) -> None:
    monkeypatch.setattr(loss, "NUMBERS_AT_ONCE", at_once)
    torch.manual_seed(0)
    logits = torch.randn(3, 7, 11).to(dtype).requires_grad_()
    y = torch.randint(11, (3, 7))
    expected = F.cross_entropy(logits.flatten(0, 1).float(), y.flatten())
    shown = loss.cross_entropy(logits, y)
    torch.testing.assert_close(shown, expected)
    torch.testing.assert_close(torch.autograd.grad(shown, logits), torch.autograd.grad(expected, logits))
