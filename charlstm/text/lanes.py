"""Ids → contiguous lanes of (x, y).

A text of n ids is laid out as B lanes, each a stretch of it; a batch takes the next T ids of every lane, so that lane b
of batch k+1 goes on where lane b of batch k stopped, and a recurrent state carried from batch to batch always belongs
to the text just before. The targets y are the inputs x moved on by one id.

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
"""Batches after which the pages of a memory-mapped text are given back."""


class Lanes:
    """Batches of a text, in order, by number.

    Args:
        text: ids, [n] with n ≥ 2, or documents, which each epoch reads in an order of its own.
        batch_size: lanes that are asked for. There are fewer if the text can't give each of them `seq_len` ids.
        seq_len: ids that a batch takes from each lane; an epoch's last batch takes what is left.

    Attributes:
        batch_size: the lanes that there are.
        length: targets in each lane. An epoch has each of the text's `n - 1` targets once, but for the last
            `(n - 1) % batch_size`.
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

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Batch `number` ≥ 0, counted over all epochs: x and y, int64 [B, T]."""
        epoch, place = divmod(number, self.batches)
        if number % RELEASE_EVERY == 0:
            release(self.text.ids if isinstance(self.text, Documents) else self.text)
        ids = self._in_order(epoch)
        begin = place * self.seq_len
        end = min(begin + self.seq_len, self.length)
        window = np.stack([ids[s + begin : s + end + 1] for s in self._starts]).astype(np.int64)
        both = torch.from_numpy(window)
        return both[:, :-1].contiguous(), both[:, 1:].contiguous()

    def _in_order(self, number: int) -> Ids | Epoch:
        """The text as an epoch reads it; the latest one is kept."""
        if not isinstance(self.text, Documents):
            return self.text
        if self._epoch is None or self._epoch.number != number:
            self._epoch = self.text.epoch(number, self.batch_size)
        return self._epoch
