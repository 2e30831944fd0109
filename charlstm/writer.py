"""A model with its vocabulary, as it reads and writes: what stands between ids and text."""

from __future__ import annotations

import itertools
from collections.abc import Generator as Yields
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.errors import InputError, notice
from charlstm.model.charlstm import CharLSTM, evaluating
from charlstm.model.stack import State
from charlstm.sampling.cell_step import CellStep
from charlstm.sampling.cuda_graph import graphed_step
from charlstm.sampling.fast_step import FastStep
from charlstm.sampling.sampler import Context, Draw, Step, draws, random_of, read, until
from charlstm.text.reading import normalise
from charlstm.text.vocab import END, UNKNOWN, UnknownCharacters, Vocab

Drawn = Yields[tuple[str, Draw], None, str]
"""Characters, each with its draw; the return value is what ended them."""


class Writer:
    """Reads texts of known characters, and writes on.

    Args:
        model: it may be in training: nothing here changes it.
    """

    def __init__(self, model: CharLSTM, vocab: Vocab) -> None:
        self.model, self.vocab = model, vocab

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
            raise InputError(
                "until_document_end needs a model that was trained with documents (--documents): give a length"
            )
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
            raise UnknownCharacters(missing, "leave them out, or set unknown (--unknown) to skip or replace")
        by = substitute if unknown == "replace" else None
        return prime.translate({ord(c): by for c in missing})

    def likeliest(self, context: Context[State], count: int) -> list[tuple[str, float]]:
        """The likeliest next characters with their probabilities, the likeliest first."""
        probabilities = context.scores[0].softmax(0).tolist()
        writable = {*range(len(probabilities))}.difference(self.never)
        best = sorted(writable, key=lambda i: -probabilities[i])[:count]
        return [(self.vocab.characters[i], probabilities[i]) for i in best]

    def preview(self, seed: int, length: int = 160) -> str:
        """A short sample, which draws from no random numbers but its own."""
        text = ""
        for number in itertools.count():
            text += "".join(self.sample("", SampleConfig(length=length - len(text)), seed, number))
            if len(text) >= length - 1:
                break
            text += "\n"  # a document that was over soon: there is room for another
        return text

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
