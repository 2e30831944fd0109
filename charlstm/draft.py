"""A text that a person and a model write in turns."""

from __future__ import annotations

from collections.abc import Generator as Yields
from dataclasses import dataclass

from charlstm.config import SampleConfig
from charlstm.generator import Generator
from charlstm.model.stack import State
from charlstm.sampling.sampler import Context, random_of
from charlstm.text.vocab import END


class Draft:
    """What was written so far, and the model that has read it and can go on from there.

    Args:
        seed: what the model writes in the n-th turn depends on the text, the seed and n.

    Attributes:
        text: all of it, with `END` where a document ended.
    """

    def __init__(self, model: Generator, seed: int) -> None:
        self.model, self.seed = model, seed
        self._written = 0
        self.clear()

    def clear(self) -> None:
        """Begin afresh, with nothing written and nothing to take back."""
        self.text = ""
        self._context: Context[State] | None = None
        self._turns: list[_Turn] = []

    def go_on(self, typed: str, config: SampleConfig) -> Yields[str, None, None]:
        """Take a turn: read what a person typed, characters that the model knows, and go on from it, one at a time.

        It can be closed at any time: what was given out until then stays written.
        """
        self.take(typed)
        self._written += 1
        pieces = self.model.go_on(self.text, self._read_so_far(), config, random_of(self.seed, self._written))
        written = ""
        try:
            while True:
                character, _ = next(pieces)
                written += character
                yield character
        except StopIteration as over:
            written += END if over.value == END else ""
        finally:
            self._read(written)

    def take(self, typed: str) -> None:
        """Take a turn in which the model only reads."""
        self._turns.append(_Turn(self.text, self._context, typed))
        self._read(typed)

    def undo(self) -> str | None:
        """Go back to before the last turn. Returns what was typed in it, or None when there is none."""
        if not self._turns:
            return None
        turn = self._turns.pop()
        self.text, self._context = turn.text, turn.context
        return turn.typed

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """The likeliest next characters with their probabilities, as the model has them, the likeliest first."""
        probabilities = self._read_so_far().scores.softmax(0)
        best = probabilities.topk(min(count, len(probabilities)))
        characters = self.model.vocab.characters
        return [(characters[i], p) for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]

    def _read(self, text: str) -> None:
        if text:
            opening = "" if self._context else self.model.opening(text)
            self._context = self.model.read(opening + text, self._context)
            self.text += text

    def _read_so_far(self) -> Context[State]:
        return self._context or self.model.read(self.model.opening(""))


@dataclass(frozen=True)
class _Turn:
    """What there was before a turn, and what was typed in it."""

    text: str
    context: Context[State] | None
    typed: str
