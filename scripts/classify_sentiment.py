#!/usr/bin/env python3
"""Learn what texts feel from texts with labels, and tell it of new ones: a classifier over characters."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from commands import check_output, check_picture, positive, rate, seed, share, subcommands

import charlstm
from charlstm import cli
from charlstm.config import CELLS, flag_of
from charlstm.errors import InputError
from charlstm.files import replacing
from charlstm.saved.folder import check_model_place
from charlstm.terminal import one_line, progress, say, write
from charlstm.text.reading import normalise

if TYPE_CHECKING:
    from sentiment.judge import Judge
    from sentiment.texts import Labelled

MODELS = ("lstm", "bilstm", "stacked-bilstm", "features")
HELD_OUT = 10
"""Without --validation, one text of so many is kept for it."""

EXAMPLES = """\
examples:
  python scripts/classify_sentiment.py train reviews.csv --out reviews.pt
  python scripts/classify_sentiment.py predict reviews.pt "A film to fall asleep in." --explain omission
  python scripts/classify_sentiment.py evaluate reviews.pt other-reviews.csv

  python scripts/classify_sentiment.py texts reviews.csv > reviews.txt     for a language model of the same texts:
  python -m charlstm.train reviews.txt --documents lines --min-count 2 --name reviews
  python scripts/classify_sentiment.py train reviews.csv --model features --language-model checkpoints/reviews \\
      --out reviews.pt
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("classify_sentiment", "Learn what texts feel, and tell it of new ones.", EXAMPLES)
    command = subcommands(parser)
    train = command(run_train, "train", "Train a classifier on texts with labels.")
    _add_table(train)
    _add_validation(train)
    train.add_argument("--out", type=cli.path, metavar="FILE", required=True, help="where to keep the classifier")
    train.add_argument("--model", choices=MODELS, default="bilstm", help="(default: bilstm)")
    train.add_argument("--language-model", type=cli.path, metavar="RUN", help="for --model features: of charlstm.train")
    train.add_argument("--cell", choices=CELLS, help="kind of recurrent unit (default: lstm)")
    train.add_argument("--hidden-size", type=positive, metavar="N", help="units of a layer (default: 128)")
    train.add_argument("--epochs", type=positive, metavar="N", help="passes over the texts (default: 10)")
    train.add_argument("--batch-size", type=positive, metavar="N", help="texts side by side (default: 64)")
    train.add_argument("--learning-rate", type=rate, metavar="X", help="AdamW's greatest (default: 0.01)")
    train.add_argument("--dropout", type=share, metavar="X", help="of the embedding and the answer (default: 0.3)")
    train.add_argument("--recurrent-dropout", type=share, metavar="X", help="of what the cell sees of h (default: 0.2)")
    train.add_argument("--seed", type=seed, metavar="N", default=1, help="of first weights and order (default: 1)")

    predict = command(run_predict, "predict", "Tell what texts feel: for each, a label and its probability.")
    predict.add_argument("model", type=cli.path, metavar="FILE", help="what train kept")
    predict.add_argument("texts", nargs="+", metavar="TEXT", help="texts; - takes each line of standard input as one")
    predict.add_argument(
        "--explain",
        choices=["omission", "prefix"],
        help="show how much each character moved the answer: by what its omission changes, or when it was read",
    )
    predict.add_argument("--html", type=cli.path, metavar="FILE", help="write that as a page, too")

    evaluate = command(run_evaluate, "evaluate", "Compare a classifier's answers with the labels of texts.")
    evaluate.add_argument("model", type=cli.path, metavar="FILE", help="what train kept")
    _add_table(evaluate)
    evaluate.add_argument("--picture", type=cli.path, metavar="PNG", help="draw it (needs the extra charts)")

    texts = command(run_texts, "texts", "Print the texts that train learns from, a line each, for charlstm.train.")
    _add_table(texts)
    _add_validation(texts)
    return cli.run(parser, lambda flags: flags.run(flags), arguments)


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=cli.path, metavar="DATA.csv", help="a table with columns of labels and of texts")
    parser.add_argument("--label", metavar="NAME", help="the column of labels (default: found by its name)")
    parser.add_argument("--text", metavar="NAME", help="the column of texts (default: found by its name)")


