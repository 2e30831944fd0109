"""What a checkpoint says of its run besides its training."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from charlstm import checkpoint
from charlstm.checkpoint import Checkpoint
from charlstm.config import TextConfig, TrainConfig
from charlstm.errors import InputError
from charlstm.text.record import TextRecord


@dataclass(frozen=True)
class RunRecord:
    """What a checkpoint says of its run besides its training.

    Attributes:
        id: drawn when the run begins, so that no other is taken for it.
        init_from: the checkpoint whose weights it began with, and what became of its characters.
        began: local time, as in ISO 8601.
        command: what was typed.
        chosen: the settings that nobody gave, a line each, with the reasons for them.
    """

    id: str
    text: TextRecord
    text_config: TextConfig
    init_from: str | None
    began: str
    command: str
    chosen: list[str] = field(default_factory=list)


def run_of(file: Path) -> tuple[RunRecord, Checkpoint] | None:
    """Which run a checkpoint is of, and the checkpoint; None when it can't be read."""
    try:
        saved = checkpoint.load(file)
        return recorded(saved)[0], saved
    except InputError:
        return None


def recorded(saved: Checkpoint) -> tuple[RunRecord, TrainConfig]:
    """What a checkpoint says of its run.

    Raises:
        InputError: when it doesn't.
    """
    try:
        names = {field.name for field in fields(RunRecord)}
        plain = {name: value for name, value in saved.run.items() if name in names}
        plain |= {"text": TextRecord(**plain["text"]), "text_config": TextConfig(**plain["text_config"])}
        return RunRecord(**plain), TrainConfig(**saved.run["train_config"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the checkpoint doesn't say what its run was ({error}): it can only write text") from None
