"""What a batch costs the model: the mean of -log p of the characters that came."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NUMBERS_AT_ONCE = 1 << 20
"""Logits that a processor takes at a time, in float32: what is much larger leaves its caches.

And where the C library hands large blocks back to the system, as everywhere but on Linux (see `keep_freed_memory`), the
logits of 2,048 of the Tang poems' 5,387 different characters took ten times as long to get as to compute with.
"""


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Logits [B, T, V] of any dtype, the ids that came [B, T] → their mean in nats per character, in float32."""
    rows = max(1, NUMBERS_AT_ONCE // logits.shape[-1]) if logits.device.type == "cpu" else y.numel()
    parts = zip(torch.split(logits.flatten(0, 1), rows), torch.split(y.flatten(), rows), strict=True)
    return torch.stack([F.cross_entropy(part.float(), came, reduction="sum") for part, came in parts]).sum() / y.numel()