def _add_validation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--validation", type=cli.path, metavar="CSV", help="texts to choose by (default: a tenth of DATA)"
    )


def run_train(flags: argparse.Namespace) -> int:
    """Train a classifier and keep it."""
    from sentiment.judge import Judge

    _check(flags)
    check_model_place(flags.out, Judge.load)
    labelled, validation = parts(flags)
    say(f"learning from {len(labelled):,} texts, choosing by {len(validation):,} others")
    likeliest = max(labelled.classes, key=labelled.labels.count)
    right = validation.labels.count(likeliest) / len(validation)
    say(f"always to say {one_line(likeliest)!r} would be right in {right:.2%}")
    train = _features if flags.model == "features" else _network
    judge = train(flags, labelled, validation)
    judge.save(flags.out)
    say(f'kept in {flags.out}: try it with  python scripts/classify_sentiment.py predict {flags.out} "Some text."')
    return 0


def _check(flags: argparse.Namespace) -> None:
    """Raise InputError for flags that don't go together."""
    if flags.model != "features":
        if (flags.hidden_size or 2) % 2 and flags.model != "lstm":
            raise InputError(f"--hidden-size {flags.hidden_size}: two directions share the units: give an even number")
        if flags.language_model:
            raise InputError("--language-model is for --model features: leave it out, or give that model")
        return
    if flags.language_model is None:
        raise InputError("--model features needs --language-model RUN: train one with charlstm.train (see --help)")
    for name in ("cell", "hidden_size", "epochs", "batch_size", "learning_rate", "dropout", "recurrent_dropout"):
        if vars(flags)[name] is not None:
            raise InputError(f"{flag_of(name)} is not for --model features: the language model is as it was trained")


def parts(flags: argparse.Namespace) -> tuple[Labelled, Labelled]:
    """The texts to learn from, and those that choose among what was learned: other ones, with the same labels."""
    from sentiment.texts import read_labelled

    labelled = read_labelled(flags.data, flags.label, flags.text)
    if len(labelled.classes) < 2:
        raise InputError(f"{flags.data}: all texts have the label {labelled.classes[0]!r}: there must be two or more")
    if flags.validation:
        validation = read_labelled(flags.validation, flags.label, flags.text)
    else:
        labelled, validation = labelled.divided(HELD_OUT)
        if not validation.texts:
            raise InputError(f"{flags.data}: no label has two texts: more are needed, to learn from and to choose by")
    if missing := sorted({*validation.labels} - {*labelled.labels}):
        raise InputError(f"the label {missing[0]!r} is in the validation part alone: it can't be learned")
    return labelled, validation


def _network(flags: argparse.Namespace, labelled: Labelled, validation: Labelled) -> Judge:
    """One of the tutorials' models."""
    from sentiment import learning
    from sentiment.model import Shape
    from sentiment.training import Epoch, Recipe

    given = {name: value for name, value in vars(flags).items() if value is not None}
    shape, recipe = (
        kind(**{field.name: given[field.name] for field in fields(kind) if field.name in given})
        for kind in (Shape, Recipe)
    )
    with progress("learning", recipe.epochs * len(labelled), unit="text") as bar:

        def tell(epoch: Epoch) -> None:
            told = f"{epoch.accuracy:.2%} right in validation, loss {epoch.loss:.3f}, {epoch.seconds:.1f} s"
            with bar.external_write_mode(file=sys.stderr):
                say(f"epoch {epoch.number} of {recipe.epochs}: {told}")

        judge, best = learning.network(shape, recipe, labelled, validation, bar.update, tell)
    say(f"epoch {best.number} is the best in validation, and is kept: {best.accuracy:.2%}")
    return judge


