#!/usr/bin/env python3
"""The classifiers compared: each model over several seeds, Keras's same models, and a bag of n-grams.

    python scripts/compare_sentiment.py train.csv validation.csv test.csv --out results.jsonl --keras other/bin/python

Validation chooses the epoch, the penalty and the n-grams. Results that are in the file already aren't computed again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
from commands import Failure, failures_reported, positive
from sentiment import learning
from sentiment.model import MODELS, Shape
from sentiment.report import Report
from sentiment.texts import Labelled, read_labelled
from sentiment.training import Recipe

import charlstm
from charlstm.cli import path
from charlstm.config import CELLS

RIVALS = Path(__file__).with_name("sentiment_rivals.py")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("parts", nargs=3, type=path, metavar="CSV", help="training, validation and test part")
    parser.add_argument("--out", type=path, required=True, metavar="FILE", help="a line of JSON for each result")
    parser.add_argument("--seeds", type=positive, default=3)
    parser.add_argument("--epochs", type=positive, default=Recipe.epochs)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=["lstm"])
    parser.add_argument("--language-models", nargs="*", type=path, default=[], metavar="RUN", help="for features")
    parser.add_argument("--keras", metavar="PYTHON", help="a Python with Keras and scikit-learn")
    parser.add_argument("--keras-epochs", type=positive, default=8)
    parser.add_argument("--keras-length", type=positive, default=256, help="the characters that Keras reads of a text")
    flags = parser.parse_args()
    with failures_reported():
        results = read_results(flags.out)
        settings = {name: str(vars(flags)[name]) for name in ("parts", "epochs", "keras_epochs", "keras_length")}
        for key, compute in contestants(flags):
            if results.get(key, {}).get("settings", settings) != settings:
                raise Failure(f"{flags.out}: {key} has results of other settings: give another --out")
            if key not in results:
                results[key] = {**compute(), "settings": settings}
                with flags.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"of": key, **results[key]}) + "\n")
                print(key, results[key], file=sys.stderr, flush=True)
        print("\n".join(table(results)))


def read_results(file: Path) -> dict[str, dict[str, Any]]:
    """What earlier calls found, by contestant and seed."""
    if not file.exists():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line.pop("of"): line for line in lines}


def contestants(flags: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Each contestant's name, with its seed, and what computes its result."""
    parts = [read_labelled(part) for part in flags.parts]
    for cell in flags.cells:
        for model in flags.models:
            for seed in range(1, flags.seeds + 1):
                shape, recipe = Shape(model=model, cell=cell), Recipe(epochs=flags.epochs, seed=seed)
                name = model if cell == "lstm" else f"{model} of {cell}"
                yield f"{name} #{seed}", lambda shape=shape, recipe=recipe: network(shape, recipe, parts)
    for seed, run in enumerate(flags.language_models, 1):
        yield f"features #{seed}", lambda run=run: features(run, parts)
    if flags.keras:
        for model in flags.models:
            for seed in range(1, flags.seeds + 1):
                yield f"{model} in Keras #{seed}", lambda model=model, seed=seed: rival(flags, model, seed)
        yield "tf-idf #1", lambda: rival(flags, "tf-idf", 1)


def network(shape: Shape, recipe: Recipe, parts: list[Labelled]) -> dict[str, Any]:
    """One of our models."""
    seconds: list[float] = []
    judge, best = learning.network(shape, recipe, *parts[:2], on_epoch=lambda epoch: seconds.append(epoch.seconds))
    report = Report(judge.classes, judge.targets(parts[2].labels), judge.probabilities(parts[2].texts))
    return {"validation": best.accuracy, "test": report.accuracy, "epoch": best.number, "seconds an epoch": seconds}


def features(run: Path, parts: list[Labelled]) -> dict[str, Any]:
    """A logistic regression on the states of a language model."""
    judge, best = learning.on_language_model(charlstm.load(run), *parts[:2])
    report = Report(judge.classes, judge.targets(parts[2].labels), judge.probabilities(parts[2].texts))
    return {"validation": best.accuracy, "test": report.accuracy, "penalty": best.penalty}


def rival(flags: argparse.Namespace, model: str, seed: int) -> dict[str, Any]:
    """A program that has nothing to do with charlstm, in its own environment."""
    settings = ["--seed", seed, "--epochs", flags.keras_epochs, "--max-length", flags.keras_length]
    result: dict[str, Any] = json.loads(
        commands.run(RIVALS, model, *flags.parts, *settings, python=flags.keras).splitlines()[-1]
    )
    return result


def table(results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Lines of a Markdown table: the mean over the seeds, and the lowest and the highest."""
    yield "| model | validation | test | seconds an epoch |"
    yield "|---|---|---|---|"
    for name in dict.fromkeys(key.rpartition(" #")[0] for key in results):
        seeds = [result for key, result in results.items() if key.rpartition(" #")[0] == name]
        scores = (spread([100 * seed[part] for seed in seeds]) for part in ("validation", "test"))
        seconds = [
            second for seed in seeds for second in seed.get("seconds an epoch", [])[1:]
        ]  # the first one compiles
        yield f"| {name} | {' | '.join(scores)} | {f'{statistics.median(seconds):.1f}' if seconds else ''} |"


def spread(figures: list[float]) -> str:
    """The mean, and the lowest and the highest, if there are several."""
    mean = f"{statistics.mean(figures):.1f} %"
    return mean if len(figures) == 1 else f"{mean} ({min(figures):.1f}–{max(figures):.1f})"


if __name__ == "__main__":
    main()
