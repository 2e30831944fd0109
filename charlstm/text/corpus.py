"""Text files, streamed, → ids in a memory-mapped file, in a cache that knows when the text changed.

The cache holds two kinds of files. `KEY.json` describes one reading of some files (which, how large, last changed
when) and names the ids that it gave; `DIGEST.ids` are those ids, named by what they hold. A text that changed gives a
new `.ids` file and leaves the old one, so that a run which began on the old text can still go on.
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from charlstm.config import TextConfig
from charlstm.errors import InputError, notice
from charlstm.files import locked, replacing, writing
from charlstm.text.ids import Ids
from charlstm.text.reading import pieces
from charlstm.text.split import Parts, split
from charlstm.text.vocab import CODE_POINTS, END, UNKNOWN, Vocab, code_points

FORMAT = 2
"""It is part of every name in the cache, so that what an older version kept is not used."""


def default_cache() -> Path:
    """The folder where programs keep files that they can make again, for this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "charlstm"


@dataclass(frozen=True)
class Corpus:
    """A text as ids.

    Attributes:
        ids: [characters], memory-mapped, of the smallest integer type that fits.
        vocab: the characters that the ids stand for.
        digest: of the ids and the vocabulary: texts of equal digest are equal.
    """

    ids: Ids
    vocab: Vocab
    digest: str

    def parts(self, config: TextConfig, seq_len: int) -> Parts:
        """Its parts for training, validation and testing."""
        return split(self.ids, config.val_fraction, config.test_fraction, seq_len, self.vocab.end_id)


@dataclass(frozen=True)
class Reading:
    """All that decides which ids a text becomes.

    Attributes:
        vocab: the characters to encode with; None for those of the text.
        also: characters to add to those of the text.
    """

    files: tuple[Path, ...]
    config: TextConfig
    vocab: Vocab | None = None
    also: str = ""

    @property
    def key(self) -> str:
        """The name of this reading in the cache."""
        config, characters = self.config, self.vocab.characters if self.vocab else None
        how = [config.encoding, config.documents, config.min_count, characters, self.also]
        parts = [FORMAT, list(map(str, self.files)), *how]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()

    def stamps(self) -> list[list[Any]]:
        """For each file its name, size and times, which change with it (the second time can't be set back by hand)."""
        try:
            return [[str(f), (s := f.stat()).st_size, s.st_mtime_ns, s.st_ctime_ns] for f in self.files]
        except OSError as error:
            raise InputError(f"{error.filename}: can't be read ({error.strerror})") from None


@dataclass(frozen=True)
class _Description:
    """The contents of `KEY.json`."""

    stamps: list[list[Any]]
    characters: str
    digest: str
    length: int

    @staticmethod
    def fresh(reading: Reading, cache: Path) -> _Description | None:
        """The description of a reading in the cache, if the files haven't changed since and their ids are there."""
        try:
            known = _Description(**json.loads((cache / f"{reading.key}.json").read_text("utf-8")))
            ids = reopen_corpus(known.digest, known.length, Vocab(known.characters), cache)
        except (OSError, ValueError, TypeError, AttributeError):
            return None  # there is none, or it can't be used: the text is read again
        return known if ids and known.stamps == reading.stamps() else None


def read_corpus(reading: Reading, cache: Path) -> Corpus:
    """The ids of a text: from the cache if it has them and the files haven't changed, else read and kept there.

    The files are read twice, to count their characters and to encode them, half a megabyte at a time.

    Raises:
        InputError: when a file can't be read or isn't text, there is no text, or it holds characters that
            `reading.vocab` lacks.
    """
    with locked(cache / f"{reading.key}.lock", wait=True):  # so that two trainings on one text encode it once
        known = _Description.fresh(reading, cache) or _read(reading, cache)
        corpus = reopen_corpus(known.digest, known.length, Vocab(known.characters), cache)
    assert corpus, "a description is fresh only while its ids are there"
    return corpus


def _read(reading: Reading, cache: Path) -> _Description:
    """Read a text and put its ids and their description into the cache."""
    stamps = reading.stamps()
    passes = 1 if reading.vocab else 2
    size = sum(stamp[1] for stamp in stamps)
    with tqdm(total=passes * size, desc="reading", unit="B", unit_scale=True, delay=1, disable=None) as bar:
        vocab = reading.vocab or _vocabulary(reading, bar)
        digest, length = _encode(reading, vocab, cache, bar)
    if reading.stamps() != stamps:
        raise InputError(f"{reading.files[0]}: the text changed while it was read: start again when it is complete")
    description = _Description(stamps, vocab.characters, digest, length)
    with replacing(cache / f"{reading.key}.json") as file:
        file.write(json.dumps(asdict(description)).encode())
    return description


