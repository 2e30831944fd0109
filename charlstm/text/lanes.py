"""Ids → lanes of inputs x and targets y.

A text of n ids is cut into B sections of equal length, the lanes. A batch takes the next T ids of every lane. So lane b
of batch k+1 continues where lane b of batch k stopped, and the hidden state of batch k belongs to the text just before
batch k+1. The targets y are the inputs x, one id later.

    ids     t h e   c a t   s a t   o n   t h e   m a t          B = 2, T = 4
    lane 0  t h e _ | c a t _ | s        x of batch 0: [t h e _]   y: [h e _ c]
    lane 1  a t _ o | n _ t h | e                      [a t _ o]      [t _ o n]
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from charlstm.text.documents import Documents, Epoch
from charlstm.text.ids import Ids, release

RELEASE_EVERY = 1000
"""After this many batches, the pages of a memory-mapped text are given back."""


class Lanes:
    """Batches of a text, in order, by number.

    Args:
        text: ids, [n] with n ≥ 2; or documents, in a new order every epoch.
        batch_size: the number of lanes. A text with fewer than `batch_size * seq_len` targets has fewer lanes.
        seq_len: the ids of a batch in each lane. The last batch of an epoch takes the rest.

    Attributes:
        batch_size: the actual number of lanes.
        length: targets in each lane. An epoch has `n - 1` targets, without the last `(n - 1) % batch_size`.
        batches: batches in an epoch.
    """

    def __init__(self, text: Ids | Documents, batch_size: int, seq_len: int) -> None:
        targets = len(text) - 1
        assert targets >= 1, "the parts of a text are made long enough by `split`"
        self.text = text
        self.seq_len = seq_len
        self.batch_size = max(1, min(batch_size, targets // seq_len))
        self.length = targets // self.batch_size
        self.batches = -(-self.length // seq_len)
        self._starts = np.arange(self.batch_size) * self.length
        self._epoch: Epoch | None = None

    def batch(self, number: int, lanes: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Batch `number` ≥ 0, counted over all epochs: x and y, int64 [B, T], of all lanes or of some."""
        epoch, place = divmod(number, self.batches)
        ids: Ids | Epoch
        if isinstance(self.text, Documents):
            if self._epoch is None or self._epoch.number != epoch:
                self._epoch = Epoch(self.text, epoch, readers=self.batch_size)
            ids, pages = self._epoch, self.text.ids
        else:
            ids = pages = self.text
        if number % RELEASE_EVERY == 0:
            release(pages)
        begin = place * self.seq_len
        end = min(begin + self.seq_len, self.length)
        both = torch.from_numpy(np.stack([ids[s + begin : s + end + 1] for s in self._starts[lanes]]).astype(np.int64))
        return both[:, :-1].contiguous(), both[:, 1:].contiguous()
