"""A trained classifier with its vocabulary and its labels: it judges texts, and lies in one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charlstm.config import ModelConfig, from_plain
from charlstm.errors import InputError
from charlstm.model.cell import skip_init
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import container
from charlstm.text.vocab import Vocab
from sentiment.features import FeatureClassifier
from sentiment.model import Classifier, Shape
from sentiment.texts import Encoded
from sentiment.training import probabilities

FORMAT = "charlstm sentiment 2"


class Judge:
    """What a text feels, in the words of the labels that were learned.

    Args:
        model: `model(ids, lengths)` → scores [B, classes].
        classes: the labels, in the order of the scores.
    """

    def __init__(self, model: Classifier | FeatureClassifier, vocab: Vocab, classes: Sequence[str]) -> None:
        self.model, self.vocab, self.classes = model, vocab, list(classes)

    def probabilities(self, texts: Sequence[str], on_texts: Callable[[int], object] = lambda n: None) -> Tensor:
        """The probability of each label for each text, [n, classes]."""
        return probabilities(self.model, Encoded(texts, self.vocab), on_texts)

    def targets(self, labels: Sequence[str]) -> Tensor:
        """The number of each label, [n] int64.

        Raises:
            InputError: for one that was not learned.
        """
        numbers = {label: number for number, label in enumerate(self.classes)}
        if strange := sorted({*labels} - {*numbers}):
            raise InputError(f"the label {strange[0]!r} was not learned: the labels are {', '.join(self.classes)}")
        return torch.tensor([numbers[label] for label in labels])

    def save(self, path: Path) -> None:
        """Write it in place of `path`."""
        model = self.model
        made_of: dict[str, Any]
        if isinstance(model, FeatureClassifier):
            made_of = {
                "language_model": asdict(model.language_model.config),
                "opening": model.opening,
                "prototypes": len(model.prototypes),
            }
        else:
            made_of = {"shape": asdict(model.shape)}
        plain = {"format": FORMAT, "classes": self.classes, "vocab": self.vocab.characters, **made_of}
        container.save(path, {**plain, "weights": model.state_dict()})

    @classmethod
    def load(cls, path: Path) -> Judge:
        """Read one, without running any code in it.

        Raises:
            InputError: when there is no such file, it is damaged, or it isn't one of these.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such file: train it with classify_sentiment.py train DATA.csv --out {path}")
        contents = container.load(path)
        if not isinstance(contents, dict) or contents.get("format") != FORMAT:
            raise InputError(f"{path}: not a model of classify_sentiment.py train")
        with container.parsing(path, "damaged", "train it again"):
            classes, vocab = contents["classes"], Vocab(contents["vocab"])
            if not isinstance(classes, list) or len(classes) < 2 or not all(isinstance(c, str) for c in classes):
                raise InputError("it has no labels")
            model = _model(contents, len(vocab), len(classes))
            model.load_state_dict(contents["weights"])
            if not all(weight.isfinite().all() for weight in model.state_dict().values()):
                raise InputError("its weights are not finite numbers")
        return cls(model.eval(), vocab, classes)


def _model(contents: dict[str, Any], vocab_size: int, classes: int) -> Classifier | FeatureClassifier:
    """A model of the saved shape. It has its weights' memory first on paper, so that no number fills the machine's."""
    weights: dict[str, Tensor] = contents["weights"]

    def made() -> Classifier | FeatureClassifier:
        if "shape" in contents:
            return Classifier(Shape(**contents["shape"]), vocab_size, classes)
        config = from_plain(ModelConfig, contents["language_model"])
        if config.vocab_size != vocab_size or not 0 <= contents["opening"] < vocab_size:
            raise InputError("the vocabulary isn't the language model's")
        return FeatureClassifier(CharLSTM(config), contents["opening"], contents["prototypes"], classes)

    with torch.device("meta"), skip_init():
        shapes = {name: weight.shape for name, weight in made().state_dict().items()}
    if shapes != {name: weight.shape for name, weight in weights.items()}:
        raise InputError("its weights don't fit")
    with skip_init():
        return made()
