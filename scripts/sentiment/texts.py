"""Labelled texts: from a table on the disk to batches of ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tables import read_table
from torch import Tensor

from charlstm.errors import InputError
from charlstm.text.reading import normalise
from charlstm.text.vocab import UNKNOWN, Vocab

LABELS = ("label", "labels", "sentiment", "class", "category", "polarity", "target", "标签", "情感", "类别")
TEXTS = ("text", "sentence", "review", "content", "comment", "tweet", "document", "文本", "内容", "评论", "句子")
"""The names of columns that are found without being given."""

LONGEST = 1000
"""The characters of a text that are read: those at its beginning."""


@dataclass(frozen=True)
class Labelled:
    """Texts, and a label for each."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> list[str]:
        """Each label once, sorted."""
        return sorted(set(self.labels))

    def divided(self, share: int) -> tuple[Labelled, Labelled]:
        """Two parts: of each label, one text of so many is in the second one, by chance, if there are two or more."""
        random = np.random.default_rng(0)
        held: set[int] = set()
        for label in self.classes:
            rows = [row for row, each in enumerate(self.labels) if each == label]
            if len(rows) > 1:
                held.update(random.permutation(rows)[: max(1, len(rows) // share)].tolist())
        first, second = ([row for row in range(len(self)) if (row in held) == is_second] for is_second in (False, True))
        return self._of(first), self._of(second)

    def _of(self, rows: Sequence[int]) -> Labelled:
        return Labelled([self.texts[row] for row in rows], [self.labels[row] for row in rows])


def read_labelled(path: Path, label: str | None = None, text: str | None = None) -> Labelled:
    """The texts and labels of a CSV file whose first line names its columns.

    Args:
        label, text: the names of the two columns; None to find them by the usual names.

    Raises:
        InputError: when the file can't be read, a column isn't there, or a row lacks its label or its text.
    """
    names, rows = read_table(path)
    label_at, text_at = (
        _column(path, names, given, usual, flag)
        for given, usual, flag in ((label, LABELS, "--label"), (text, TEXTS, "--text"))
    )
    if label_at == text_at:
        raise InputError(f"{path}: {names[label_at]!r} can't be both the label and the text")
    texts, labels = [], []
    for number, row in rows:
        labels.append(row[label_at].strip())
        texts.append(normalise(row[text_at]).strip())
        for what, value in (("label", labels[-1]), ("text", texts[-1])):
            if not value:
                raise InputError(f"{path}: line {number} has no {what}: give it one, or take the line out")
    if not texts:
        raise InputError(f"{path}: there are no texts in it")
    return Labelled(texts, labels)


def _column(path: Path, names: Sequence[str], given: str | None, usual: Sequence[str], flag: str) -> int:
    """Which column has the given name or, without one, a usual name."""
    lower = [name.lower() for name in names]
    for name in usual if given is None else (given.lower(),):
        if name in lower:
            return lower.index(name)
    wanted = "the usual name" if given is None else f"the name {given!r}"
    raise InputError(f"{path}: no column has {wanted}: give {flag} one of {', '.join(names)}")


def known_characters(texts: Sequence[str]) -> Vocab:
    """The characters of texts, but for those that occur once: they show what an unknown character is like."""
    counts: dict[str, int] = {}
    for text in texts:
        for character in text:
            counts[character] = counts.get(character, 0) + 1
    return Vocab("".join(sorted({UNKNOWN, *(c for c, n in counts.items() if n > 1)})))


def readable(text: str, vocab: Vocab) -> str:
    """The beginning of a text, with `blank` for each character that the vocabulary lacks."""
    text = vocab.fitted(text[:LONGEST])
    return text.translate({ord(c): blank(vocab) for c in vocab.missing(text)})


def blank(vocab: Vocab) -> str:
    """What stands for an unknown character: U+FFFD or, in a language model without it, a space."""
    return next((c for c in (UNKNOWN, " ") if c in vocab), vocab.characters[0])


class Batch(NamedTuple):
    """Texts side by side.

    Attributes:
        ids: [B, T] int64; what stands beyond the end of a text has no meaning.
        lengths: the characters of each text, [B] int64, at least 1.
        rows: which texts they are, [B] int64.
    """

    ids: Tensor
    lengths: Tensor
    rows: Tensor


class Encoded:
    """Texts as ids: of their first `LONGEST` characters."""

    def __init__(self, texts: Sequence[str], vocab: Vocab) -> None:
        self.ids = [torch.from_numpy(vocab.encode(readable(text, vocab)).astype("int64")) for text in texts]
        self.lengths = np.array([len(ids) for ids in self.ids], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Some of the texts, side by side."""
        padded = torch.nn.utils.rnn.pad_sequence([self.ids[row] for row in rows], batch_first=True)
        return Batch(padded, torch.from_numpy(self.lengths[rows]), torch.tensor(rows))

    def in_order_of_length(self, size: int) -> Iterator[Batch]:
        """All texts once, the shortest first: neighbours have nearly the same length, so little is padded."""
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), size):
            yield self.batch(order[start : start + size])

    def shuffled(self, size: int, random: np.random.Generator, buckets: int = 20) -> Iterator[Batch]:
        """All texts once, in a random order of batches of nearly equal length.

        Texts that are always sorted would always meet the same neighbours. So they are shuffled first; then those of
        every `buckets` batches are sorted by length, and cut into batches.
        """
        order = random.permutation(len(self))
        batches = []
        for start in range(0, len(order), buckets * size):
            near = order[start : start + buckets * size]
            near = near[np.argsort(self.lengths[near], kind="stable")]
            batches += [near[at : at + size] for at in range(0, len(near), size)]
        for number in random.permutation(len(batches)):
            yield self.batch(batches[number])
