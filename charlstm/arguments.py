"""What Python programs give, as the command has it: texts, settings, and messages the other way round."""

from __future__ import annotations

import codecs
import dataclasses
import difflib
import os
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from charlstm.config import ModelConfig, TextConfig, TrainConfig, flag_of
from charlstm.errors import InputError
from charlstm.given import Given
from charlstm.text.cache import Cache
from charlstm.text.sources import keep_text

CONFIGS = (TextConfig, ModelConfig, TrainConfig)
"""Whose fields are settings."""

Place = str | os.PathLike[str]
Texts = Place | Sequence[Place]

LONGEST_NAME = 255
"""Bytes of a file's name, without its folder, on most systems."""


def fields() -> list[tuple[type, dataclasses.Field[Any]]]:
    """The settings, each with the class that it belongs to; without those that follow from the text."""
    every = ((config, field) for config in CONFIGS for field in dataclasses.fields(config))
    return [(config, field) for config, field in every if field.default is not dataclasses.MISSING]


def given_in(settings: Mapping[str, Any]) -> Given:
    """The settings, sorted into those of the text, of the model and of the training. None leaves a default.

    Raises:
        InputError: for a name that is no setting.
    """
    owners = {field.name: config for config, field in fields()}
    for name in settings:
        if name not in owners:
            likely = difflib.get_close_matches(name, owners, 1)
            hint = f"is it {likely[0]}?" if likely else "help(charlstm.fit) lists them all"
            raise InputError(f"there is no setting {name}: {hint}")
    given = [(name, value) for name, value in settings.items() if value is not None]
    return Given(*({name: value for name, value in given if owners[name] is config} for config in CONFIGS))


def texts_in(text: Texts | None, encoding: str, cache: Place | None) -> list[str]:
    """The files of a text, as `open_text` takes them; a text itself is put into the cache.

    Raises:
        InputError: for what is neither a text nor a path nor a list of paths.
    """
    if text is None:
        return []
    if isinstance(text, str | os.PathLike):
        return [_file(text, encoding, cache)]
    if not isinstance(text, Sequence) or isinstance(text, bytes | bytearray) or not text:
        raise InputError(f"text must be a string, a path, or a list of paths, not {reprlib.repr(text)}")
    if odd := [each for each in text if not isinstance(each, str | os.PathLike)]:
        raise InputError(f"a list of texts must be of paths, and has {reprlib.repr(odd[0])}")
    if any(isinstance(each, str) and _has_line_ends(each) for each in text):
        raise InputError('a list names files: make one text of several strings, with "\\n".join(texts)')
    return [_file(each, encoding, cache) for each in text]


def _file(text: Place, encoding: str, cache: Place | None) -> str:
    if not isinstance(text, str):
        return os.path.expanduser(os.fspath(text))
    if _has_line_ends(text):
        if codecs.lookup(TextConfig(encoding=encoding).encoding).name != "utf-8":
            raise InputError("--encoding is for files: a string has its characters already")
        return str(keep_text(text, Cache(Path(cache) if cache else None)))
    name = os.path.expanduser(text)
    if not os.path.exists(name) and not _may_be_pattern(name):
        raise InputError(f"{reprlib.repr(text)}: no such file; a text itself, and not its file's name, has line ends")
    return name


def _has_line_ends(text: str) -> bool:
    return "\n" in text or "\r" in text


def _may_be_pattern(text: str) -> bool:
    """Whether files may match a text. A question in a long line has the signs of a pattern, too."""
    parts = os.fsencode(text.encode(errors="replace").decode()).split(os.sep.encode())
    return any(sign in text for sign in "*?[") and all(len(part) <= LONGEST_NAME for part in parts)


def call(function: str, text: Texts | None, **arguments: object) -> str:
    """How a function was called, for a run's record."""
    shown = [] if text is None else [reprlib.repr(text)]
    shown += [f"{name}={reprlib.repr(value)}" for name, value in arguments.items() if value is not None]
    return f"{function}({', '.join(shown)})"


_OTHER_FLAGS = ("name", "checkpoints", "cache", "page", "resume", "init_from", "drop_unused")
_FLAG = re.compile(
    rf"(?<!\S)--({'|'.join(flag_of(name)[2:] for name in (*_OTHER_FLAGS, *(f.name for _, f in fields())))})(?![\w-])"
)


def in_python(message: str) -> str:
    """A message that speaks of flags, as one of arguments: `--init-from` becomes `init_from`."""
    return _FLAG.sub(lambda flag: flag[1].replace("-", "_"), message)