def _features(flags: argparse.Namespace, labelled: Labelled, validation: Labelled) -> Judge:
    """A logistic regression on the states of a language model."""
    from sentiment import learning

    read = charlstm.load(flags.language_model)
    with progress("reading", 2 * len(labelled) + len(validation), unit="text") as bar:
        judge, best = learning.on_language_model(
            read,
            labelled,
            validation,
            bar.update,
            lambda fitted: say(f"penalty {fitted.penalty:g}: {fitted.accuracy:.2%} right in validation"),
        )
    say(f"the penalty {best.penalty:g} is the best in validation, and is kept: {best.accuracy:.2%}")
    return judge


def run_predict(flags: argparse.Namespace) -> int:
    """Print a line for each text: its label, and how probable it is."""
    from sentiment.judge import Judge
    from sentiment.texts import LONGEST

    if flags.html and not flags.explain:
        raise InputError("--html writes what --explain found: give --explain omission or --explain prefix, too")
    if flags.html:
        check_output(flags.html, ".html")
    judge = Judge.load(flags.model)
    texts = given_texts(flags.texts)
    if longer := sum(len(text) > LONGEST for text in texts):
        say(f"of a long text, the first {LONGEST:,} characters are read: {longer} of {len(texts)} are longer")
    if flags.explain:
        _explain(judge, texts, flags.explain, flags.html)
        return 0
    with progress("reading", len(texts), unit="text") as bar:
        answers = judge.probabilities(texts, bar.update)
    for probabilities in answers:
        _answer(judge.classes[int(probabilities.argmax())], float(probabilities.max()))
    return 0


def _explain(judge: Judge, texts: list[str], by: str, html: Path | None) -> None:
    """Print each answer with what moved it; and write them as a page, if one is wanted."""
    from sentiment.explain import explain, on_terminal, page

    explained = []
    for text in texts:
        with progress("explaining", len(text), unit="char") as bar:
            explained.append(explain(judge, text, by, bar.update))
        _answer(explained[-1].label, explained[-1].probability)
        sys.stdout.write(on_terminal(explained[-1]))
    if html:
        with replacing(html) as file:
            file.write(page(explained).encode())
        say(f"the page is {html}")


def given_texts(arguments: list[str]) -> list[str]:
    """The texts of the command line; `-` stands for the lines of standard input.

    Raises:
        InputError: for an empty text, or none.
    """
    texts = [text for given in arguments for text in (_lines() if given == "-" else [given])]
    texts = [normalise(text).strip() for text in texts]
    if "" in texts:
        raise InputError("an empty text says nothing: leave it out")
    if not texts:
        raise InputError("standard input has no text in it")
    return texts


def _lines() -> list[str]:
    """The lines of standard input that aren't empty."""
    if sys.stdin is None:
        return []
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    lines = sys.stdin.read().removesuffix("\n").split("\n")
    full = [line for line in lines if line.strip()]
    if len(full) < len(lines):
        say(f"empty lines get no answer: {len(lines) - len(full)}")
    return full


def _answer(label: str, probability: float) -> None:
    write(f"{one_line(label)}\t{probability:.4f}\n")


def run_evaluate(flags: argparse.Namespace) -> int:
    """Print the accuracy, the F1 of each label, and which label was taken for which."""
    from sentiment.judge import Judge
    from sentiment.report import Report
    from sentiment.texts import read_labelled

    check_picture(flags.picture)
    judge = Judge.load(flags.model)
    labelled = read_labelled(flags.data, flags.label, flags.text)
    targets = judge.targets(labelled.labels)
    with progress("reading", len(labelled), unit="text") as bar:
        report = Report(judge.classes, targets, judge.probabilities(labelled.texts, bar.update))
    write(report.text())
    if flags.picture:
        report.draw(flags.picture)
        say(f"the picture is {flags.picture}")
    return 0


def run_texts(flags: argparse.Namespace) -> int:
    """Print each text that train would learn from in a line of its own.

    What validates isn't among them: a language model of them would have seen it, too.
    """
    labelled, _ = parts(flags)
    for text in labelled.texts:
        write(" ".join(text.split()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
