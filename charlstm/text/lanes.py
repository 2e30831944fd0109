"""Ids → contiguous lanes of (x, y).

A text of n ids is laid out as B lanes, each a stretch of it; a batch takes the next T ids of every lane, so that lane b
of batch k+1 goes on where lane b of batch k stopped, and a recurrent state carried from batch to batch always belongs
to the text just before. The targets y are the inputs x moved on by one id.

    ids     t h e   c a t   s a t   o n   t h e   m a t          B = 2, T = 4
    lane 0  t h e _ | c a t _ | s        x of batch 0: [t h e _]   y: [h e _ c]
    lane 1  a t _ o | n _ t h | e                      [a t _ o]      [t _ o n]
"""

from __future__ import annotations

import mmap

import numpy as np
import torch
from torch import Tensor

from charlstm.text.corpus import Ids

RELEASE_EVERY = 1000
"""Batches after which the pages of a memory-mapped text are given back."""


class Lanes:
    """Batches of a text, in order, by number.

    Args:
        ids: the text, [n] with n ≥ 2.
        batch_size: lanes; fewer are laid when the text is too short to give each of them `seq_len` ids.
        seq_len: ids a batch takes from each lane; an epoch's last batch takes what is left.

    Attributes:
        batch_size: the lanes that there are.
        length: targets in each lane. The lanes show each of the text's `n - 1` targets once an epoch, but for the last
            `(n - 1) % batch_size`.
        batches: batches in an epoch.
    """

    def __init__(self, ids: Ids, batch_size: int, seq_len: int) -> None:
        targets = len(ids) - 1
        assert targets >= 1, "the parts of a text are made long enough by `split`"
        self.ids = ids
        self.seq_len = seq_len
        self.batch_size = max(1, min(batch_size, targets // seq_len))
        self.length = targets // self.batch_size
        self.batches = -(-self.length // seq_len)
        self._starts = np.arange(self.batch_size) * self.length

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Batch `number` of an epoch, 0 ≤ number < batches: x and y, int64 [B, T]."""
        if number % RELEASE_EVERY == 0:
            _release(self.ids)
        begin = number * self.seq_len
        end = min(begin + self.seq_len, self.length)
        window = np.stack([self.ids[s + begin : s + end + 1] for s in self._starts]).astype(np.int64)
        both = torch.from_numpy(window)
        return both[:, :-1].contiguous(), both[:, 1:].contiguous()


def _release(ids: Ids) -> None:
    """Let go of the pages read so far, which would count as this process's memory until the system wants them back."""
    if isinstance(ids, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping: mmap.mmap = ids._mmap  # type: ignore[attr-defined]  # numpy has no public name for it
        mapping.madvise(mmap.MADV_DONTNEED)
