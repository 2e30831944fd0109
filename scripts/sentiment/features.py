"""The states of a language model as the words of a text, and a logistic regression on them (Radford et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM
from sentiment.prototypes import cluster, nearest
from sentiment.texts import Encoded
from sentiment.training import AT_ONCE

PENALTIES = (3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
"""Of which validation chooses one: half of it times the sum of the squared weights is added to the mean loss."""

PROTOTYPES = 8192
"""The greatest number of prototypes. A short corpus has one for every `STATES_EACH` of its characters."""

STATES_EACH = 16

SAMPLED = 8
"""The states, for each prototype, that the prototypes are found in."""


class Bags(NamedTuple):
    """Texts as prototypes with weights, in any order, like words of a bag.

    Attributes:
        prototypes: which ones, [n] int64, text after text; each at most once in a text.
        weights: [n]; the squares of those of a text add up to 1.
        starts: where each text begins, [texts] int64.
    """

    prototypes: Tensor
    weights: Tensor
    starts: Tensor

    def double(self) -> Bags:
        """The same bags, with weights in float64."""
        return self._replace(weights=self.weights.double())


class FeatureClassifier(nn.Module):
    """A language model that reads, and a linear layer that judges by the states in which the text put it.

    Each character leaves a state: the outputs of all members' highest layers. It counts as the nearest one of some
    prototypes. A text is the bag of its prototypes, weighted like the words of a text (tf-idf): the more often they
    come in it, and the fewer texts they come in, the more they count.

    Args:
        opening: the id that is read before a text, and isn't part of it, as in `Generator.opening`.
        prototypes: how many, K.
    """

    mean: Tensor
    scale: Tensor
    prototypes: Tensor
    rarity: Tensor

    def __init__(self, language_model: CharLSTM, opening: int, prototypes: int, classes: int) -> None:
        super().__init__()
        self.language_model, self.opening = language_model, opening
        units = language_model.config.hidden_size * len(language_model.members)
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("scale", torch.ones(units))
        self.register_buffer("prototypes", torch.zeros(prototypes, units))
        self.register_buffer("rarity", torch.ones(prototypes))
        self.head = nn.Linear(prototypes, classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """ids [B, T], lengths [B] → scores [B, classes], before a softmax."""
        bags = self.bags(nearest(self.directions(self.states(ids, lengths)), self.prototypes), lengths)
        return scores(bags, self.head.weight, self.head.bias)

    def states(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The state after each character of each text, [n, members · H], text after text."""
        first = self.language_model.initial_state(len(ids)).split(len(self.language_model.members))
        is_text = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        ids = torch.cat([ids.new_full((len(ids), 1), self.opening), ids], 1)
        # What stands after a text's end changes nothing before it.
        outputs = (
            member.stack(member.embedding(ids), state)[0]
            for member, state in zip(self.language_model.each, first, strict=True)
        )
        return torch.cat([h[:, 1:][is_text] for h in outputs], 1)

    def directions(self, states: Tensor) -> Tensor:
        """States as vectors of length 1, in which every unit counts alike."""
        return F.normalize((states - self.mean) / self.scale, dim=1)

    def bags(self, found: Tensor, lengths: Tensor) -> Bags:
        """Texts of these lengths, [B], from the prototype of each character, [n], text after text."""
        texts = torch.arange(len(lengths)).repeat_interleave(lengths)
        pairs, counts = (texts * len(self.prototypes) + found).unique(return_counts=True)
        texts, found = pairs // len(self.prototypes), pairs % len(self.prototypes)
        weights = (1 + counts.log()) * self.rarity[found]
        squares = weights.new_zeros(len(lengths)).index_add(0, texts, weights.square())
        return Bags(found, weights / squares.sqrt()[texts], torch.searchsorted(texts, torch.arange(len(lengths))))


def scores(bags: Bags, weight: Tensor, bias: Tensor) -> Tensor:
    """The linear layer on bags: weight [classes, K], bias [classes] → [texts, classes]."""
    sums = F.embedding_bag(bags.prototypes, weight.T, bags.starts, mode="sum", per_sample_weights=bags.weights)
    return sums + bias


class Fitted(NamedTuple):
    """The penalty that validation chose, and its share of right answers there."""

    penalty: float
    accuracy: float


