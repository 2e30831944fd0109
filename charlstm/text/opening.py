"""Finds, reads and encodes a text. A resumed run finds the same text again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from charlstm.config import TextConfig, check, setting
from charlstm.errors import InputError, notice
from charlstm.text.cache import Cache
from charlstm.text.corpus import Corpus, OtherText, Reading, read_corpus, reopen_corpus
from charlstm.text.sources import find, place
from charlstm.text.vocab import Vocab


@dataclass(frozen=True, kw_only=True)
class TextRecord:
    """What a checkpoint stores about its text.

    Attributes:
        places: absolute files, folders and patterns; none for the standard library.
        given_vocab: true if the vocabulary is not just the text's own characters.
        digest: of the ids, as in `Corpus`.
        length: in characters.
    """

    places: tuple[str, ...]
    config: TextConfig
    given_vocab: bool
    digest: str
    length: int = setting(at_least=1)

    def __post_init__(self) -> None:
        check(self)
        if not (self.digest.isascii() and self.digest.isalnum()):  # it is part of a file's name
            raise InputError(f"digest must be letters and digits, not {self.digest!r}")


def open_text(
    arguments: list[str], config: TextConfig, cache: Path | None = None, vocab: Vocab | None = None, also: str = ""
) -> tuple[Corpus, TextRecord]:
    """Find, read and encode a text.

    Args:
        arguments: files, folders, patterns or `-`; none for the standard library's source.
        vocab, also: as in `Reading`.

    Raises:
        InputError: when there is no such text, when it can't be read or when it doesn't fit the vocabulary.
    """
    store = Cache(cache)
    places = [place(argument, store) for argument in arguments]
    corpus = read_corpus(Reading(find(places, config.encoding), config, vocab, also), store)
    given, digest, length = vocab is not None or bool(also), corpus.digest, len(corpus.ids)
    return corpus, TextRecord(places=tuple(places), config=config, given_vocab=given, digest=digest, length=length)


def reopen_text(
    record: TextRecord,
    vocab: Vocab,
    arguments: Sequence[str],
    cache: Path | None = None,
    remedy: str = "if it is elsewhere now, name it beside --resume",
) -> tuple[Corpus, TextRecord]:
    """The text of a run, exactly as it was: from its files, or from the cache if they are missing or changed.

    Nothing enters the cache before it is known to be that text: the record may be a stranger's, and name any file.

    Args:
        vocab: the run's characters.
        arguments: where the text is now, if it moved.
        remedy: the end of the message if the text can't be read.

    Returns:
        the text, and its record with the places where it is now.

    Raises:
        InputError: when the files are missing or changed, and the cache doesn't have the text.
    """
    store = Cache(cache)
    try:
        places = [place(argument, store) for argument in arguments] or list(record.places)
        if not arguments and sys.platform == "win32" and any(name.startswith("\\\\") for name in places):
            raise InputError(f"{places[0]}: on another machine, which Windows would tell who you are")
        files = find(places, record.config.encoding)
        reading = Reading(files, record.config, vocab if record.given_vocab else None)
        return read_corpus(reading, store, only=(record.digest, record.length)), replace(record, places=tuple(places))
    except OtherText:
        warning = f"{files[0]}: changed since the run began, which goes on with the old text"
        refusal = f"{files[0]}: not the text that the run began with: put that back, or use --init-from"
    except (InputError, OSError) as error:
        warning = f"{error}; the run goes on with the text as it was"
        refusal = f"the run's text can't be read again: {error}; {remedy}"
    kept = None if arguments else reopen_corpus(record.digest, record.length, vocab, store)
    if kept is None:
        raise InputError(refusal)
    notice(warning)
    return kept, record
