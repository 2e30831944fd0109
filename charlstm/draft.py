"""A text that a person and a model write in turns."""

from __future__ import annotations

from collections.abc import Generator as Yields
from dataclasses import dataclass

from charlstm.config import SampleConfig
from charlstm.model.stack import State
from charlstm.sampling.sampler import Context, random_of
from charlstm.text.vocab import END
from charlstm.writer import Writer


class Draft:
    """The text so far, and a model that can continue it.

    Args:
        seed: the model's text in turn n depends on the text so far, the seed and n.

    Attributes:
        text: the whole text, with `END` where a document ended. It gets each character of `go_on` at once, so nothing
            is lost when the writing is stopped.
    """

    def __init__(self, model: Writer, seed: int) -> None:
        self.model, self.seed = model, seed
        self.text = ""
        self._context: Context[State] | None = None
        self._unread = ""  # the end of the text, which the context doesn't include yet
        self._turns: list[_Turn] = []
        self._written = 0

    def go_on(self, typed: str, config: SampleConfig) -> Yields[str, None, None]:
        """Take a turn: read the typed text, and continue it. Yields the new characters one by one.

        Args:
            typed: it may have only characters that the model knows.

        Raises:
            InputError: at the first character, for settings that the model can't follow. Then no turn is taken.
        """
        self.model.check(config)
        self.take(typed)
        self._turns[-1].wrote = True
        self._written += 1
        random = random_of(self.seed, self._written)
        (pieces,) = self.model.go_on(self.text, self._read_so_far(), config, [random])
        try:
            while True:
                character, _ = next(pieces)
                self._add(character)
                yield character
        except StopIteration as over:
            if over.value == END:
                self._add(END)

    def take(self, typed: str) -> None:
        """Take a turn in which the model only reads."""
        self._turns.append(_Turn(self.text, self._context, self._unread, typed))
        self._add(typed)

    def clear(self) -> None:
        """Begin a new text. This is a turn, too."""
        self.take("")
        self.text, self._context, self._unread = "", None, ""

    def undo(self) -> str | None:
        """Remove the last turn. Returns the text that was typed in it, or None when there is no turn."""
        if not self._turns:
            return None
        turn = self._turns.pop()
        self.text, self._context, self._unread = turn.text, turn.context, turn.unread
        return turn.typed

    @property
    def wrote(self) -> bool:
        """Whether the model wrote something in the last turn."""
        return bool(self._turns) and self._turns[-1].wrote

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """The likeliest next characters with the model's probabilities, the likeliest first."""
        return self.model.likeliest(self._read_so_far(), count)

    def _add(self, text: str) -> None:
        self.text += text
        if END in text:  # the next document begins like a sample: nothing was read before it
            self._context, self._unread = None, text.rpartition(END)[2]
        else:
            self._unread += text

    def _read_so_far(self) -> Context[State]:
        """The context at the end of the text."""
        if self._context and not self._unread:
            return self._context
        opening = "" if self._context else self.model.opening(self._unread)
        context = self.model.read(opening + self._unread, self._context)
        if self._unread:  # an empty text has another opening, so its context isn't kept
            self._context, self._unread = context, ""
        return context


@dataclass
class _Turn:
    """The state of a draft before a turn, the typed text, and whether the model wrote something."""

    text: str
    context: Context[State] | None
    unread: str
    typed: str
    wrote: bool = False
