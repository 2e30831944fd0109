"""Finds, reads and encodes a text. A resumed run finds the same text again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from charlstm.config import TextConfig, check, setting
from charlstm.errors import InputError, notice
from charlstm.files import make_folder
from charlstm.text.corpus import Corpus, Reading, default_cache, read_corpus, reopen_corpus
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
    folder = make_folder(cache or default_cache())
    places = [place(argument, folder) for argument in arguments]
    corpus = read_corpus(Reading(find(places, config.encoding), config, vocab, also), folder)
    given, digest, length = vocab is not None or bool(also), corpus.digest, len(corpus.ids)
    return corpus, TextRecord(places=tuple(places), config=config, given_vocab=given, digest=digest, length=length)


def reopen_text(
    record: TextRecord,
    vocab: Vocab,
    arguments: list[str],
    cache: Path | None = None,
    remedy: str = "if it is elsewhere now, name it beside --resume",
) -> Corpus:
    """The text of a run, exactly as it was: from its files, or from the cache if they are missing or changed.

    Args:
        vocab: the run's characters.
        arguments: where the text is now, if it moved.
        remedy: the end of the message if the text can't be read.

    Raises:
        InputError: when the files are missing or changed, and the cache doesn't have the text.
    """
    folder = make_folder(cache or default_cache())
    kept = None if arguments else reopen_corpus(record.digest, record.length, vocab, folder)
    try:
        places = [place(argument, folder) for argument in arguments] or list(record.places)
        files = find(places, record.config.encoding)
        corpus = read_corpus(Reading(files, record.config, vocab if record.given_vocab else None), folder)
        if corpus.digest == record.digest:
            return corpus
        warning = f"{files[0]}: changed since the run began, which goes on with the old text"
        refusal = f"{files[0]}: not the text that the run began with: put that back, or use --init-from"
    except InputError as error:
        warning = f"{error}; the run goes on with the text as it was"
        refusal = f"the run's text can't be read again: {error}; {remedy}"
    if kept is None:
        raise InputError(refusal)
    notice(warning)
    return kept
