"""Embedding → Stack → Linear: the model whose one contract, `logits, state = model(ids, state)`, carries all."""

from __future__ import annotations

from torch import Tensor, nn

from charlstm.config import ModelConfig
from charlstm.model.stack import Dropout, Stack, State


class CharLSTM(nn.Module):
    """Which character comes next, for every place in some texts.

    Training, evaluation, priming and writing one character are the same call with different shapes.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.embedding_dim is not None
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_dim)
        self.stack = Stack(config.embedding_dim, config.hidden_size, config.num_layers, config.dropout)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier for the outputs; embeddings stay as PyTorch draws them, and the stack has initialised itself."""
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        if self.config.tie_weights:
            self.embedding.weight = self.head.weight

    def initial_state(self, batch_size: int) -> State:
        """The state before anything is read."""
        return self.stack.initial_state(batch_size)

    def forward(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """ids [B, T], state after what came before → logits [B, T, vocab_size] of the next characters, state."""
        y, state = self.stack(self.embedding.weight, state, ids)
        return self.head(self.dropout(y)), state
