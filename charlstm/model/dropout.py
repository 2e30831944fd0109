"""Dropout whose mask stays the same over a sequence, and where its random numbers come from."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def dropout_mask(*shape: int, share: float, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Zeros, a random `share` of it all, and elsewhere what makes up for them: 1 / (1 - share).

    Args:
        generator: where the random numbers come from; PyTorch's own for the device, unless it is given.
    """
    return torch.empty(shape, device=device).bernoulli_(1 - share, generator=generator).div_(1 - share)


class Dropout(nn.Module):
    """Dropout that zeroes the same units at every step of a sequence (Gal & Ghahramani 2016).

    It learns no worse than masks of each step's own, and drawing those would take almost a tenth of a training step.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x [B, T, n] → the same with `share` of the n zeroed in each of the B, and the others scaled up for it."""
        if not self.training or not self.share:
            return x
        mask = dropout_mask(len(x), 1, x.shape[-1], share=self.share, device=x.device, generator=generator)
        return x * mask.to(x.dtype)
