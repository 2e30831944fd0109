"""Finding, reading and encoding a text; and how a run finds the same text again."""

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
    """A text as a checkpoint names it.

    Attributes:
        places: the files, folders and patterns that it was read from, absolute; none for the standard library.
        config: how it was read, and which part of it serves for what.
        given_vocab: whether it was encoded with other characters than its own.
        digest: of the ids, as in `Corpus`.
        length: characters.
    """

    places: tuple[str, ...]
    config: TextConfig
    given_vocab: bool
    digest: str
    length: int = setting(at_least=1)

    def __post_init__(self) -> None:
        check(self)


def open_text(
    arguments: list[str],
    config: TextConfig,
    cache: Path | None = None,
    vocab: Vocab | None = None,
    also: str = "",
) -> tuple[Corpus, TextRecord]:
    """Find, read and encode a text.

    Args:
        arguments: files, folders, patterns or `-`; none for the standard library's source.
        vocab: the characters to encode with; None takes the text's own.
        also: characters to know besides the text's own.

    Raises:
        InputError: when there is no such text, it can't be read or it doesn't fit the vocabulary.
    """
    folder = make_folder(cache or default_cache())
    places = [place(argument, folder) for argument in arguments]
    corpus = read_corpus(Reading(find(places, config.encoding), config, vocab, also), folder)
    return corpus, TextRecord(
        places=tuple(places),
        config=config,
        given_vocab=vocab is not None or bool(also),
        digest=corpus.digest,
        length=len(corpus.ids),
    )


def reopen_text(
    record: TextRecord,
    vocab: Vocab,
    arguments: list[str],
    cache: Path | None = None,
    remedy: str = "if it is elsewhere now, name it beside --resume",
) -> Corpus:
    """The text of a run, exactly as it was: from the cache if it is there, else read again.

    Args:
        vocab: the run's characters.
        arguments: where the text is now, if it isn't where it was.
        remedy: what to do when it can't be read.

    Raises:
        InputError: when it is neither in the cache nor what it was.
    """
    folder = make_folder(cache or default_cache())
    kept = None if arguments else reopen_corpus(record.digest, record.length, vocab, folder)
    try:
        places = [place(argument, folder) for argument in arguments] or list(record.places)
        files = find(places, record.config.encoding)
        corpus = read_corpus(Reading(files, record.config, vocab if record.given_vocab else None), folder)
    except InputError as error:
        if kept is None:
            raise InputError(f"the run's text can't be read again: {error}; {remedy}") from None
        notice(f"{error}; the run goes on with the text as it was")
        return kept
    if corpus.digest == record.digest:
        return corpus
    if kept is None:
        raise InputError(f"{files[0]}: not the text that the run began with: put that back, or use --init-from")
    notice(f"{files[0]}: changed since the run began, which goes on with the old text")
    return kept
