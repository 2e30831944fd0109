"""The contestants of `bench.py` that read a text, start a program, or measure memory."""

from __future__ import annotations

import argparse
import functools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from turns import seconds_each


def text_of(language: str, length: int) -> str:
    """A random text of about `length` bytes: words of letters, or thousands of different Chinese characters."""
    draw = random.Random(0)
    if language != "Chinese":
        words = ["".join(draw.choices("etaoinshrdlucmfwypvbgkjqxz", k=draw.randint(1, 9))) for _ in range(4000)]
        if language == "English":  # a book has quotation marks that ASCII doesn't have: here one in 150 characters
            words[::25] = [f"{word}’s" for word in words[::25]]
        block = " ".join(draw.choices(words, k=20_000)) + ".\n"
    else:
        characters = [chr(0x4E00 + draw.randrange(20_000)) for _ in range(4000)]
        block = "".join(draw.choices(characters, weights=[1 / (n + 1) for n in range(4000)], k=40_000)) + "。\n"
    return block * (length // len(block.encode()) + 1)


def reading(flags: argparse.Namespace, language: str) -> float:
    """Megabytes per second from a file to ids in the cache: count, encode, hash, write."""
    from charlstm.config import TextConfig
    from charlstm.text.cache import Cache
    from charlstm.text.corpus import Reading, read_corpus

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.txt"
        size = file.write_bytes(text_of(language, flags.bytes).encode())
        cache = Cache(Path(folder) / "cache")
        began = time.perf_counter()
        read_corpus(Reading((file,), TextConfig()), cache)
        return size / 1e6 / (time.perf_counter() - began)


def dictionary(flags: argparse.Namespace, language: str) -> float:
    """The same with the loop that everybody writes first."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.txt"
        size = file.write_bytes(text_of(language, flags.bytes // 8).encode())
        began = time.perf_counter()
        text = file.read_text("utf-8")
        ids = {character: i for i, character in enumerate(sorted(set(text)))}
        np.save(Path(folder) / "ids.npy", np.array([ids[character] for character in text], dtype=np.uint16))
        return size / 1e6 / (time.perf_counter() - began)


def memory(flags: argparse.Namespace) -> float:
    """The peak memory of encoding a text and training the first steps, in megabytes above that of `import torch`."""
    import resource

    import torch

    from charlstm import train

    assert torch
    unit = 1e6 if sys.platform == "darwin" else 1e3
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.txt"
        block = text_of("English", 1 << 20).encode()
        with file.open("wb") as opened:
            for _ in range(flags.bytes * 4 // len(block) + 1):
                opened.write(block)
        places = ["--checkpoints", f"{folder}/checkpoints", "--cache", f"{folder}/cache"]
        assert train.main([str(file), "--steps", "20", *places]) == 0
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit


def helping(flags: argparse.Namespace) -> float:
    """Seconds to print `--help`."""
    command = [sys.executable, "-m", "charlstm.sample", "--help"]
    return seconds_each(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), 5)


def first_character(flags: argparse.Namespace) -> float:
    """Seconds from the end of `import torch` to the first sampled character, in a new process."""
    program = (
        "import time, torch; began = time.perf_counter(); import charlstm;"
        "next(charlstm.load('run').generate('a')); print(time.perf_counter() - began)"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "text.txt").write_text(text_of("English", 10_000), "utf-8")
        train = ["-m", "charlstm.train", "text.txt", "--steps", "1", "--checkpoints", ".", "--name", "run"]
        subprocess.run([sys.executable, *train], check=True, cwd=folder, stderr=subprocess.DEVNULL)
        done = subprocess.run(
            [sys.executable, "-c", program], check=True, cwd=folder, stdout=subprocess.PIPE, text=True
        )
    return float(done.stdout)


TEXTS, DICTIONARY = ("ASCII", "English", "Chinese"), "a loop with a dictionary"
HELP, FIRST, ABOVE = (
    "printing --help",
    "first character after import torch",
    "megabytes above import torch to encode and train",
)

CONTESTANTS: dict[str, Callable[[argparse.Namespace], float]] = {
    f"{language} text: {name}": functools.partial(contest, language=language)
    for language in TEXTS
    for name, contest in (("charlstm", reading), (DICTIONARY, dictionary))
}
CONTESTANTS |= {HELP: helping, FIRST: first_character, ABOVE: memory}
