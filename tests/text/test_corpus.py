from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from charlstm.config import TextConfig
from charlstm.errors import InputError, Notice
from charlstm.text import reading
from charlstm.text.cache import Cache
from charlstm.text.corpus import OtherText, Reading, read_corpus, reopen_corpus
from charlstm.text.vocab import UNKNOWN, UnknownCharacters, Vocab


def written(content: str, name: str = "text.txt") -> tuple[Path]:
    path = Path(name).absolute()
    path.write_text(content, encoding="utf-8")
    return (path,)


def test_ids_are_those_of_the_vocabulary_and_of_the_smallest_type(tmp_path: Path) -> None:
    corpus = read_corpus(Reading(written("雨 in 雨"), TextConfig()), Cache(tmp_path))
    assert corpus.vocab.characters == " in雨"
    assert corpus.ids.tolist() == [3, 0, 1, 2, 0, 3]
    assert corpus.ids.dtype == np.uint8
    assert isinstance(corpus.ids, np.memmap)


def test_a_text_longer_than_a_block_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "雨 in 雨\r\n" * 50
    whole = read_corpus(Reading(written(text), TextConfig()), Cache(tmp_path))
    monkeypatch.setattr(reading, "BLOCK", 7)
    cut = read_corpus(Reading(written(text, "other.txt"), TextConfig()), Cache(tmp_path))
    assert cut.digest == whole.digest
    assert cut.vocab.decode(cut.ids) == text.replace("\r\n", "\n")


def test_the_second_time_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = written("some text")
    first = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    monkeypatch.setattr("charlstm.text.corpus.texts", None)
    assert read_corpus(Reading(files, TextConfig()), Cache(tmp_path)).digest == first.digest


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path: Path) -> None:
    files = written("some text")
    first = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    before = files[0].stat()
    written("same size")
    os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_corpus(Reading(files, TextConfig()), Cache(tmp_path)).digest != first.digest


def test_the_ids_of_the_old_text_are_kept(tmp_path: Path) -> None:
    files = written("some text")
    first = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    written("another text")
    read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    again = reopen_corpus(first.digest, len(first.ids), first.vocab, Cache(tmp_path))
    assert again is not None
    assert again.vocab.decode(again.ids) == "some text"


def test_damaged_caches_are_made_again(tmp_path: Path) -> None:
    files = written("some text")
    first = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    (tmp_path / f"{first.digest}.ids").write_bytes(b"\0\1")
    (tmp_path / f"{Reading(files, TextConfig()).key}.json").write_text("{")
    again = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    assert again.vocab.decode(again.ids) == "some text"


@pytest.mark.parametrize(
    "text",
    [
        "the rain’s on the river, and the 🦉 isn’t: it is in the barn, and nobody is on the rain\n" * 99,
        "rain",
        "rain\n" * 99 + "雨" * 9,
    ],
)
def test_every_character_is_counted_and_encoded(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 251)
    for least in (1, 100):
        kept = {c for c in text if text.count(c) >= least}
        if kept:
            corpus = read_corpus(Reading(written(text), TextConfig(min_count=least)), Cache(tmp_path))
            assert set(corpus.vocab.characters) - {UNKNOWN} == kept
            assert corpus.vocab.decode(corpus.ids) == "".join(c if c in kept else UNKNOWN for c in text)


def test_rare_characters_are_folded(tmp_path: Path) -> None:
    corpus = read_corpus(Reading(written("aabbXaY"), TextConfig(min_count=2)), Cache(tmp_path))
    assert corpus.vocab.characters == "ab" + UNKNOWN
    assert corpus.vocab.decode(corpus.ids) == f"aabb{UNKNOWN}a{UNKNOWN}"


def test_folding_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no character occurs 9 times: lower --min-count"):
        read_corpus(Reading(written("aabb"), TextConfig(min_count=9)), Cache(tmp_path))


def test_a_given_vocabulary_is_used_and_enforced(tmp_path: Path) -> None:
    vocab = Vocab("abc")
    assert read_corpus(Reading(written("ba"), TextConfig(), vocab), Cache(tmp_path)).ids.tolist() == [1, 0]
    with pytest.raises(UnknownCharacters, match="'z'"):
        read_corpus(Reading(written("baz"), TextConfig(), vocab), Cache(tmp_path))


@pytest.mark.parametrize("vocab", [None, Vocab("abc")])
def test_an_empty_text_is_refused_and_leaves_nothing(tmp_path: Path, vocab: Vocab | None) -> None:
    cache = tmp_path / "empty-cache"
    cache.mkdir()
    with pytest.raises(InputError, match="no text"):
        read_corpus(Reading(written(""), TextConfig(), vocab), Cache(cache))
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone.txt: can't be read"):
        read_corpus(Reading((Path("gone.txt"),), TextConfig()), Cache(tmp_path))


