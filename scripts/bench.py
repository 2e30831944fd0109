"""How fast charlstm is to use: sampling, reading a text, starting.

    python scripts/bench.py
    python scripts/bench.py --keras other/bin/python        Keras, from an environment of its own
    python scripts/bench.py --checkpoint checkpoints/tinyshakespeare        also what each precision costs in bits
    python scripts/bench.py --json figures.json

Each contestant runs in a process of its own; they take turns for several rounds, and the median round counts. Sampling
is the whole loop, from one character to the next. The limit beside it is one pass over the recurrent and the output
weights, in the form that the package keeps them in, and nothing else.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turns import KERAS, pythons_of, seconds_each, take_turns

if TYPE_CHECKING:
    from charlstm.model.charlstm import CharLSTM

VOCAB = 65
SHAPES = {"1 x 1024": (1, 1024, 256), "1 x 512": (1, 512, 128), "3 x 512": (3, 512, 128)}
"""Layers, units, numbers of an embedding."""

MANY = 64
TEXT_BYTES = 1 << 26
HELD_OUT = 20_000
"""Characters that the cost of a precision is measured on."""


def main() -> None:
    """Let the contestants take turns, and print what came out."""
    flags = parsed()
    if flags.only:
        print(json.dumps(CONTESTANTS[flags.only](flags)))
        return
    figures = take_turns(__file__, sys.argv[1:], pythons_of(CONTESTANTS, flags.keras), flags.rounds)
    print("\n".join(report(figures)))
    if flags.checkpoint:
        figures |= {f"{name} costs, bits per character": bits for name, bits in costs(flags.checkpoint)}
    if flags.json:
        flags.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--characters", type=int, default=2000, metavar="N", help="to sample (default: 2000)")
    parser.add_argument("--bytes", type=int, default=TEXT_BYTES, metavar="N", help=f"to read (default: {TEXT_BYTES})")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("--keras", metavar="PYTHON", help="the Python that has Keras, when this one hasn't")
    parser.add_argument("--checkpoint", type=Path, help="a run, whose validation text tells what each precision costs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--only", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    return parser.parse_args()


def report(figures: dict[str, float]) -> Iterator[str]:
    """The figures as lines, with what they are to one another."""
    for shape in SHAPES:
        ours = figures[f"{shape}: charlstm"]
        yield f"{shape}, characters per second"
        for name, figure in figures.items():
            if name.startswith(f"{shape}: "):
                yield f"  {name.removeprefix(f'{shape}: '):<44}{figure:>12,.0f}{ours / figure:>9.2f}"
        yield f"  charlstm reaches {ours / figures[f'{shape}: {LIMIT}']:.0%} of the limit"
        many = figures[f"{shape}: {TOGETHER}"] / figures[f"{shape}: {PRODUCTS}"]
        yield f"  {MANY} at once reach {many:.0%} of the rate of their products"
    yield "reading a text, megabytes per second"
    for language in TEXTS:
        ours, plain = figures[f"{language} text: charlstm"], figures[f"{language} text: {DICTIONARY}"]
        yield f"  {language:<44}{ours:>12,.0f}{ours / plain:>9.2f} times {DICTIONARY}"
    yield "starting, seconds, and memory"
    for name in (HELP, FIRST, ABOVE):
        yield f"  {name:<44}{figures[name]:>12.3f}"


def a_model(shape: str) -> CharLSTM:
    """A model of a shape, untrained."""
    from charlstm.config import ModelConfig
    from charlstm.model.charlstm import CharLSTM

    layers, size, embedding = SHAPES[shape]
    config = ModelConfig(vocab_size=VOCAB, hidden_size=size, num_layers=layers, embedding_dim=embedding)
    return CharLSTM(config).eval()


def package(flags: argparse.Namespace, shape: str, texts: int = 1, precision: str = "auto") -> float:
    """Characters that `Generator` draws in a second, of all texts together."""
    from charlstm.config import SampleConfig
    from charlstm.generator import Generator
    from charlstm.sampling.sampler import random_of
    from charlstm.text.vocab import Vocab

    generator = Generator(a_model(shape), Vocab("".join(chr(0x4E00 + i) for i in range(VOCAB))))
    config = SampleConfig(length=10**9, temperature=1.0, precision=precision)
    columns = generator.draw("一", config, [random_of(0, n) for n in range(texts)])
    each = seconds_each(lambda: [next(column) for column in columns], flags.characters // texts + 10, first=20)
    return texts / each


def products(flags: argparse.Namespace, shape: str, texts: int = 1) -> float:
    """The same, if there were nothing to do but the products of the recurrent and the output weights."""
    import torch

    from charlstm.model.products import product_with
    from charlstm.sampling.fast_step import choose_precision

    layers, size, _ = SHAPES[shape]
    precision = choose_precision("auto", texts)
    rows = [4 * size + (VOCAB if layer == layers - 1 else 4 * size) for layer in range(layers)]
    steps: list[Callable[[], object]] = []
    for n in rows:
        if precision == "int8":
            h, scales = torch.zeros(texts, size, dtype=torch.bfloat16), torch.ones(n, dtype=torch.bfloat16)
            weight = torch.randint(-127, 128, (n, size), dtype=torch.int8)
            steps.append(functools.partial(torch._weight_int8pack_mm, h, weight, scales))
        else:
            dtype = getattr(torch, precision)
            multiply = product_with(torch.randn(n, size).to(dtype), texts)
            steps.append(
                functools.partial(multiply, torch.zeros(texts, size, dtype=dtype), torch.zeros(texts, n, dtype=dtype))
            )
    return texts / seconds_each(lambda: [step() for step in steps], flags.characters // texts + 10, first=20)


def plain(flags: argparse.Namespace, shape: str, kind: str) -> float:
    """The loop that a PyTorch user writes first, with `nn.LSTM` or with `nn.LSTMCell`."""
    import torch
    from torch import Tensor, nn

    layers, size, dim = SHAPES[shape]
    embedding, head = nn.Embedding(VOCAB, dim), nn.Linear(size, VOCAB)
    lstm = nn.LSTM(dim, size, layers, batch_first=True)
    cells = nn.ModuleList(nn.LSTMCell(dim if layer == 0 else size, size) for layer in range(layers))
    state: Any = None
    states: list[Any] = [None] * layers
    drawn = torch.zeros(1, 1, dtype=torch.int64)

    def by_sequence(x: Tensor) -> Tensor:
        nonlocal state
        y, state = lstm(x, state)
        return y[:, -1]

    def by_cell(x: Tensor) -> Tensor:
        x = x[:, 0]
        for number, cell in enumerate(cells):
            states[number] = cell(x, states[number])
            x = states[number][0]
        return x

    hidden = by_sequence if kind == "nn.LSTM" else by_cell

    @torch.no_grad()
    def step() -> None:
        nonlocal drawn
        drawn = torch.multinomial(head(hidden(embedding(drawn))).softmax(-1), 1)
        drawn.item()

    return 1 / seconds_each(step, flags.characters // 4 + 1)


def keras(flags: argparse.Namespace, shape: str) -> float:
    """As the tutorials sample: call the model, draw with `tf.random.categorical`, feed back."""
    import keras as K
    import tensorflow as tf

    layers, size, dim = SHAPES[shape]
    lstms = [K.layers.LSTM(size, return_sequences=True, stateful=True) for _ in range(layers)]
    model = K.Sequential([K.Input(batch_shape=(1, 1)), K.layers.Embedding(VOCAB, dim), *lstms, K.layers.Dense(VOCAB)])
    drawn = tf.constant([[0]])

    def step() -> None:
        nonlocal drawn
        drawn = tf.random.categorical(tf.squeeze(model(drawn), 0), num_samples=1)
        drawn.numpy()

    return 1 / seconds_each(step, flags.characters // 10 + 1)


def text_of(language: str, length: int) -> str:
    """A text of so many bytes: words by chance, of the letters of an alphabet, or of some thousand characters."""
    draw = random.Random(0)
    if language == "English":
        words = ["".join(draw.choices("etaoinshrdlucmfwypvbgkjqxz", k=draw.randint(1, 9))) for _ in range(4000)]
        block = " ".join(draw.choices(words, k=20_000)) + ".\n"
    else:
        characters = [chr(0x4E00 + draw.randrange(20_000)) for _ in range(4000)]
        block = "".join(draw.choices(characters, weights=[1 / (n + 1) for n in range(4000)], k=40_000)) + "。\n"
    return block * (length // len(block.encode()) + 1)


def reading(flags: argparse.Namespace, language: str) -> float:
    """Megabytes a second from a file to ids in the cache: counting, encoding, hashing, writing."""
    from charlstm.text.corpus import Reading, read_corpus

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.txt"
        size = file.write_bytes(text_of(language, flags.bytes).encode())
        cache = Path(folder) / "cache"
        cache.mkdir()
        began = time.perf_counter()
        read_corpus(Reading((file,)), cache)
        return size / 1e6 / (time.perf_counter() - began)


def dictionary(flags: argparse.Namespace, language: str) -> float:
    """The same by the loop that everybody writes first."""
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
    """Megabytes above `import torch` at most, while a text is encoded and the first steps are trained on it."""
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
            for _ in range(flags.bytes * 4 // len(block)):
                opened.write(block)
        places = ["--checkpoints", f"{folder}/checkpoints", "--cache", f"{folder}/cache"]
        train.main([str(file), "--steps", "20", *places])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit


def helping(flags: argparse.Namespace) -> float:
    """Seconds that `--help` takes."""
    command = [sys.executable, "-m", "charlstm.sample", "--help"]
    return seconds_each(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), 5)


def first_character(flags: argparse.Namespace) -> float:
    """Seconds from the end of `import torch` to the first sampled character, of a process that starts with it."""
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


def costs(checkpoint: Path) -> Iterator[tuple[str, float]]:
    """Bits per character that each precision costs on the beginning of a run's validation text, beside the model."""
    import torch

    import charlstm
    from charlstm.checkpoint import load, resolve
    from charlstm.sampling.fast_step import FastStep
    from charlstm.texts import part_of_run
    from charlstm.training.evaluation import score

    saved = load(resolve(checkpoint, prefer="best.pt"))
    model = charlstm.load(checkpoint).model
    ids = torch.from_numpy(part_of_run(saved, "val")[:HELD_OUT].astype("int64"))
    own = score(model, ids.numpy()).bits_per_char
    print(f"the model itself: {own:.4f} bits per character")
    for precision in ("float32", "bfloat16", "int8"):
        step, state, nats = FastStep(model, precision=precision), model.initial_state(1), 0.0
        for x, y in itertools.pairwise(ids):
            logits, state = step(x.view(1, 1), state)
            nats -= logits[0, 0].log_softmax(0)[y].item()
        bits = nats / (len(ids) - 1) / math.log(2)
        print(f"{precision} costs {bits - own:+.5f}")
        yield precision, bits - own


