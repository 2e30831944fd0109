"""The training loss: the mean of -log p of the characters that came."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

NUMBERS_AT_ONCE = 1 << 20
"""Logits that a processor takes at a time, in float32: a much larger number doesn't fit into its caches.

And where the C library hands large blocks back to the system, as everywhere but on Linux (see `keep_freed_memory`),
to get the memory for 2,048 rows of 5,387 logits (the characters of the Tang poems) took ten times as long as to compute
them.
"""


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Logits [B, T, V] of any dtype, the ids that came [B, T] → their mean loss in nats, in float32 at least."""
    if not logits.is_contiguous():
        logits, y = logits.transpose(0, 1), y.T  # as they lie in memory: all lanes of a step, then those of the next
    rows = max(1, NUMBERS_AT_ONCE // logits.shape[-1]) if logits.device.type == "cpu" else y.numel()
    parts = zip(torch.split(logits.flatten(0, 1), rows), torch.split(y.flatten(), rows), strict=True)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    sums = [F.cross_entropy(part.to(dtype), came, reduction="sum") for part, came in parts]
    return torch.stack(sums).sum() / y.numel()
