"""What an export gives, and what each of its files tells of the model besides the weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import NamedTuple

from charlstm import __version__
from charlstm.errors import InputError
from charlstm.saved.checkpoint import Checkpoint


class Exported(NamedTuple):
    """A file that isn't written yet.

    Attributes:
        content: its bytes.
        found: what the check of it found.
        use: lines of Python that begin to use it; `{file}` stands for its name.
    """

    content: bytes
    found: str
    use: str


def described(saved: Checkpoint) -> dict[str, str]:
    """By name, in ASCII: `format` and `version` (of charlstm); `model_config` (a JSON object); `vocab`.

    `vocab` is a JSON string of the characters, in the order of their ids.

    Raises:
        InputError: when the characters can't be told in JSON: two halves of a character would become one there.
    """
    vocab = json.dumps(saved.vocab.characters)
    if json.loads(vocab) != saved.vocab.characters:
        raise InputError("the vocabulary has halves of characters (surrogates): no other program could read it")
    return {
        "format": "charlstm",
        "version": __version__,
        "model_config": json.dumps(asdict(saved.model_config)),
        "vocab": vocab,
    }
