"""The texts that a trained model reads: parts of the one that it learned from, or others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from charlstm.checkpoint import Checkpoint
from charlstm.config import TextConfig
from charlstm.errors import InputError
from charlstm.record import recorded
from charlstm.text.ids import Ids
from charlstm.text.record import open_text, reopen_text
from charlstm.text.split import split
from charlstm.text.vocab import END


def text_for(saved: Checkpoint, texts: list[str], cache: Path | None = None, **settings: Any) -> Ids:
    """The ids of a text for a checkpoint's model, cut into documents as those that it learned from.

    Args:
        texts: as for `open_text`.
        settings: of `TextConfig`.

    Raises:
        InputError: when there is no such text, or the model doesn't know its characters.
    """
    documents = recorded(saved)[0].text.documents if END in saved.vocab else "none"
    return open_text(texts, TextConfig(**settings, documents=documents), cache, saved.vocab)[0].ids


def part_of_run(saved: Checkpoint, name: str, cache: Path | None = None) -> Ids:
    """A part of the text that a checkpoint's run learned from: `train`, `val` or `test`.

    Raises:
        InputError: when the text is not there, or the run kept no such part.
    """
    record, config = recorded(saved)
    corpus = reopen_text(record.text, saved.vocab, [], cache, "put it back where it was")
    text = record.text_config
    parts = split(corpus.ids, text.val_fraction, text.test_fraction, config.seq_len, saved.vocab.end_id)
    part: Ids = getattr(parts, name)
    if not len(part):
        raise InputError(
            f"the run kept nothing of its text for {name}: name a text, or train with --{name}-fraction 0.1"
        )
    return part
