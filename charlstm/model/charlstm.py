"""The model, with one contract for all uses: `logits, state = model(ids, state)`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.config import ModelConfig
from charlstm.model.cell import initialises, skip_init
from charlstm.model.dropout import Dropout
from charlstm.model.stack import Stack, State

FOLDS = 4
"""A batch with at least this many ids for each character of the vocabulary projects the vocabulary, and not the ids."""

_DRAWING = Lock()
"""PyTorch has one generator for all threads."""

_COUNTING = Lock()
_evaluating: dict[nn.Module, tuple[int, bool]] = {}
"""How many are inside of `evaluating` with a model, and the mode that it was in before the first of them."""


class CharLSTM(nn.Module):
    """Which character comes next, at every place of some texts.

    Training, evaluation, priming and writing one character are the same call with different shapes.

    The model is an ensemble of one or more members. Each learns the same text from its own mistakes, and their
    probabilities are averaged. The average is better than the best member: where one of them has learned the text by
    heart, and not how it is made, the others don't agree with it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(Member(config) for _ in range(config.ensemble_size))

    @classmethod
    def seeded(cls, config: ModelConfig, seed: int) -> CharLSTM:
        """A new model. Its weights follow from the seed, whatever other threads make meanwhile."""
        with _DRAWING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(config)

    @classmethod
    def with_weights(cls, config: ModelConfig, weights: Mapping[str, Tensor]) -> CharLSTM:
        """A model with weights that were learned before.

        Raises:
            RuntimeError: when the weights don't fit.
        """
        with skip_init():
            model = cls(config)
        model.load_state_dict(weights)
        return model

    @classmethod
    def shapes(cls, config: ModelConfig) -> dict[str, torch.Size]:
        """The shapes of the weights of such a model, by name. No memory is taken for them."""
        with skip_init(), torch.device("meta"):
            model = cls(config)
        return {name: weight.shape for name, weight in model.state_dict().items()}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def each(self) -> list[Member]:
        """The members."""
        return cast(list[Member], list(self.members))

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read: the layers of the first member, then those of the second, …"""
        return State.joined([member.stack.initial_state(batch_size) for member in self.each])

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, T], state before them → logits [B, T, vocab_size] of the next characters, state after them."""
        states = state.split(len(self.members))
        outputs = [member(ids, before) for member, before in zip(self.members, states, strict=True)]
        return mean_of([logits for logits, _ in outputs]), State.joined([after for _, after in outputs])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout; afterwards the model is in the mode that it was in.

    Several threads may be inside with one model. The last one to leave puts it back.
    """
    with _COUNTING:
        inside, was_training = _evaluating.get(model, (0, model.training))
        _evaluating[model] = inside + 1, was_training
        model.eval()
    try:
        yield
    finally:
        with _COUNTING:
            inside, was_training = _evaluating.pop(model)
            if inside > 1:
                _evaluating[model] = inside - 1, was_training
            else:
                model.train(was_training)


def mean_of(logits: Sequence[Tensor]) -> Tensor:
    """The logits of the mean of several models' probabilities, from the logits of each, [..., V]."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack([each.log_softmax(-1) for each in logits]).logsumexp(0) - math.log(len(logits))


class Member(nn.Module):
    """Embedding → Stack → Linear."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.embedding_dim is not None
        self.embedding = _Embedding(config.vocab_size, config.embedding_dim)
        self.stack = Stack(
            config.embedding_dim,
            config.hidden_size,
            config.num_layers,
            config.dropout,
            config.recurrent_dropout,
            config.cell,
        )
        self.dropout = Dropout(config.dropout)
        self.head = _Head(config.hidden_size, config.vocab_size)
        if config.tie_weights:
            self.embedding.weight = self.head.weight

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, T], state of the stack → logits [B, T, vocab_size], state."""
        lowest, table = self.stack.cells[0], self.embedding.weight
        if FOLDS * len(table) <= ids.numel() and not lowest.reads_input(ids.device):
            # Project each character of the vocabulary once, instead of each character of the batch.
            y, state = self.stack.read(lowest.project(table), ids, state)
        else:
            y, state = self.stack(F.embedding(ids, table), state)
        # y lies in memory step after step, and so do the logits: nothing is copied.
        return self.head(self.dropout(y).transpose(0, 1)).transpose(0, 1), state


class _Embedding(nn.Embedding):
    """Begins as PyTorch's own."""

    def reset_parameters(self) -> None:
        if initialises():
            super().reset_parameters()


class _Head(nn.Linear):
    """Begins with Xavier's weights, and no bias."""

    def reset_parameters(self) -> None:
        nn.init.zeros_(self.bias)
        if initialises():
            nn.init.xavier_uniform_(self.weight)
