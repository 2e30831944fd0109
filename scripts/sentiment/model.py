"""The classifier: embedding → layers of a recurrent cell, in one direction or in two → dropout → a score per label."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from charlstm.model.bidirectional import BidirectionalStack
from charlstm.model.dropout import Dropout
from charlstm.model.stack import Stack

MODELS = {"lstm": (1, 1), "bilstm": (2, 1), "stacked-bilstm": (2, 2)}
"""The directions and the layers of each model."""


@dataclass(frozen=True)
class Shape:
    """What a classifier is made of.

    Attributes:
        model: its name in `MODELS`.
        cell: its name in `charlstm.model.cells.CELLS`.
        hidden_size: the units of a layer. Two directions share them.
        dropout: the share of the units that is zeroed in training, of the embedding and of the last layer's answer.
        recurrent_dropout: the same for what the recurrence sees of h.
    """

    model: str = "bilstm"
    cell: str = "lstm"
    embedding_dim: int = 128
    hidden_size: int = 128
    dropout: float = 0.3
    recurrent_dropout: float = 0.2


class Classifier(nn.Module):
    """Scores for each label of a text.

    The tutorials end with one unit and a sigmoid. Two scores and a softmax are the same for two labels, since
    softmax(a, b) = sigmoid(a - b), and work for more.

    Each unit of the last layer gives one number a text: its greatest output over the text's own characters. So a word
    counts wherever it stands, and the padding never.
    """

    def __init__(self, shape: Shape, vocab_size: int, classes: int) -> None:
        super().__init__()
        self.shape = shape
        directions, layers = MODELS[shape.model]
        self.embedding = nn.Embedding(vocab_size, shape.embedding_dim)
        self.input_dropout = Dropout(shape.dropout)
        kind = Stack if directions == 1 else BidirectionalStack
        self.stack = kind(
            shape.embedding_dim,
            shape.hidden_size // directions,
            layers,
            shape.dropout,
            shape.recurrent_dropout,
            shape.cell,
        )
        self.dropout = nn.Dropout(shape.dropout)
        self.head = nn.Linear(shape.hidden_size, classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """ids [B, T], lengths [B] → scores [B, classes], before a softmax."""
        x = self.input_dropout(self.embedding(ids))
        if isinstance(self.stack, Stack):
            y, _ = self.stack(x, self.stack.initial_state(len(x)), lengths)
        else:
            y, _ = self.stack(x, lengths)
        return self.head(self.dropout(strongest(y, lengths)))


def strongest(y: Tensor, lengths: Tensor) -> Tensor:
    """The greatest output of each unit over the characters of each text: y [B, T, H], lengths [B] → [B, H]."""
    is_padding = torch.arange(y.shape[1], device=y.device) >= lengths[:, None]
    return y.masked_fill(is_padding[:, :, None], -torch.inf).amax(1)
