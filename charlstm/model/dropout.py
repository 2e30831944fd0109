"""Dropout whose mask stays the same over a sequence, and where its random numbers come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, nn


class _Source(NamedTuple):
    """Where masks come from: a generator, and the place of the texts at hand in a batch of so many."""

    generator: torch.Generator | None = None
    first: int = 0
    batch_size: int | None = None


_source: ContextVar[_Source] = ContextVar("source", default=_Source())  # noqa: B039  # it can't be changed
"""A context variable, since each thread of an ensemble draws from a generator of its own."""


@contextmanager
def masks_from(generator: torch.Generator | None, first: int = 0, batch_size: int | None = None) -> Iterator[None]:
    """Draw dropout's masks from this generator, in this thread; elsewhere PyTorch's default one is used.

    Args:
        first, batch_size: where the texts at hand are only some of a batch, the place of the first one, and how many
            there are. Masks are drawn for all of them: so those of a text don't depend on who learns it.
    """
    token = _source.set(_Source(generator, first, batch_size))
    try:
        yield
    finally:
        _source.reset(token)


def dropout_mask(*shape: int, share: float, like: Tensor) -> Tensor:
    """A mask: 0 with probability `share`, else 1 / (1 - share); of the device and the dtype of `like`."""
    mask = torch.empty(shape, device=like.device, dtype=torch.float32)
    return mask.bernoulli_(1 - share, generator=_source.get().generator).div_(1 - share).to(like.dtype)


class Dropout(nn.Module):
    """Dropout that zeroes the same units at every step of a sequence (Gal & Ghahramani 2016).

    It learns as well as a new mask for each step, and drawing those would take almost a tenth of a training step.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, n] → the same, with a random `share` of the n units at zero, other ones in each of the B texts."""
        if not self.training or not self.share:
            return x
        _, first, batch_size = _source.get()
        masks = dropout_mask(batch_size or len(x), 1, x.shape[-1], share=self.share, like=x)
        return x * masks[first : first + len(x)]
