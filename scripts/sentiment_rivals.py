"""The sentiment classifiers of Keras tutorials, and a bag of n-grams: what `classify_sentiment.py` is compared with.

It needs Keras, or scikit-learn for tf-idf, and nothing of this project, so any environment that has them will do:

    python scripts/sentiment_rivals.py lstm train.csv validation.csv test.csv --epochs 8 --seed 1

prints one line of JSON: accuracy in validation and test, what validation chose, and seconds for each epoch. The test
part is scored after each epoch, but only the score after the epoch that is best in validation is reported.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Sequence
from typing import Any

BATCH, UNITS, EMBEDDING = 64, 128, 128
"""Two directions have half of the units each, as in the examples of Keras."""


def read(path: str) -> tuple[list[str], list[int]]:
    """The texts and the labels, 0 or 1, of a file whose first two columns are label and text."""
    with open(path, encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [row[1] for row in rows], [int(row[0]) for row in rows]


def keras_model(kind: str, characters: int) -> Any:
    """The tutorials' model: an embedding, one or two layers, dropout, and one unit with a sigmoid."""
    from keras import Sequential, layers

    half = UNITS // 2
    hidden = {
        "lstm": lambda: [layers.LSTM(UNITS, dropout=0.2, recurrent_dropout=0.2)],
        "bilstm": lambda: [layers.Bidirectional(layers.LSTM(half)), layers.Dropout(0.5)],
        "stacked-bilstm": lambda: [
            layers.Bidirectional(layers.LSTM(half, return_sequences=True)),
            layers.Dropout(0.5),
            layers.Bidirectional(layers.LSTM(half)),
            layers.Dropout(0.5),
        ],
    }[kind]()
    model = Sequential([layers.Embedding(characters, EMBEDDING), *hidden, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def keras(flags: argparse.Namespace, parts: Sequence[tuple[list[str], list[int]]]) -> dict[str, Any]:
    """Train one of Keras's models; the epoch that is best in validation counts."""
    import keras as K
    import numpy as np

    K.utils.set_random_seed(flags.seed)
    ids = {c: number for number, c in enumerate(sorted(set("".join(parts[0][0]))), 2)}  # 0 pads, 1 is unknown

    def encoded(texts: list[str]) -> Any:
        return K.utils.pad_sequences([[ids.get(c, 1) for c in text] for text in texts], maxlen=flags.max_length)

    (x, y), *others = [(encoded(texts), np.array(labels, "float32")) for texts, labels in parts]
    model = keras_model(flags.model, len(ids) + 2)
    best: dict[str, Any] = {"validation": -1.0}
    seconds = []
    for epoch in range(1, flags.epochs + 1):
        began = time.perf_counter()
        model.fit(x, y, batch_size=BATCH, verbose=0)
        seconds.append(time.perf_counter() - began)
        validation, test = (float(model.evaluate(*part, verbose=0, batch_size=256)[1]) for part in others)
        if validation > best["validation"]:
            best = {"validation": validation, "test": test, "epoch": epoch}
    return {**best, "seconds an epoch": [round(each, 2) for each in seconds], "backend": K.backend.backend()}


def tf_idf(flags: argparse.Namespace, parts: Sequence[tuple[list[str], list[int]]]) -> dict[str, Any]:
    """Logistic regression on tf-idf of all n-grams of up to n characters; validation chooses n and the penalty."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    (texts, y), *others = parts
    best: dict[str, Any] = {"validation": -1.0}
    began = time.perf_counter()
    for n in range(1, 7):
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, n), sublinear_tf=True, lowercase=True)
        x = vectorizer.fit_transform(texts)
        held = [(vectorizer.transform(part), labels) for part, labels in others]
        for penalty in (1.0, 3.0, 10.0, 30.0):
            model = LogisticRegression(C=penalty, max_iter=2000).fit(x, y)
            validation, test = (float(model.score(*part)) for part in held)
            if validation > best["validation"]:
                best = {"validation": validation, "test": test, "n": n, "C": penalty}
    return {**best, "seconds": round(time.perf_counter() - began, 2)}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("model", choices=["lstm", "bilstm", "stacked-bilstm", "tf-idf"])
    parser.add_argument("parts", nargs=3, metavar="FILE", help="training, validation and test part")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=256, help="the last characters of a text that Keras reads")
    flags = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "jax")  # on a processor it trains in two thirds of TensorFlow's time
    parts = [read(path) for path in flags.parts]
    result = tf_idf(flags, parts) if flags.model == "tf-idf" else keras(flags, parts)
    print(json.dumps({"model": flags.model, "seed": flags.seed, **result}))


if __name__ == "__main__":
    main()
