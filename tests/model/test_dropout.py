from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from charlstm.model.dropout import Dropout, dropout_mask, masks_from


def test_dropout_zeroes_the_same_units_at_every_step_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, ones = Dropout(0.25), torch.ones(8, 5, 1000)
    dropped = dropout(ones)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert dropout.eval()(ones) is ones


def test_random_numbers_come_from_the_generator_that_is_given_in_each_thread_its_own() -> None:
    def mask(seed: int | None) -> torch.Tensor:
        if seed is None:
            return dropout_mask(3, 40, share=0.5, like=torch.empty(0))
        with masks_from(torch.Generator().manual_seed(seed)):
            if seed < 7:  # what another thread draws in between changes nothing
                with ThreadPoolExecutor(1) as other:
                    other.submit(mask, 7).result()
            return dropout_mask(3, 40, share=0.5, like=torch.empty(0))

    before = torch.get_rng_state()
    assert torch.equal(mask(1), mask(1))
    assert not torch.equal(mask(1), mask(2))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(mask(None), mask(1))


def test_the_masks_of_some_texts_are_those_that_they_have_in_the_whole_batch() -> None:
    dropout, ones = Dropout(0.5).train(), torch.ones(6, 4, 30)
    with masks_from(torch.Generator().manual_seed(3)):
        whole = dropout(ones)
    for some in (slice(0, 2), slice(2, 5), slice(5, 6)):
        with masks_from(torch.Generator().manual_seed(3), some.start, 6):
            assert torch.equal(dropout(ones[some]), whole[some])
