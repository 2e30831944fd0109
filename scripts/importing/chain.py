"""A model of another program, as the tensors that charlstm has: Embedding → recurrent layers → Linear."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.config import ModelConfig
from charlstm.errors import InputError
from charlstm.saved.checkpoint import Checkpoint
from charlstm.text.vocab import Vocab

ONE_HOT = 4_096
"""The most characters of a model without an embedding: the identity that it gets has so many rows and columns."""

CALLED = {"lstm": "LSTM", "gru": "GRU", "gru-reset-before": "GRU with reset_after=False", "rnn": "simple RNN"}
"""The cells of charlstm that others have too, and what these call them."""


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer.

    Attributes:
        cell: its name in `charlstm.model.cells.CELLS`.
        weights: by the names of that cell, and as it has them.
    """

    name: str
    cell: str
    weights: dict[str, Tensor]

    @property
    def input_size(self) -> int:
        """How many numbers it reads."""
        return self.weights["weight_ih"].shape[1]

    @property
    def hidden_size(self) -> int:
        """Its units."""
        return self.weights["weight_hh"].shape[1]


@dataclass(frozen=True)
class Product:
    """A matrix that is an embedding's or a linear layer's, and a bias, if it has one."""

    name: str
    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class Chain:
    """A whole model. Its characters are numbers still, its *ids*.

    Attributes:
        embedding: [ids, embedding_dim], or None for a model that reads one-hot vectors.
        head: the last layer, [ids, hidden_size].
        layers: from the lowest up.
        notes: what whoever imports it should know.

    Raises:
        InputError: when the layers don't fit each other, or charlstm can't have such layers.
    """

    embedding: Product | None
    head: Product
    layers: list[Recurrent]
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.layers[0]
        for layer in self.layers[1:]:
            if layer.cell != first.cell:
                kinds = " and ".join(f"{each.name} ({CALLED[each.cell]})" for each in (first, layer))
                raise InputError(f"layers of different kinds, {kinds}, can't come: all layers must be of one")
            if layer.hidden_size != first.hidden_size:
                units = f"{first.name} has {first.hidden_size} units, and {layer.name} {layer.hidden_size}"
                raise InputError(f"{units}: only layers of the same number can come")
            _check_fits(layer.name, layer.input_size, first.hidden_size)
        if self.embedding is not None:
            if self.embedding.bias is not None:
                raise InputError(f"{self.embedding.name} is an embedding with a bias, which can't come")
            _check_fits(first.name, first.input_size, self.embedding.weight.shape[1])
        elif first.input_size > ONE_HOT:
            raise InputError(f"{first.name} reads {first.input_size:,} numbers, and no embedding is below it")
        _check_fits(self.head.name, self.head.weight.shape[1], first.hidden_size)
        if self.head.bias is not None and self.head.bias.shape != self.head.weight.shape[:1]:
            biases = f"biases of the shape {list(self.head.bias.shape)}"
            raise InputError(f"{self.head.name} has {len(self.head.weight)} outputs and {biases}")
        if not self.ids:
            raise InputError("it has no characters")

    @property
    def ids(self) -> int:
        """How many ids can be both read and written."""
        read = self.layers[0].input_size if self.embedding is None else len(self.embedding.weight)
        return min(read, len(self.head.weight))

    def checkpoint(self, characters: dict[int, str]) -> Checkpoint:
        """The model for these ids and their characters; charlstm sorts characters by their code points."""
        ids = torch.tensor(sorted(characters, key=characters.__getitem__))
        vocab = Vocab("".join(sorted(characters.values())))
        first = self.layers[0]
        config = ModelConfig(
            vocab_size=len(vocab),
            cell=first.cell,
            hidden_size=first.hidden_size,
            num_layers=len(self.layers),
            embedding_dim=first.input_size,
            dropout=0.0,
        )
        embedding = F.one_hot(ids, first.input_size).float() if self.embedding is None else self.embedding.weight[ids]
        bias = torch.zeros(len(self.head.weight)) if self.head.bias is None else self.head.bias
        weights = {"embedding.weight": embedding, "head.weight": self.head.weight[ids], "head.bias": bias[ids]}
        for number, layer in enumerate(self.layers):
            weights |= {f"stack.layers.{number}.{name}": weight for name, weight in layer.weights.items()}
        if odd := [name for name, weight in weights.items() if not weight.float().isfinite().all()]:
            raise InputError(f"{odd[0]} would have numbers that aren't finite in float32: use another file")
        of_member = {
            f"members.0.{name}": weight.float().clone(memory_format=torch.contiguous_format)
            for name, weight in weights.items()
        }
        return Checkpoint(config, vocab, of_member)


def _check_fits(name: str, reads: int, size: int) -> None:
    if reads != size:
        raise InputError(f"{name} reads {reads} numbers, and what is below it gives {size}: this is no chain of layers")
