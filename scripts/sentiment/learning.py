"""From labelled texts to a classifier: a network of its own, or a language model's states."""

from __future__ import annotations

from collections.abc import Callable

import torch

from charlstm.generator import Generator
from sentiment import features, training
from sentiment.features import FeatureClassifier, Fitted
from sentiment.judge import Judge
from sentiment.model import Classifier, Shape
from sentiment.texts import Encoded, Labelled, known_characters
from sentiment.training import Epoch, Recipe


def network(
    shape: Shape,
    recipe: Recipe,
    labelled: Labelled,
    validation: Labelled,
    on_texts: Callable[[int], object] = lambda n: None,
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
) -> tuple[Judge, Epoch]:
    """Train one of the tutorials' models; also returns its best epoch. Vocabulary and labels are from `labelled`."""
    torch.manual_seed(recipe.seed)
    vocab = known_characters(labelled.texts)
    judge = Judge(Classifier(shape, len(vocab), len(labelled.classes)), vocab, labelled.classes)
    data = [(Encoded(part.texts, vocab), judge.targets(part.labels)) for part in (labelled, validation)]
    return judge, training.fit(judge.model, *data, recipe, on_texts, on_epoch)


def on_language_model(
    read: Generator,
    labelled: Labelled,
    validation: Labelled,
    on_texts: Callable[[int], object] = lambda n: None,
    on_penalty: Callable[[Fitted], object] = lambda fitted: None,
) -> tuple[Judge, Fitted]:
    """Fit a logistic regression on a language model's states; also returns the penalty that validation chose.

    Args:
        on_texts: called with the number of texts that were just read: twice those of `labelled`, and `validation`.
    """
    opening = int(read.vocab.encode(read.opening(""))[0])
    texts, held = (Encoded(part.texts, read.vocab) for part in (labelled, validation))
    model = FeatureClassifier(read.model, opening, features.prototypes_for(texts), len(labelled.classes))
    judge = Judge(model, read.vocab, labelled.classes)
    parts = (texts, judge.targets(labelled.labels)), (held, judge.targets(validation.labels))
    return judge, features.fit(model, *parts, on_texts, on_penalty)
