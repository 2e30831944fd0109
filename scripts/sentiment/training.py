"""How a classifier learns: the loop over batches, and which of its epochs is kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from charlstm.clock import Clock
from charlstm.device import choose_dtype
from charlstm.errors import RunError
from charlstm.model.charlstm import evaluating
from sentiment.texts import Batch, Encoded

WARMUP = 0.1
"""The share of the steps in which the learning rate rises; then it falls along a cosine."""

AT_ONCE = 256
"""Texts that are read side by side where nothing is learned."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a classifier learns.

    Attributes:
        learning_rate: AdamW's greatest one.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    seed: int = 1


class Epoch(NamedTuple):
    """What an epoch came to: the mean loss in training, its seconds, and the share of right answers in validation."""

    number: int
    loss: float
    seconds: float
    accuracy: float


def fit(
    model: nn.Module,
    training: tuple[Encoded, Tensor],
    validation: tuple[Encoded, Tensor],
    recipe: Recipe,
    on_texts: Callable[[int], object] = lambda n: None,
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
) -> Epoch:
    """Train a model, and leave it as it was after the epoch that was best in validation.

    The test part has no place here: whoever picks the epoch, the size or the seed by the test part has seen it, and
    its score says nothing of new texts any more.

    Args:
        model: `model(ids, lengths)` → scores [B, classes].
        training, validation: texts, and the number of each one's class, [n].
        on_texts: called with the number of texts that were just read.

    Raises:
        RunError: when the loss is no finite number.
    """
    texts, targets = training
    random = np.random.default_rng(recipe.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
    )
    dtype = getattr(torch, choose_dtype("auto", torch.device("cpu")))
    steps, step = recipe.epochs * math.ceil(len(texts) / recipe.batch_size), 0
    best, weights = Epoch(0, math.nan, 0.0, -1.0), {}
    for number in range(1, recipe.epochs + 1):
        model.train()
        total, clock = 0.0, Clock()
        for batch in texts.shuffled(recipe.batch_size, random):
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                scores = model(batch.ids, batch.lengths)
            loss = F.cross_entropy(scores.float(), targets[batch.rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * pace(step / steps)
            optimizer.step()
            step += 1
            total += loss.item() * len(batch.rows)
            on_texts(len(batch.rows))
        if not math.isfinite(total):
            raise RunError(f"the loss is no finite number: a lower --learning-rate than {recipe.learning_rate:g} helps")
        seconds = clock.seconds
        right = (probabilities(model, validation[0]).argmax(1) == validation[1]).double().mean().item()
        epoch = Epoch(number, total / len(texts), seconds, right)
        on_epoch(epoch)
        if right > best.accuracy:
            best, weights = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return best


def pace(done: float) -> float:
    """The learning rate, relative to its greatest, when a share of the steps is done."""
    return min(1.0, (done + 1e-3) / WARMUP) * (1 + math.cos(math.pi * done)) / 2


@torch.inference_mode()
def probabilities(model: nn.Module, texts: Encoded, on_texts: Callable[[int], object] = lambda n: None) -> Tensor:
    """The probability of each class for each text, [n, classes], in full precision."""
    found: list[tuple[Batch, Tensor]] = []
    with evaluating(model):
        for batch in texts.in_order_of_length(AT_ONCE):
            found.append((batch, model(batch.ids, batch.lengths).softmax(1)))
            on_texts(len(batch.rows))
    result = torch.empty(len(texts), found[0][1].shape[1])
    for batch, each in found:
        result[batch.rows] = each
    return result
