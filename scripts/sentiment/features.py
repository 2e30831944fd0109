"""The state of a language model as features of a text, and a logistic regression on them (Radford et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.model.charlstm import CharLSTM
from sentiment.texts import Encoded
from sentiment.training import AT_ONCE

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Of which validation chooses one: half of it times the sum of the squared weights is added to the mean loss."""

FIGURES = 3
"""What each unit gives of a text: its mean, its greatest and its least output."""


class FeatureClassifier(nn.Module):
    """A language model that reads, and a linear layer that judges what it makes of a text.

    Args:
        opening: the id that is read before a text, and isn't part of it, as in `Generator.opening`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, language_model: CharLSTM, opening: int, classes: int) -> None:
        super().__init__()
        self.language_model, self.opening = language_model, opening
        features = FIGURES * language_model.config.hidden_size * len(language_model.members)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.head = nn.Linear(features, classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """ids [B, T], lengths [B] → scores [B, classes], before a softmax."""
        scores: Tensor = self.head((self.features(ids, lengths) - self.mean) / self.scale)
        return scores

    def features(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """What the language model makes of each text, [B, members · 3 · H].

        Every unit of every member's highest layer gives three numbers: the mean, the greatest and the least of its
        outputs over the text. So a word counts wherever it stands, and the last character no more than others.
        """
        first = self.language_model.initial_state(len(ids)).split(len(self.language_model.members))
        ids = torch.cat([ids.new_full((len(ids), 1), self.opening), ids], 1)
        step = torch.arange(ids.shape[1], device=ids.device)
        is_text = ((step > 0) & (step <= lengths[:, None]))[:, :, None]
        found = []
        for member, state in zip(self.language_model.each, first, strict=True):
            h, _ = member.stack(member.embedding(ids), state)  # what stands after a text's end changes nothing before
            found += [
                h.masked_fill(~is_text, 0).sum(1) / lengths[:, None],
                h.masked_fill(~is_text, -torch.inf).amax(1),
                h.masked_fill(~is_text, torch.inf).amin(1),
            ]
        return torch.cat(found, 1)


class Fitted(NamedTuple):
    """The penalty that validation chose, and its share of right answers there."""

    penalty: float
    accuracy: float


def fit(
    model: FeatureClassifier,
    training: tuple[Encoded, Tensor],
    validation: tuple[Encoded, Tensor],
    on_texts: Callable[[int], object] = lambda n: None,
    on_penalty: Callable[[Fitted], object] = lambda fitted: None,
) -> Fitted:
    """Fit the linear layer; the language model stays as it is.

    The features' mean and scale are those of the training part: validation and test part are as strange to them as
    any other text.
    """
    model.eval()
    x, held = (all_features(model, texts, on_texts) for texts, _ in (training, validation))
    mean, scale = x.mean(0), x.std(0, correction=0).clamp_min(1e-3)
    x, held = (x - mean) / scale, (held - mean) / scale
    best, kept = Fitted(0.0, -1.0), None
    weights = torch.zeros(model.head.out_features, x.shape[1] + 1, dtype=torch.float64)
    for penalty in reversed(PENALTIES):  # each begins where a stricter one ended
        weights = logistic_regression(x, training[1], penalty, weights)
        right = (held @ weights[:, :-1].T + weights[:, -1]).argmax(1) == validation[1]
        fitted = Fitted(penalty, right.double().mean().item())
        on_penalty(fitted)
        if fitted.accuracy > best.accuracy:
            best, kept = fitted, weights
    assert kept is not None
    with torch.no_grad():
        model.mean.copy_(mean)
        model.scale.copy_(scale)
        model.head.weight.copy_(kept[:, :-1])
        model.head.bias.copy_(kept[:, -1])
    return best


@torch.inference_mode()
def all_features(model: FeatureClassifier, texts: Encoded, on_texts: Callable[[int], object]) -> Tensor:
    """The features of all texts, [n, features], in float64."""
    result = torch.empty(len(texts), model.head.in_features, dtype=torch.float64)
    for batch in texts.in_order_of_length(AT_ONCE):
        result[batch.rows] = model.features(batch.ids, batch.lengths).double()
        on_texts(len(batch.rows))
    return result


def logistic_regression(x: Tensor, y: Tensor, penalty: float, start: Tensor) -> Tensor:
    """The weights that make the labels likeliest, with a penalty for large ones. The problem has one minimum.

    Args:
        x: [n, features], of mean 0 and scale 1.
        y: the number of each class, [n].
        start: where to begin, [classes, features + 1]; the last column has the biases, which aren't penalised.
    """
    weights = start.clone().requires_grad_()
    solver = torch.optim.LBFGS([weights], max_iter=200, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        scores = x @ weights[:, :-1].T + weights[:, -1]
        total = F.cross_entropy(scores, y) + penalty / 2 * weights[:, :-1].square().sum()
        total.backward()
        return total

    solver.step(loss)
    return weights.detach()