def test_a_vocabulary_that_looks_wrong_gives_a_warning(tmp_path: Path) -> None:
    with pytest.warns(Notice, match="check --encoding"):
        read_corpus(Reading(written("Ã\x85 mojibake"), TextConfig()), Cache(tmp_path))
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 1500)))
    with pytest.warns(Notice, match="occur once"):
        read_corpus(Reading(written(rare), TextConfig()), Cache(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's own peak")
@pytest.mark.parametrize("documents", ["none", "lines"])
def test_memory_does_not_grow_with_the_text(documents: str) -> None:
    """The peak of a process that encodes a text and reads an epoch of it in lanes."""

    def peak_mb(megabytes: int) -> float:
        line = "The rain is on the river and the river's on the rain; 雨在河上，河在雨中。\n".encode()
        Path("text.txt").write_bytes(line * (megabytes * 1_000_000 // len(line)))
        program = f"""
import re
from pathlib import Path
from charlstm.config import TextConfig
from charlstm.text.cache import Cache
from charlstm.text.corpus import Reading, read_corpus
from charlstm.text.lanes import Lanes
from charlstm.text.documents import Documents
corpus = read_corpus(Reading((Path("text.txt"),), TextConfig(documents={documents!r})), Cache(Path(".")))
end = corpus.vocab.end_id
lanes = Lanes(corpus.ids if end is None else Documents(corpus.ids, end, 1), 4, 4096)
for number in range(lanes.batches):
    lanes.batch(number)
print(int(re.search("VmHWM: *\\t* *([0-9]+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""
        return float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)

    # What is mapped from the cache's file counts, too, until the system takes it back.
    assert peak_mb(240) - peak_mb(8) < 60


@pytest.mark.parametrize("wrong", [0, 255])
def test_cached_ids_are_believed_only_to_the_last_bit(tmp_path: Path, wrong: int) -> None:
    files = written("some text")
    first = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    ids = tmp_path / f"{first.digest}.ids"
    ids.write_bytes(bytes([wrong]) * len(first.ids))
    assert reopen_corpus(first.digest, len(first.ids), first.vocab, Cache(tmp_path)) is None
    again = read_corpus(Reading(files, TextConfig()), Cache(tmp_path))
    assert again.vocab.decode(again.ids) == "some text"


def test_ids_that_cannot_be_opened_are_a_failure_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(np, "memmap", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        read_corpus(Reading(written("some text"), TextConfig()), Cache(tmp_path))


@pytest.mark.parametrize("junk", ["{", "3", "null", "[" * 100_000, '{"stamps": []}', "STAMPS", '{"a": "\\ud800"}'])
def test_a_description_that_makes_no_sense_is_made_again(tmp_path: Path, junk: str) -> None:
    reading = Reading(written("some text"), TextConfig())
    odd = {"stamps": reading.stamps(), "digest": 3, "length": "long", "characters": 5}
    (tmp_path / f"{reading.key}.json").write_text(json.dumps(odd) if junk == "STAMPS" else junk)
    assert len(read_corpus(reading, Cache(tmp_path)).ids) == 9


def test_another_text_than_the_one_that_is_wanted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OtherText):
        read_corpus(Reading(written("a secret"), TextConfig()), Cache(tmp_path / "c"), only=("0123", 8))
    assert [path.suffix for path in (tmp_path / "c").iterdir()] == [".lock"]


def test_a_text_of_nothing_but_replacement_characters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing but U.FFFD"):
        read_corpus(Reading(written(UNKNOWN * 50), TextConfig()), Cache(tmp_path))


def test_a_given_vocabulary_reads_accents_in_either_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 3)  # cuts between letters and their accents
    whole, taken_apart = (unicodedata.normalize(form, "café über 한글 phở\n" * 3) for form in ("NFC", "NFD"))
    for known, other in ((whole, taken_apart), (taken_apart, whole)):
        vocab = Vocab("".join(sorted(set(known))))
        corpus = read_corpus(Reading(written(other, f"{len(known)}.txt"), TextConfig(), vocab), Cache(tmp_path))
        assert vocab.decode(corpus.ids) == known


def test_a_file_that_is_longer_than_what_is_wanted_is_not_read_to_its_end(tmp_path: Path) -> None:
    files = written("a secret\n" * 1000)
    with pytest.raises(OtherText):
        read_corpus(Reading(files, TextConfig(), Vocab("\n abcdefghijklmnopqrst")), Cache(tmp_path), only=("0123", 10))
