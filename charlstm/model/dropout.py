"""Dropout whose mask stays the same over a sequence, and where its random numbers come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn

_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)
"""A context variable, since each thread of an ensemble draws from a generator of its own."""


@contextmanager
def masks_from(generator: torch.Generator) -> Iterator[None]:
    """Draw dropout's masks from this generator, in this thread; elsewhere PyTorch's default one is used."""
    token = _generator.set(generator)
    try:
        yield
    finally:
        _generator.reset(token)


def dropout_mask(*shape: int, share: float, like: Tensor) -> Tensor:
    """A mask: 0 with probability `share`, else 1 / (1 - share); of the device and the dtype of `like`."""
    mask = torch.empty(shape, device=like.device, dtype=torch.float32)
    return mask.bernoulli_(1 - share, generator=_generator.get()).div_(1 - share).to(like.dtype)


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
        return x * dropout_mask(len(x), 1, x.shape[-1], share=self.share, like=x)
