"""How good a classifier's answers are: in numbers, and as a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from charlstm.files import replacing
from charlstm.terminal import one_line

BINS = 10
"""The parts of the scale of probabilities for which the picture shows how many answers were right."""


class Report:
    """Answers beside the labels.

    Args:
        targets: the number of each text's label, [n].
        probabilities: [n, classes].

    Attributes:
        confusion: how many texts of each label (row) were taken for each (column), [classes, classes].
    """

    def __init__(self, classes: Sequence[str], targets: Tensor, probabilities: Tensor) -> None:
        self.classes, n = [one_line(label) for label in classes], len(classes)
        self.probability, answers = probabilities.max(1)
        self.is_right = answers == targets
        self.confusion = torch.bincount(targets * n + answers, minlength=n * n).view(n, n)

    @property
    def accuracy(self) -> float:
        """The share of the answers that are right."""
        return self.is_right.double().mean().item()

    @property
    def f1(self) -> list[float]:
        """For each label 2 · right / (texts that have it + texts that were said to have it); 0 for 0 / 0."""
        both = self.confusion.sum(0) + self.confusion.sum(1)
        return (2 * self.confusion.diagonal() / both.clamp_min(1)).tolist()

    def text(self) -> str:
        """Accuracy, F1, and the table of confusions."""
        mean = sum(self.f1) / len(self.classes)
        each = ", ".join(f"{f1:.4f} ({label})" for label, f1 in zip(self.classes, self.f1, strict=True))
        lines = [f"accuracy {self.accuracy:.2%} of {len(self.is_right):,} texts", f"F1 {mean:.4f}: {each}", ""]
        rows = [["label \\ answer", *self.classes]]
        rows += [[label, *map(str, row)] for label, row in zip(self.classes, self.confusion.tolist(), strict=True)]
        widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            lines.append("  ".join(" " * (n - _columns(cell)) + cell for cell, n in zip(row, widths, strict=True)))
        return "\n".join(lines) + "\n"

    def draw(self, path: Path) -> None:
        """Draw the table, and whether the answers are as often right as their probabilities say."""
        from matplotlib import pyplot as plt

        figure, (table, curve) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", facecolor="white")
        shares = self.confusion / self.confusion.sum(1, keepdim=True).clamp_min(1)
        table.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
        ticks = range(len(self.classes))
        table.set(xticks=ticks, xticklabels=self.classes, yticks=ticks, yticklabels=self.classes)
        table.set(xlabel="answer", ylabel="label", title=f"{self.accuracy:.1%} are right")
        for row in ticks:
            for column in ticks:
                colour = "white" if shares[row, column] > 0.5 else "black"
                table.text(column, row, int(self.confusion[row, column]), ha="center", va="center", color=colour)

        least = 1 / len(self.classes)
        bins = ((self.probability - least) / (1 - least) * BINS).long().clamp(0, BINS - 1)
        for each in bins.unique():
            chosen = bins == each
            said, right = self.probability[chosen].mean(), self.is_right[chosen].double().mean()
            curve.scatter(said.item(), right.item(), s=max(8.0, 400 * chosen.double().mean().item()), color="C0")
        curve.plot([least, 1], [least, 1], color="grey", linestyle=":")
        curve.set(xlabel="probability of the answer", ylabel="share that is right", ylim=(0, 1.05))
        curve.set(title="the larger the dot, the more texts")
        curve.grid(alpha=0.3)
        with replacing(path) as file:
            figure.savefig(file, dpi=120, format="png")
        plt.close(figure)


def _columns(text: str) -> int:
    """How wide a terminal shows a text: a Chinese character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
