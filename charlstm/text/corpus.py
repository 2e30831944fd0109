"""Text files → ids in a memory-mapped file, with a cache for the ids of known files.

The cache has two kinds of files. `KEY.json` describes one reading of some files: their sizes, their times of change and
the ids. `DIGEST.ids` are the ids; the name is a digest of the contents. A changed text gives a new `.ids` file. The old
one stays, so a run on the old text can continue.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from charlstm.config import TextConfig
from charlstm.errors import InputError, notice
from charlstm.files import locked, put, replacing, writing
from charlstm.text.cache import Cache
from charlstm.text.ids import Ids, release
from charlstm.text.mostly_ascii import MostlyAscii, Text
from charlstm.text.reading import texts
from charlstm.text.split import Parts, split
from charlstm.text.vocab import CODE_POINTS, END, UNKNOWN, Vocab, code_points

FORMAT = 2
"""The version of the cache. It is part of every key, so a new version never uses old files."""


@dataclass(frozen=True)
class Corpus:
    """A text as ids.

    Attributes:
        ids: [characters], memory-mapped, of the smallest integer type that fits.
        vocab: the characters that the ids stand for.
        digest: of the ids and the vocabulary. Two texts with the same digest are equal.
    """

    ids: Ids
    vocab: Vocab
    digest: str

    def parts(self, config: TextConfig, seq_len: int) -> Parts:
        """Its parts for training, validation and testing."""
        return split(self.ids, config.val_fraction, config.test_fraction, seq_len, self.vocab.end_id)


@dataclass(frozen=True)
class Reading:
    """Everything that determines the ids of a text.

    Attributes:
        vocab: the characters to encode with; None for the text's own.
        also: characters to add to the text's own.
    """

    files: tuple[Path, ...]
    config: TextConfig
    vocab: Vocab | None = None
    also: str = ""

    @property
    def key(self) -> str:
        """The name of this reading in the cache."""
        how = [self.config.encoding, self.config.documents, self.config.min_count]
        characters = self.vocab.characters if self.vocab else None
        parts = [FORMAT, list(map(str, self.files)), *how, characters, self.also]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()

    @property
    def title(self) -> str:
        """The files in a message."""
        return f"{self.files[0]}{f' and {len(self.files) - 1} more' if len(self.files) > 1 else ''}"

    def stamps(self) -> list[list[Any]]:
        """Name, size and times of each file. They show whether it changed: only Windows lets anybody set both back."""
        try:
            return [[str(f), (s := f.stat()).st_size, s.st_mtime_ns, s.st_ctime_ns] for f in self.files]
        except OSError as error:
            raise InputError(f"{error.filename}: can't be read ({error.strerror})") from None

    def texts(self, bar: tqdm[Any]) -> Iterator[Text]:
        """The text in pieces; the bar shows the progress."""
        return texts(self.files, self.config.encoding, self.config.documents, bar.update)


def read_corpus(reading: Reading, cache: Cache, only: tuple[str, int] | None = None) -> Corpus:
    """The ids of a text: from the cache if the files are unchanged. Else read the files and keep the ids there.

    The files are read twice, half a megabyte at a time: first to count the characters, then to encode them.

    Args:
        only: the digest and the length of the text that is wanted; None for any text.

    Raises:
        OtherText: when it isn't the text that is wanted. Then nothing is kept of it.
        InputError: when a file can't be read or isn't text, when there is no text, or when the text contains
            characters that `reading.vocab` lacks.
    """
    corpus = _known(reading, cache)
    if corpus is None:
        with locked(cache.writable / f"{reading.key}.lock", wait=True):  # two trainings on one text encode it once
            corpus = _known(reading, cache) or _read(reading, cache, only)
    if only and corpus.digest != only[0]:
        raise OtherText
    return corpus


class OtherText(Exception):
    """Some files don't hold the text that is wanted."""


def _known(reading: Reading, cache: Cache) -> Corpus | None:
    try:
        file = cache.folder / f"{reading.key}.json"
        known = json.loads(file.read_text("utf-8") if file.is_file() else "")
        if known["stamps"] == reading.stamps():
            return reopen_corpus(known["digest"], known["length"], Vocab(known["characters"]), cache)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        pass  # there is no description, or it is damaged
    return None


def _read(reading: Reading, cache: Cache, only: tuple[str, int] | None) -> Corpus:
    stamps = reading.stamps()
    size = sum(stamp[1] for stamp in stamps) * (1 if reading.vocab else 2)
    with tqdm(total=size, desc="reading", unit="B", unit_scale=True, delay=1, disable=None) as bar:
        vocab = reading.vocab or _vocabulary(reading, bar)
        corpus = _encode(reading, vocab, cache, bar, only)
    if reading.stamps() != stamps:
        raise InputError(f"{reading.files[0]}: the text changed while it was read: start again when it is complete")
    ids = {"digest": corpus.digest, "length": len(corpus.ids)}
    with replacing(cache.writable / f"{reading.key}.json", private=True) as file:
        file.write(json.dumps({"stamps": stamps, "characters": vocab.characters, **ids}).encode())
    return corpus


def reopen_corpus(digest: str, length: int, vocab: Vocab, cache: Cache) -> Corpus | None:
    """A text in the cache, or None: when it isn't there, can't be read, or isn't what was written, to the last bit."""
    path = cache.folder / f"{digest}.ids"
    try:
        if path.stat().st_size != length * vocab.dtype.itemsize:
            return None
        ids = np.memmap(path, dtype=vocab.dtype, mode="r")
    except OSError:
        return None
    found = _hash_of(vocab)
    for begin in range(0, length, HASHED_AT_ONCE):
        found.update(ids[begin : begin + HASHED_AT_ONCE].data)
        release(ids)
    return Corpus(ids, vocab, digest) if found.hexdigest() == digest else None


