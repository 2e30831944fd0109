"""How well nanoGPT and charlstm predict a text after the same time: for `bench_train.py --nanogpt`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

CONTEXT = 64
COMMAND = (
    "train.py config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1"
    f" --block_size={CONTEXT} --batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000"
    " --lr_decay_iters=2000 --dropout=0.0"
)
"""The training for processors in nanoGPT's README."""


def compare(checkout: Path, text: Path) -> Iterator[str]:
    """Train nanoGPT, then charlstm for the same time, and say in lines how long it took and how well they predict.

    Args:
        checkout: of github.com/karpathy/nanoGPT. It stays as it is: a copy of it is used.
        text: both validate on its last tenth.
    """
    with tempfile.TemporaryDirectory() as folder:
        seconds, nats = nanogpt(checkout, text, Path(folder) / "nanogpt")
        yield line("nanoGPT", seconds, nats, f"on 20 random batches, 1 to {CONTEXT} characters before each one")
        place = Path(folder) / "charlstm"
        minutes, text = seconds / 60, text.resolve()
        began = time.perf_counter()
        run(["-m", "charlstm.train", str(text), f"--minutes={minutes:.3f}", "--name=run", *places(place)], place)
        taken = time.perf_counter() - began
        for context, about in ((None, "all before each one"), (CONTEXT, f"0 to {CONTEXT - 1} characters before")):
            flags = [] if context is None else [f"--context={context}"]
            said = run(["-m", "charlstm.evaluate", str(place / "run"), "--json", *places(place)[1:], *flags], place)
            nats = json.loads(said)["nats_per_char"]
            yield line(f"charlstm --minutes {minutes:.3f}", taken, nats, f"on the whole last tenth, {about}")


def line(who: str, seconds: float, nats: float, how: str) -> str:
    """One result."""
    return f"{who:<28}{seconds:>8.1f} s{nats:>9.4f} nats per character, {how}"


def places(folder: Path) -> list[str]:
    """Flags, so that no run and no text is left behind."""
    return [f"--checkpoints={folder}", f"--cache={folder / 'cache'}"]


def nanogpt(checkout: Path, text: Path, folder: Path) -> tuple[float, float]:
    """Seconds that its training takes, and its last validation loss in nats per character."""
    shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(".git", "out-*"))
    data = folder / "data/shakespeare_char"
    shutil.copyfile(text, data / "input.txt")
    (data / "requests.py").touch()  # prepare.py imports it, but downloads nothing: the text is there
    run(["prepare.py"], data)
    began = time.perf_counter()
    said = run(COMMAND.split(), folder)
    seconds = time.perf_counter() - began
    return seconds, float(re.findall(r"val loss ([0-9.]+)", said)[-1])


def run(arguments: Sequence[str], folder: Path) -> str:
    """What a Python program says on stdout."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run([sys.executable, *arguments], cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout
