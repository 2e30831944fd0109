"""A trained model with its vocabulary: what Python programs and notebooks do with one."""

from __future__ import annotations

import copy
import math
import os
import reprlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from charlstm.config import SampleConfig
from charlstm.device import choose_device
from charlstm.errors import NOT_FINITE, InputError, RunError
from charlstm.inside.trace import trace
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import RunFolder, check_model_place, resolve
from charlstm.saved.record import Progress, RunRecord
from charlstm.text.lanes import Lanes
from charlstm.text.reading import normalise
from charlstm.text.vocab import Vocab
from charlstm.training.dynamic import gradient_sizes, learn_from
from charlstm.training.evaluation import Score, characters_at_once, finite, score, surprises
from charlstm.web.contents import WRITTEN, Page, make_page
from charlstm.writer import Writer


class Sitting(NamedTuple):
    """Where a training stands that is kept in memory: its last checkpoint, and its best one, if there is one."""

    last: Checkpoint
    best: Checkpoint | None

    def laid_down(self, folder: RunFolder) -> Path:
        """Write it into a folder that was entered. Returns the file to go on from."""
        if self.best:
            checkpoint.save(folder.best, self.best)
        checkpoint.save(folder.last, self.last)
        return folder.last


class Generator(Writer):
    """Writes text like the one that its model learned, scores text, and lets you look inside.

    It can be copied, pickled, and used in several threads or processes.

    Args:
        model: it may be in training: nothing here changes it.

    Attributes:
        run, progress: what its run is, and where that stood; None for a model without a run.
        sitting: what `fit(resume=model)` goes on from; None in a model that was loaded. It has several times the size
            of the weights: set it to None before the model is sent around.
    """

    def __init__(
        self, model: CharLSTM, vocab: Vocab, run: RunRecord | None = None, progress: Progress | None = None
    ) -> None:
        super().__init__(model, vocab)
        self.run, self.progress = run, progress
        self.sitting: Sitting | None = None

    @classmethod
    def from_checkpoint(cls, saved: Checkpoint, device: torch.device | str = "cpu") -> Generator:
        """The model of a checkpoint, on a device."""
        model = CharLSTM.with_weights(saved.model_config, saved.weights)
        return cls(model.to(device).eval(), saved.vocab, saved.run, saved.progress)

    def __repr__(self) -> str:
        config = self.model.config
        members = f"{config.ensemble_size} of " if config.ensemble_size > 1 else ""
        size = f"{members}{config.num_layers} x {config.hidden_size}"
        return f"<charlstm.Generator: {config.cell}, {size}, {len(self.vocab)} characters>"

    def generate(
        self,
        prime: str | None = None,
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        no_repeat: int | None = None,
        until_document_end: bool = False,
        seed: int | None = None,
        stop: str | Iterable[str] = (),
        precision: str = "auto",
        unknown: str = "error",
    ) -> Iterator[str]:
        """New text after `prime`, a character at a time. The settings are those of `SampleConfig`.

        Raises:
            InputError: at once, for a setting out of its limits or a prime with unknown characters.
        """
        config = SampleConfig(
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            no_repeat=no_repeat,
            until_document_end=until_document_end,
            seed=seed,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            precision=precision,
            unknown=unknown,
        )
        return self.sample(
            self.readable(_string(prime or ""), unknown), config, secrets.randbits(63) if seed is None else seed
        )

    def next(self, text: str = "", count: int = 10) -> list[tuple[str, float]]:
        """The likeliest characters after a text, each with its probability, the likeliest first.

        Args:
            text: without one, what a text begins with.
            count: how many, at least 1.

        Raises:
            InputError: for characters that the model doesn't know, or another count.
        """
        if not isinstance(count, int) or count < 1:
            raise InputError(f"count must be a whole number, at least 1, not {count!r}")
        text = self.readable(_string(text), "error")
        found = self.likeliest(self.read(self.opening(text) + text), count)
        if not math.isfinite(found[0][1]):
            raise RunError(NOT_FINITE)
        return found

    def bits_per_char(self, text: str) -> float:
        """How well the model predicts a text. Its first character is context and isn't scored.

        A model of documents reads it as the beginning of a document, and scores the first character, too.

        Raises:
            InputError: when there is nothing to score, or for characters that the model doesn't know.
        """
        return score(self.model, self.vocab.encode_folded(self._scorable(text))).bits_per_char

    def surprise(self, text: str) -> list[tuple[str, float]]:
        """Each character of a text, with the bits that it cost the model: -log2 of its probability.

        Their mean is `bits_per_char`. The first character is context: it has NaN, but in a model of documents.

        Raises:
            InputError: as `bits_per_char`.
        """
        text = self._scorable(text)
        lanes = Lanes(self.vocab.encode_folded(text), 1, characters_at_once(self.model, 1))
        nats = torch.cat([costs[0] for _, costs in surprises(self.model, lanes, lanes.batches)])
        finite(Score(nats.sum().item(), len(nats)))
        bits = (nats / math.log(2)).tolist()
        scored = list(zip(text[1:], bits, strict=True))
        return [(text[0], math.nan), *scored] if self.vocab.end_id is None else scored

    def trace(self, text: str, *, layer: int = 0, member: int = 0) -> dict[str, npt.NDArray[np.float32]]:
        """What a layer computes while the model reads a text: every gate by its name.

        Args:
            layer: its number, from the lowest, 0, up; -1 is the highest.
            member: the number of the network, where several predict together.

        Returns:
            for each name an array [T, H], with a row for each character of the text and a column for each unit: the
            gates of the cell after their nonlinearities (an LSTM has i, f, g and o), and h and c, the state after the
            character. (A mogrifier's odd rounds in layer 0 have a column for each number of the embedding.)

        Raises:
            InputError: for a text without characters, or with some that the model doesn't know; or for a number of a
                layer or a member that there isn't.
        """
        config = self.model.config
        for what, number, count in (("layer", layer, config.num_layers), ("member", member, config.ensemble_size)):
            if not isinstance(number, int) or not -count <= number < count:
                raise InputError(f"{what} {number}: the model has {count}, and the first one is 0")
        text = self._read_as_one(text)
        if not text:
            raise InputError("a text is needed: give one character at least")
        opening = self.opening(text)
        ids = torch.from_numpy(self.vocab.encode_folded(opening + text)).long().to(self.device)
        signals = trace(self.model, ids.unsqueeze(0)).signals[member][layer]
        return {name: values[0, len(opening) :].cpu().numpy() for name, values in signals.items()}

    def adapted(self, text: str, on_characters: Callable[[int], object] = lambda n: None) -> Generator:
        """A generator whose model has read a text, of at least two characters, and writes more like it.

        The text is read once, as in dynamic evaluation. Samples then use the weights that the model ends with. This
        generator stays as it is.

        Args:
            on_characters: called with the number of characters that were just read, for a progress bar. Each member
                reads the first `STATISTICS` characters, for the sizes of gradients, and then the whole text.

        Raises:
            InputError: when there is nothing to read, or for characters that the model doesn't know.
        """
        ids = self.vocab.encode_folded(self._scorable(text))
        model = copy.deepcopy(self.model)
        learn_from(model, ids, gradient_sizes(model, ids, on_characters), on_characters)
        return Generator(model, self.vocab)

    def page(self, texts: Mapping[str, str] | None = None, *, name: str = "charlstm", precision: str = "int8") -> Page:
        """A page that holds this model, for a browser: `.save("model.html")`, or shown by a notebook.

        Args:
            texts: to look at, by their names; None for one that the model writes.
            name: what stands at the top.
            precision: of the weights in the page: int8, float16 or float32.

        Raises:
            InputError: when the page would be larger than browsers like.
        """
        if texts is not None and not isinstance(texts, Mapping):
            raise InputError('texts must be a dictionary, such as {"a name": "a text"}')
        texts = {str(title): _string(text) for title, text in (texts or {}).items()}
        texts = texts or {"written by the model": self.preview(1, WRITTEN)}
        return make_page(self.model, self.vocab, name, texts, precision=precision)

    @property
    def checkpoint(self) -> Checkpoint:
        """All that is known of the model, with the weights as they are now."""
        model, last = self.model, self.sitting and self.sitting.last
        learning = last.learning if last and last.progress == self.progress else None
        return Checkpoint(model.config, self.vocab, model.state_dict(), self.run, self.progress, learning)

    def save(self, path: str | Path) -> None:
        """Keep the model in a file, which `load` and the commands read. Another model in this file is replaced.

        An interrupted training can go on from the file, `fit(resume=path)`. For that, it is three times as large as the
        weights. What was best before isn't in it: a run with a name keeps that, too, in its folder.

        Raises:
            InputError: when there is a folder or a file of another kind.
            RunError: when the disk is full or fails.
        """
        path = _path(path)
        check_model_place(path, checkpoint.load)
        checkpoint.save(path, self.checkpoint)

    def _read_as_one(self, text: str) -> str:
        """A text as the model learned texts: in a model of lines, it is one of them."""
        text = self.vocab.fitted(normalise(_string(text)))
        if self.vocab.end_id is not None and "\n" in text and "\n" not in self.vocab:
            raise InputError("the model learned each line as a text of its own: give one line at a time")
        return text

    def _scorable(self, text: str) -> str:
        text = self._read_as_one(text)
        text = self.opening(text) + text
        if len(text) < 2:
            raise InputError("a text of at least two characters is needed: the first is context for the second")
        return text


def _string(text: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"a text must be a string, not {reprlib.repr(text)}")
    return text


def _path(path: str | Path) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a file's name must be a string or a path, not {reprlib.repr(path)}")
    return Path(path)


def load(path: str | Path, device: str = "cpu") -> Generator:
    """The model of a checkpoint, or the best of a run's folder.

    Args:
        device: `cpu`, `cuda`, `mps` or `auto`.

    Raises:
        InputError: when there is none, it can't be read, or the machine hasn't got the device.
    """
    file = resolve(_path(path), prefer="best.pt")
    return Generator.from_checkpoint(checkpoint.load(file), choose_device(device))
