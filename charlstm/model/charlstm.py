"""The model, whose one contract, `logits, state = model(ids, state)`, carries all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from charlstm.config import ModelConfig
from charlstm.model.cell import undrawn
from charlstm.model.dropout import Dropout
from charlstm.model.stack import Stack, State


class CharLSTM(nn.Module):
    """Which character comes next, for every place in some texts.

    Training, evaluation, priming and writing one character are the same call with different shapes.

    It is an ensemble of one or more members, which learn the same text, each from its own mistakes. The probabilities
    that they give together are the mean of theirs, and better than those of the best of them: where a member has
    learned the text by heart, and not how it is made, the others don't agree with it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(Member(config) for _ in range(config.ensemble_size))

    @classmethod
    def with_weights(cls, config: ModelConfig, weights: Mapping[str, Tensor]) -> CharLSTM:
        """A model that has learned before.

        Raises:
            RuntimeError: when the weights don't fit.
        """
        with undrawn():
            model = cls(config)
        model.load_state_dict(weights)
        return model

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read: of each member its layers, one member after the other."""
        layers = self.config.ensemble_size * self.config.num_layers
        return State.zeros(layers, batch_size, self.config.hidden_size, self.device)

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, T], state after what came before → logits [B, T, vocab_size] of the next characters, state."""
        parts = state.parted(len(self.members))
        each = [member(ids, part) for member, part in zip(self.members, parts, strict=True)]
        return mean_of([logits for logits, _ in each]), State.joined([after for _, after in each])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, and afterwards in the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def mean_of(each: Sequence[Tensor]) -> Tensor:
    """The logits that stand for the mean of the probabilities of several logits, [..., V]."""
    if len(each) == 1:
        return each[0]
    return torch.stack([logits.log_softmax(-1) for logits in each]).logsumexp(0) - math.log(len(each))


class Member(nn.Module):
    """Embedding → Stack → Linear."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.embedding_dim is not None
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_dim)
        self.stack = Stack(
            config.embedding_dim,
            config.hidden_size,
            config.num_layers,
            config.dropout,
            config.recurrent_dropout,
            config.cell,
        )
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)
        # Xavier for the outputs; embeddings stay as PyTorch draws them, and the stack has initialised itself.
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        if config.tie_weights:
            self.embedding.weight = self.head.weight

    def forward(self, ids: Tensor, state: State, generator: torch.Generator | None = None) -> tuple[Tensor, State]:
        """ids [B, T], state of the stack → logits [B, T, vocab_size], state.

        Dropout's random numbers come from `generator`, or else from PyTorch's own.
        """
        y, state = self.stack(self.embedding.weight, state, ids, generator)
        return self.head(self.dropout(y, generator)), state