def prototypes_for(texts: Encoded) -> int:
    """How many prototypes a corpus gets."""
    return min(PROTOTYPES, 1 + int(texts.lengths.sum()) // STATES_EACH)


def fit(
    model: FeatureClassifier,
    training: tuple[Encoded, Tensor],
    validation: tuple[Encoded, Tensor],
    on_texts: Callable[[int], object] = lambda n: None,
    on_penalty: Callable[[Fitted], object] = lambda fitted: None,
) -> Fitted:
    """Find the prototypes, and fit the linear layer; the language model stays as it is.

    Scale, prototypes and rarity are those of the training part: validation and test part are as strange to them as any
    other text.

    Args:
        on_texts: called with the number of texts that were just read. Those of the training part are read twice.
    """
    model.eval()
    _find_prototypes(model, training[0], on_texts)
    found, lengths = _read(model, training[0], on_texts)
    texts_with = model.bags(found, lengths).prototypes.bincount(minlength=len(model.prototypes))
    model.rarity.copy_(1 + ((1 + len(lengths)) / (1 + texts_with)).log())
    bags, held = (model.bags(*each).double() for each in ((found, lengths), _read(model, validation[0], on_texts)))
    best, kept = Fitted(0.0, -1.0), None
    weights = torch.zeros(model.head.out_features, len(model.prototypes) + 1, dtype=torch.float64)
    for penalty in reversed(PENALTIES):  # each begins where a stricter one ended
        weights = logistic_regression(bags, training[1], penalty, weights)
        right = scores(held, weights[:, :-1], weights[:, -1]).argmax(1) == validation[1]
        fitted = Fitted(penalty, right.double().mean().item())
        on_penalty(fitted)
        if fitted.accuracy > best.accuracy:
            best, kept = fitted, weights
    assert kept is not None
    with torch.no_grad():
        model.head.weight.copy_(kept[:, :-1])
        model.head.bias.copy_(kept[:, -1])
    return best


@torch.inference_mode()
def _find_prototypes(model: FeatureClassifier, texts: Encoded, on_texts: Callable[[int], object]) -> None:
    """Set mean, scale and prototypes, by a sample of the states."""
    total = int(texts.lengths.sum())
    is_sampled = torch.zeros(total, dtype=torch.bool)
    sample = np.random.default_rng(0).permutation(total)[: SAMPLED * len(model.prototypes)]
    is_sampled[torch.from_numpy(sample)] = True
    states, begin = [], 0
    for batch in texts.in_order_of_length(AT_ONCE):
        end = begin + int(batch.lengths.sum())
        states.append(model.states(batch.ids, batch.lengths)[is_sampled[begin:end]])
        begin = end
        on_texts(len(batch.rows))
    sampled = torch.cat(states)
    model.mean.copy_(sampled.mean(0))
    model.scale.copy_(sampled.std(0, correction=0).clamp_min(1e-3))
    model.prototypes.copy_(cluster(model.directions(sampled), len(model.prototypes)))


@torch.inference_mode()
def _read(model: FeatureClassifier, texts: Encoded, on_texts: Callable[[int], object]) -> tuple[Tensor, Tensor]:
    """The prototype of each character, text after text, and the lengths of the texts."""
    found: dict[int, Tensor] = {}
    for batch in texts.in_order_of_length(AT_ONCE):
        each = nearest(model.directions(model.states(batch.ids, batch.lengths)), model.prototypes)
        found.update(zip(batch.rows.tolist(), each.split(batch.lengths.tolist()), strict=True))
        on_texts(len(batch.rows))
    return torch.cat([found[row] for row in range(len(texts))]), torch.from_numpy(texts.lengths)


def logistic_regression(bags: Bags, y: Tensor, penalty: float, start: Tensor) -> Tensor:
    """The weights that make the labels likeliest, with a penalty for large ones. The problem has one minimum.

    Args:
        y: the number of each text's class, [texts].
        start: where to begin, [classes, K + 1]; the last column has the biases, which aren't penalised.
    """
    weights = start.clone().requires_grad_()
    solver = torch.optim.LBFGS([weights], max_iter=200, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        found = scores(bags, weights[:, :-1], weights[:, -1])
        total = F.cross_entropy(found, y) + penalty / 2 * weights[:, :-1].square().sum()
        total.backward()
        return total

    solver.step(loss)
    return weights.detach()
