"""What a run is, and where it stands: the plain values of a checkpoint, as objects that check themselves."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from charlstm import __version__
from charlstm.config import TrainConfig, check, setting
from charlstm.errors import InputError
from charlstm.text.ids import Ids
from charlstm.text.opening import TextRecord, reopen_text
from charlstm.text.vocab import Vocab


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do. It is fixed before the first step, so that a resumed run does the same.

    Attributes:
        steps: the last step.
        report_every: steps between reports: validation, a sample, a checkpoint.
        val_characters: how much of the validation text a report reads at most.
        fresh_every: steps after which a lane begins again with a zero state, each lane in its turn; 0 for never.
        beta1, beta2: the decay of Adam's averages.
    """

    steps: int = setting(at_least=1, at_most=10**12)
    report_every: int = setting(at_least=1, at_most=10**12)
    val_characters: int = setting(at_least=0)
    fresh_every: int = setting(0, at_least=0)
    beta1: float = setting(0.9, at_least=0, below=1)
    beta2: float = setting(0.99, at_least=0, below=1)

    def __post_init__(self) -> None:
        check(self)


@dataclass(kw_only=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done. It is the place in the text, too: every epoch has the same number of batches, in an order
            that follows from the epoch's number.
        seconds: time spent on training, over all of the run's sittings.
        best: the lowest validation so far, in bits per character.
        stale: reports since then.
        bad_steps: steps in a row, up to now, that were skipped because their gradient wasn't finite.
        nats: the training loss, summed over the characters since the last report.
        characters: how many those are.
        norms: the gradient's norm before clipping, as the mean of all members, summed over steps since the last report.
        normed: how many steps those are: fewer than all where an earlier version made the others.
        reported: `seconds` at the last report's end.
    """

    step: int = setting(0, at_least=0, at_most=10**12)
    seconds: float = setting(0.0, at_least=0)
    best: float | None = setting(None)
    stale: int = setting(0, at_least=0)
    bad_steps: int = setting(0, at_least=0)
    nats: float = setting(0.0)
    characters: int = setting(0, at_least=0)
    norms: float = setting(0.0, at_least=0)
    normed: int = setting(0, at_least=0)
    reported: float = setting(0.0)

    def __post_init__(self) -> None:
        check(self)

    @property
    def bits_per_char(self) -> float:
        """The training loss since the last report."""
        return self.nats / self.characters / math.log(2) if self.characters else math.nan

    @property
    def grad_norm(self) -> float:
        """The mean norm of the gradient since the last report, before clipping."""
        return self.norms / self.normed if self.normed else math.nan

    @property
    def chars_per_second(self) -> float:
        """Characters learned in a second since the last report."""
        return self.characters / max(self.seconds - self.reported, 1e-9)


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run is.

    Attributes:
        id: drawn when the run begins, so that no other is taken for it.
        init_from: the checkpoint whose weights it began with, and what became of its characters.
        began: local time, as in ISO 8601.
        command: what was typed.
        chosen: the settings that nobody gave, a line each, with the reasons for them.
        processor: where it began, as of `charlstm.device.processor`; empty if it isn't known, or on another device.
        machine: the same for people, as of `charlstm.device.machine`; empty if it isn't known.
        versions: what it began with, as of `versions`; none if that isn't known.
    """

    id: str
    text: TextRecord
    train_config: TrainConfig
    plan: Plan
    init_from: str | None = None
    began: str = ""
    command: str = ""
    chosen: tuple[str, ...] = ()
    processor: str = ""
    machine: str = ""
    versions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(self)

    def part(self, name: str, vocab: Vocab, cache: Path | None = None, texts: Sequence[str] = ()) -> Ids:
        """A part of the run's text: `train`, `val` or `test`.

        Args:
            texts: where the text is now, if it moved.

        Raises:
            InputError: when the text is not there, or the run kept no such part.
        """
        split = "test" if name == "test" else "val"
        remedy = f"put it back where it was, or say where it is now: --split {split} TEXT"
        corpus, _ = reopen_text(self.text, vocab, texts, cache, remedy)
        part: Ids = getattr(corpus.parts(self.text.config, self.train_config.seq_len), name)
        if not len(part):
            raise InputError(
                f"the run kept nothing of its text for {name}: name a text, or train with --{name}-fraction 0.1"
            )
        return part


def versions() -> tuple[str, ...]:
    """What computes here, a name and a number each."""
    return (f"charlstm {__version__}", f"Python {platform.python_version()}", f"PyTorch {torch.__version__}")
