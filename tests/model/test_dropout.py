from __future__ import annotations

import pytest
import torch

from charlstm.model.dropout import Dropout, dropout_mask


def test_dropout_zeroes_the_same_units_at_every_step_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, ones = Dropout(0.25), torch.ones(8, 5, 1000)
    dropped = dropout(ones)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert dropout.eval()(ones) is ones


def test_random_numbers_come_from_the_generator_that_is_given() -> None:
    def mask(seed: int | None) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed) if seed is not None else None
        return dropout_mask(3, 40, share=0.5, device=torch.device("cpu"), generator=generator)

    before = torch.get_rng_state()
    assert torch.equal(mask(1), mask(1))
    assert not torch.equal(mask(1), mask(2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(mask(None), mask(1))