LIMIT = "the limit: its weights read once"
TOGETHER, PRODUCTS = f"charlstm, {MANY} at once", f"the products of {MANY} at once"
TEXTS, DICTIONARY = ("English", "Chinese"), "a loop with a dictionary"
HELP, FIRST, ABOVE = (
    "printing --help",
    "first character after import torch",
    "megabytes above import torch to encode and train",
)

CONTESTANTS: dict[str, Callable[[argparse.Namespace], float]] = {
    f"{shape}: {name}": functools.partial(contest, shape=shape, **more)
    for shape in SHAPES
    for name, contest, more in [
        ("charlstm", package, {}),
        *((f"charlstm, {precision}", package, {"precision": precision}) for precision in ("float32", "bfloat16")),
        (LIMIT, products, {}),
        (TOGETHER, package, {"texts": MANY}),
        (PRODUCTS, products, {"texts": MANY}),
        *((f"a loop with {kind}", plain, {"kind": kind}) for kind in ("nn.LSTM", "nn.LSTMCell")),
        (KERAS, keras, {}),
    ]
}
for language in TEXTS:
    CONTESTANTS[f"{language} text: charlstm"] = functools.partial(reading, language=language)
    CONTESTANTS[f"{language} text: {DICTIONARY}"] = functools.partial(dictionary, language=language)
CONTESTANTS |= {HELP: helping, FIRST: first_character, ABOVE: memory}


if __name__ == "__main__":
    main()
