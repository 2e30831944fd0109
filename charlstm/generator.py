"""A trained model with its vocabulary, ready to write and to score text."""

from __future__ import annotations

import copy
import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Generator as Yields
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.device import choose_device
from charlstm.errors import InputError, notice
from charlstm.model.charlstm import CharLSTM, evaluating
from charlstm.model.stack import State
from charlstm.sampling.cell_step import CellStep
from charlstm.sampling.cuda_graph import graphed_step
from charlstm.sampling.fast_step import FastStep
from charlstm.sampling.sampler import Context, Draw, Step, draws, random_of, read, until
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import resolve
from charlstm.text.reading import normalise
from charlstm.text.vocab import END, UNKNOWN, UnknownCharacters, Vocab
from charlstm.training.dynamic import adapt, gradient_sizes
from charlstm.training.evaluation import score
from charlstm.web.contents import WRITTEN, Page, make_page

Drawn = Yields[tuple[str, Draw], None, str]
"""Characters, each with its draw; the return value is what ended them."""


class Generator:
    """Writes text like the one that its model learned.

    Args:
        model: it may be in training: nothing here changes it.
    """

    def __init__(self, model: CharLSTM, vocab: Vocab) -> None:
        self.model, self.vocab = model, vocab

    @classmethod
    def from_checkpoint(cls, saved: Checkpoint, device: torch.device | str = "cpu") -> Generator:
        """The model of a checkpoint, on a device."""
        model = CharLSTM.with_weights(saved.model_config, saved.weights)
        return cls(model.to(device).eval(), saved.vocab)

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
        return self.sample(self.readable(prime or "", unknown), config, secrets.randbits(63) if seed is None else seed)

    def sample(self, prime: str, config: SampleConfig, seed: int, number: int = 0) -> Iterator[str]:
        """Sample `number` of a seed: up to `config.length` characters after a prime of known characters."""
        (drawn,) = self.draw(prime, config, [random_of(seed, number)])
        return (character for character, _ in drawn)

    def draw(
        self, prime: str, config: SampleConfig, randoms: Sequence[np.random.Generator], *, scored: bool = False
    ) -> list[Drawn]:
        """Texts after a prime of known characters; the rest is as for `go_on`.

        A model of documents writes one document. Without a prime, another model begins at the beginning of a line.
        """
        text = self.opening(prime) + prime
        return self.go_on(text, self.read(text), config, randoms, scored=scored)

    def read(self, text: str, before: Context[State] | None = None) -> Context[State]:
        """Read a text of known characters, at least one, after what was read before."""
        ids = torch.from_numpy(self.vocab.encode(text)).long().to(self.device)
        return read(self._read, before.state if before else self.model.initial_state(1), ids)

    def check(self, config: SampleConfig) -> None:
        """Raise InputError for settings that this model can't follow."""
        if config.until_document_end and END not in self.vocab:
            raise InputError("until_document_end needs a model that was trained with --documents: give a length")
        if not {*self.vocab.characters} - {UNKNOWN, END}:
            raise InputError("the model knows no character that could be written")

    def warn_of_stops(self, config: SampleConfig) -> None:
        """Warn of strings to stop at that can't come."""
        for stop in config.stop:
            if never := [c for c in self.vocab.fitted(stop) if c not in self.vocab or c in (UNKNOWN, END)]:
                hint = "; in most shells, $'\\n' is a line end" if "\\n" in stop else ""
                notice(f"the text won't stop at {stop!r}, since the model never writes {never[0]!r}{hint}")

    @property
    def never(self) -> tuple[int, ...]:
        """The ids that are read and not written: U+FFFD's, where the vocabulary has it."""
        return () if self.vocab.unknown_id is None else (self.vocab.unknown_id,)

    def go_on(
        self,
        text: str,
        context: Context[State],
        config: SampleConfig,
        randoms: Sequence[np.random.Generator],
        *,
        scored: bool = False,
    ) -> list[Drawn]:
        """Texts that go on from one that was read, generated as one batch: one for each of `randoms`.

        Args:
            randoms: where the draws of each text come from.
            scored: whether to compute the draws' probabilities.

        Returns:
            one iterator per text, of (character, Draw); its return value is what ended it: one of `config.stop`, `END`,
            or an empty string for the length. The texts advance together: asking any of them for its next character
            steps the whole batch.

        Raises:
            InputError: at once, for settings that the model can't follow.
        """
        self.check(config)
        rows = draws(
            self.step(len(randoms), config.precision),
            Context(context.scores.expand(len(randoms), -1), context.state.repeated(len(randoms))),
            config,
            randoms,
            never=self.never,
            history=self.vocab.encode(text).tolist() if config.no_repeat else (),
            scored=scored,
        )
        length = None if config.until_document_end else config.length

        def characters(rows: Iterator[list[Draw]], number: int) -> Iterator[tuple[str, Draw]]:
            for row in itertools.islice(rows, length):
                yield self.vocab.characters[row[number].id], row[number]

        stops = (*map(self.vocab.fitted, config.stop), *(END if END in self.vocab else ""))
        each = itertools.tee(rows, len(randoms)) if len(randoms) > 1 else [rows]
        return [until(characters(rows, number), stops) for number, rows in enumerate(each)]

    def readable(self, prime: str, unknown: str) -> str:
        """The prime in characters that the model knows; `unknown` says what to do with the others.

        `skip` leaves them out; `replace` puts U+FFFD in their place or, if the model doesn't know that, a space.

        Raises:
            UnknownCharacters: naming them, if `unknown` is `error` or there is no character to replace them with.
        """
        prime = self.vocab.fitted(normalise(prime))
        missing = self.vocab.missing(prime) + (END if END in self.vocab and END in prime else "")
        if unknown == "error" and any("\ud800" <= c <= "\udfff" for c in missing):
            raise InputError("the prime is not UTF-8: save it as UTF-8 and give it again")
        substitute = next((c for c in (UNKNOWN, " ") if c in self.vocab), None)
        if missing and (unknown == "error" or (unknown == "replace" and substitute is None)):
            raise UnknownCharacters(missing, "leave them out, or set --unknown to skip or replace")
        by = substitute if unknown == "replace" else None
        return prime.translate({ord(c): by for c in missing})

    def preview(self, seed: int, length: int = 160) -> str:
        """A short sample, which draws from no random numbers but its own."""
        text = ""
        for number in itertools.count():
            text += "".join(self.sample("", SampleConfig(length=length - len(text)), seed, number))
            if len(text) >= length - 1:
                break
            text += "\n"  # a document that was over soon: there is room for another
        return text

    def adapted(self, text: str, on_characters: Callable[[int], object] = lambda n: None) -> Generator:
        """A generator whose model has read a text, of at least two characters, and writes more like it.

        The text is read once, as in dynamic evaluation. Samples then use the weights that the model ends with. This
        generator stays as it is.

        Args:
            on_characters: called with the number of characters that a member has just read, for a progress bar. Each
                member reads the first `STATISTICS` characters, for the sizes of gradients, and then the whole text.

        Raises:
            InputError: when there is nothing to read, or for characters that the model doesn't know.
        """
        ids = self.vocab.encode_folded(self._scorable(text))
        model = copy.deepcopy(self.model)
        adapt(model, ids, gradient_sizes(model, ids, on_characters), on_characters)
        return Generator(model, self.vocab)

    def bits_per_char(self, text: str) -> float:
        """How well the model predicts a text. Its first character is context and isn't scored.

        A model of documents reads it as the beginning of a document, and scores the first character, too.

        Raises:
            InputError: when there is nothing to score, or for characters that the model doesn't know.
        """
        return score(self.model, self.vocab.encode_folded(self._scorable(text))).bits_per_char

    def _scorable(self, text: str) -> str:
        text = self.vocab.fitted(normalise(text))
        text = self.opening(text) + text
        if len(text) < 2:
            raise InputError("a text of at least two characters is needed: the first is context for the second")
        return text

    def page(self, texts: Mapping[str, str] | None = None, *, name: str = "charlstm", precision: str = "int8") -> Page:
        """A page that holds this model, for a browser: `.save("model.html")`, or shown by a notebook.

        Args:
            texts: to look at, by their names; None for one that the model writes.
            name: what stands at the top.
            precision: of the weights in the page: int8, float16 or float32.

        Raises:
            InputError: when the page would be larger than browsers like.
        """
        texts = texts or {"written by the model": self.preview(1, WRITTEN)}
        return make_page(self.model, self.vocab, name, texts, precision=precision)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @torch.inference_mode()
    def _read(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        with evaluating(self.model):
            logits, state = self.model(ids, state)
        return logits, state

    def step(self, texts: int, precision: str = "auto") -> Step[State]:
        """The fastest step for one character of each of some texts, with the model's contract."""
        if self.device.type == "cpu":
            fast = FastStep if self.model.config.cell == "lstm" else CellStep
            return fast(self.model, texts, precision)
        if self.device.type == "cuda":
            # Where it can't be recorded, the step below is slower, with the same result.
            with suppress(RuntimeError), evaluating(self.model):
                return graphed_step(self.model, texts)
        return self._read

    def opening(self, prime: str) -> str:
        """What is read, but not written, before a prime: in a model of documents, the end of the document before.

        Other models need something only if there is no prime: the end of a line.
        """
        if END in self.vocab:
            return END
        return "" if prime else next((c for c in ("\n", " ") if c in self.vocab), self.vocab.characters[0])


def load(path: str | Path, device: str = "cpu") -> Generator:
    """The model of a checkpoint, or the best of a run's folder.

    Args:
        device: `cpu`, `cuda`, `mps` or `auto`.

    Raises:
        InputError: when there is none, it can't be read, or the machine hasn't got the device.
    """
    file = resolve(Path(path), prefer="best.pt")
    return Generator.from_checkpoint(checkpoint.load(file), choose_device(device))