def reopen_corpus(digest: str, length: int, vocab: Vocab, cache: Path) -> Corpus | None:
    """A text in the cache, or None."""
    path = cache / f"{digest}.ids"
    try:
        if path.stat().st_size != length * vocab.dtype.itemsize:
            return None
        return Corpus(np.memmap(path, dtype=vocab.dtype, mode="r"), vocab, digest)
    except OSError:
        return None


def _vocabulary(reading: Reading, bar: tqdm[Any]) -> Vocab:
    """First pass: count every character."""
    counts = np.zeros(CODE_POINTS, dtype=np.int64)
    for text in pieces(reading.files, reading.config.encoding, reading.config.documents, bar.update):
        seen = _counts(text)
        counts[: len(seen)] += seen
    counts[ord(END)] = 0  # it is no part of the text
    if not counts.any():
        raise InputError(f"{_names(reading)}: there is no text in it")
    kept = counts >= reading.config.min_count
    if not kept.any():
        raise InputError(f"{_names(reading)}: no character occurs {reading.config.min_count} times: lower --min-count")
    if np.any((counts > 0) & ~kept):
        kept[ord(UNKNOWN)] = True
    _warn_if_odd(counts, reading)
    kept[code_points(reading.also)] = True
    kept[ord(END)] = reading.config.documents != "none"
    return Vocab("".join(map(chr, np.flatnonzero(kept))))


def _counts(text: str) -> npt.NDArray[np.int64]:
    """How often each code point occurs in a text, [highest code point + 1] at least."""
    points = code_points(text)
    if points.itemsize > 1:
        return np.bincount(points)
    even = len(points) // 2 * 2
    # Bytes are counted in pairs, as numbers of 16 bits, which are half as many: of "abac", "ab" once and "ac" once.
    # In the table [second, first] of these counts, rows and columns are added up for the counts of single bytes.
    pairs = np.bincount(points[:even].view("<u2"), minlength=1 << 16).reshape(256, 256)
    counts: npt.NDArray[np.int64] = pairs.sum(0) + pairs.sum(1) + np.bincount(points[even:], minlength=256)
    return counts


def _encode(reading: Reading, vocab: Vocab, cache: Path, bar: tqdm[Any]) -> tuple[str, int]:
    """Second pass: write the ids. Returns their digest and number."""
    digest = hashlib.blake2b(vocab.characters.encode("utf-8", "surrogatepass"), digest_size=16)
    length = 0
    draft = cache / f".{reading.key}.part"
    try:
        with writing(draft) as file, ThreadPoolExecutor(2) as others:
            begun: list[Future[Any]] = []
            for text in pieces(reading.files, reading.config.encoding, reading.config.documents, bar.update):
                ids = vocab.encode_folded(text).astype(vocab.dtype)
                length += len(ids)
                for task in begun:  # hashing and writing go on beside encoding, and take about as long
                    task.result()
                begun = [others.submit(task, ids.data) for task in (digest.update, file.write)]
            for task in begun:
                task.result()
            if not length:
                raise InputError(f"{_names(reading)}: there is no text in it")
        ids_file = cache / f"{digest.hexdigest()}.ids"
        # If a file was only touched, the same ids are there already, and may be in use.
        if not ids_file.exists() or ids_file.stat().st_size != draft.stat().st_size:
            os.replace(draft, ids_file)
    finally:
        draft.unlink(missing_ok=True)
    return digest.hexdigest(), length


def _warn_if_odd(counts: npt.NDArray[np.int64], reading: Reading) -> None:
    """Warn of a vocabulary that looks like that of a wrong encoding or a stray file."""
    present = np.flatnonzero(counts)
    odd = [chr(c) for c in present if chr(c) == UNKNOWN or unicodedata.category(chr(c)) in ("Cc", "Co", "Cn", "Cs")]
    odd = [c for c in odd if c not in "\t\n\v\f"]
    if odd:
        shown = " ".join(f"U+{ord(c):04X}" for c in odd[:6])
        notice(
            f"{_names(reading)}: {len(odd)} of its {len(present)} different characters are not ordinary text ({shown}):"
            " if the samples look garbled, check --encoding, or clean the text"
        )
    rare = int(np.count_nonzero(counts == 1))
    if rare > 1000 and rare > len(present) / 2 and reading.config.min_count == 1:
        notice(
            f"{_names(reading)}: {rare} of its {len(present)} different characters occur once:"
            " check --encoding, or fold them with --min-count 2"
        )


def _names(reading: Reading) -> str:
    more = f" and {len(reading.files) - 1} more" if len(reading.files) > 1 else ""
    return f"{reading.files[0]}{more}"