HASHED_AT_ONCE = 1 << 24
"""How many ids are read before their pages are given back."""


def _hash_of(vocab: Vocab) -> hashlib.blake2b:
    """What makes a digest of ids, once the ids have gone through it, too."""
    return hashlib.blake2b(vocab.characters.encode("utf-8", "surrogatepass"), digest_size=16)


def _vocabulary(reading: Reading, bar: tqdm[Any]) -> Vocab:
    """First pass: count every character."""
    counts = np.zeros(CODE_POINTS, dtype=np.int64)

    def count(text: Text) -> None:
        seen = _counts(text)
        counts[: len(seen)] += seen

    with ThreadPoolExecutor(1) as thread:
        results: Iterator[None] = iter(())
        for text in reading.texts(bar):
            list(results)  # wait: count the last piece while this one is read
            results = thread.map(count, [text])
        list(results)
    counts[ord(END)] = 0  # it is no part of the text
    if not counts.any():
        raise InputError(f"{reading.title}: there is no text in it")
    kept = counts >= reading.config.min_count
    if not kept.any():
        raise InputError(f"{reading.title}: no character occurs {reading.config.min_count} times: lower --min-count")
    kept[ord(UNKNOWN)] |= np.any((counts > 0) & ~kept)
    if not np.delete(kept, ord(UNKNOWN)).any() and not reading.also:
        raise InputError(
            f"{reading.title}: nothing but U+FFFD, which stands for what an editor couldn't read: find the original"
        )
    _warn_if_odd(counts, reading)
    kept[code_points(reading.also)] = True
    kept[ord(END)] = reading.config.documents != "none"
    return Vocab("".join(map(chr, np.flatnonzero(kept))))


def _counts(text: Text) -> npt.NDArray[np.int64]:
    """How often each code point occurs in a text: [at least the highest code point + 1]."""
    if isinstance(text, MostlyAscii):
        counts: npt.NDArray[np.int64] = np.bincount(text.others, minlength=0x80)
        counts[:0x80] = _counts_of_bytes(np.frombuffer(text.data, np.uint8))[:0x80]
        return counts
    points = code_points(text)
    return np.bincount(points) if points.itemsize > 1 else _counts_of_bytes(points)


def _counts_of_bytes(points: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.int64]:
    """How often each byte occurs: [256]."""
    # It is faster to count pairs of bytes, as 16-bit numbers. "abac" has the pairs "ab" and "ac", once each. Row "a" of
    # the table counts the pairs that end with "a" (0), column "a" those that begin with it (2): "a" occurs 0 + 2 times.
    even = len(points) // 2 * 2
    pairs = np.bincount(points[:even].view("<u2"), minlength=1 << 16).reshape(256, 256)
    counts: npt.NDArray[np.int64] = pairs.sum(0) + pairs.sum(1) + np.bincount(points[even:], minlength=256)
    return counts


def _encode(reading: Reading, vocab: Vocab, cache: Cache, bar: tqdm[Any], only: tuple[str, int] | None) -> Corpus:
    """Second pass: write the ids."""
    digest, length = _hash_of(vocab), 0
    draft = cache.writable / f".{reading.key}.part"
    try:
        with writing(draft, private=True) as file, ThreadPoolExecutor(2) as threads:
            results: Iterator[object] = iter(())
            for text in reading.texts(bar):
                ids = vocab.encode_folded(vocab.fitted(text) if reading.vocab else text).astype(vocab.dtype)
                length += len(ids)
                if only and length > only[1]:
                    raise OtherText
                list(results)  # wait: hash and write the last piece while this one is encoded
                results = threads.map(lambda use, data: use(data), (digest.update, file.write), [ids.data] * 2)
            list(results)
        if not length:
            raise InputError(f"{reading.title}: there is no text in it")
        name = digest.hexdigest()
        if only and name != only[0]:
            raise OtherText
        # If only a file's time changed, the same ids are there already. Another run may use them.
        if corpus := reopen_corpus(name, length, vocab, cache):
            return corpus
        path = cache.writable / f"{name}.ids"
        put(draft, path)
        return Corpus(np.memmap(path, dtype=vocab.dtype, mode="r"), vocab, name)
    finally:
        draft.unlink(missing_ok=True)


def _warn_if_odd(counts: npt.NDArray[np.int64], reading: Reading) -> None:
    """Warn if the vocabulary looks like the result of a wrong encoding or a wrong file."""
    present = [chr(point) for point in np.flatnonzero(counts)]
    controls = ("Cc", "Co", "Cn", "Cs")  # control, private, unassigned, surrogate
    odd = [c for c in present if c == UNKNOWN or (unicodedata.category(c) in controls and c not in "\t\n\v\f")]
    if odd:
        examples = " ".join(f"U+{ord(c):04X}" for c in odd[:6])
        notice(
            f"{reading.title}: {len(odd)} of its {len(present)} different characters are not ordinary text"
            f" ({examples}): if the samples look garbled, check --encoding, or clean the text"
        )
    rare = int(np.count_nonzero(counts == 1))
    if rare > 1000 and rare > len(present) / 2 and reading.config.min_count == 1:
        notice(
            f"{reading.title}: {rare} of its {len(present)} different characters occur once:"
            " check --encoding, or fold them with --min-count 2"
        )
