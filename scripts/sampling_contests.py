"""The contestants of `bench.py` that write text: whole loops, and the matrix products that limit their speed."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from turns import KERAS, WITHOUT, seconds_each

if TYPE_CHECKING:
    from charlstm.model.charlstm import CharLSTM

VOCAB = 65
MANY = 64


class Shape(NamedTuple):
    """The shape of a model: networks, their layers, units in a layer, and the length of an embedding."""

    members: int
    layers: int
    size: int
    embedding: int


SHAPES = {
    "1 x 384": Shape(1, 1, 384, 128),
    "2 of 1 x 384": Shape(2, 1, 384, 128),
    "1 x 512": Shape(1, 1, 512, 128),
    "1 x 1024": Shape(1, 1, 1024, 256),
    "3 x 512": Shape(1, 3, 512, 128),
}


def new_model(shape: str) -> CharLSTM:
    """An untrained model of a shape."""
    from charlstm.config import ModelConfig
    from charlstm.model.charlstm import CharLSTM

    members, layers, size, embedding = SHAPES[shape]
    config = ModelConfig(
        vocab_size=VOCAB, hidden_size=size, num_layers=layers, ensemble_size=members, embedding_dim=embedding
    )
    return CharLSTM(config).eval()


def package(
    flags: argparse.Namespace, shape: str, texts: int = 1, precision: str = "auto", any_cell: bool = False
) -> float:
    """Characters per second that `Generator` draws, in all texts together.

    Args:
        any_cell: use the step for any cell, not the LSTM's own step.
    """
    from charlstm.config import SampleConfig
    from charlstm.generator import Generator
    from charlstm.sampling.cell_step import CellStep
    from charlstm.sampling.sampler import random_of
    from charlstm.text.vocab import Vocab

    generator = Generator(new_model(shape), Vocab("".join(chr(0x4E00 + i) for i in range(VOCAB))))
    if any_cell:
        generator.step = functools.partial(CellStep, generator.model)
    config = SampleConfig(length=10**9, temperature=1.0, precision=precision)
    columns = generator.draw("一", config, [random_of(0, n) for n in range(texts)])
    each = seconds_each(lambda: [next(column) for column in columns], flags.characters // texts + 10, first=20)
    return texts / each


def products(
    flags: argparse.Namespace, shape: str, texts: int = 1, precision: str = "auto", bounded: bool = True
) -> float:
    """The same, if a step has only the products with the recurrent and the output weights."""
    import torch

    from charlstm.sampling.few_rows import choose_precision, kernel_of

    members, layers, size, _ = SHAPES[shape]
    precision = choose_precision(precision, texts)
    rows = [4 * size + (VOCAB if layer == layers - 1 else 4 * size) for layer in range(layers)]
    kernels = [kernel_of(torch.randn(n, size), texts, precision, bounded=bounded)[1] for n in members * rows]
    return texts / seconds_each(lambda: [kernel() for kernel in kernels], flags.characters // texts + 10, first=20)


def plain(flags: argparse.Namespace, shape: str, kind: str) -> float:
    """The loop that a PyTorch user writes first, with `nn.LSTM` or with `nn.LSTMCell`. One network only."""
    import torch
    from torch import Tensor, nn

    _, layers, size, dim = SHAPES[shape]
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


def keras(flags: argparse.Namespace, shape: str, compiled: bool = False) -> float:
    """The loop of the tutorials: call the model, draw with `tf.random.categorical`, feed the character back.

    Args:
        compiled: use `tf.function`, as TensorFlow's own tutorial does. Other tutorials call the model directly.
    """
    import keras as K
    import tensorflow as tf

    _, layers, size, dim = SHAPES[shape]
    lstms = [K.layers.LSTM(size, return_sequences=True, stateful=True) for _ in range(layers)]
    model = K.Sequential([K.Input(batch_shape=(1, 1)), K.layers.Embedding(VOCAB, dim), *lstms, K.layers.Dense(VOCAB)])
    drawn = tf.constant([[0]], tf.int64)

    def after(ids: Any) -> Any:
        return tf.random.categorical(tf.squeeze(model(ids), 0), num_samples=1)

    follow = tf.function(after) if compiled else after

    def step() -> None:
        nonlocal drawn
        drawn = follow(drawn)
        drawn.numpy()

    return 1 / seconds_each(step, flags.characters // 10 + 1)


LIMIT, ALONE = "the limit: one plain int8 pass", "its products alone"
TOGETHER, PRODUCTS = f"charlstm, {MANY} at once", f"the products of {MANY} at once, bfloat16 if it has that"
ALONE_TOGETHER = f"its products alone, {MANY} at once"

RIVALS: list[tuple[str, Callable[..., float], dict[str, Any]]] = [
    *((f"a loop with {kind}", plain, {"kind": kind}) for kind in ("nn.LSTM", "nn.LSTMCell")),
    (KERAS, keras, {}),
    (f"{KERAS} in a tf.function", keras, {"compiled": True}),
]

CONTESTANTS: dict[str, Callable[[argparse.Namespace], float]] = {
    f"{shape}: {name}": functools.partial(contest, shape=shape, **more)
    for shape, (members, *_) in SHAPES.items()
    for name, contest, more in [
        ("charlstm", package, {}),
        (f"charlstm{WITHOUT}", package, {}),
        *((f"charlstm, {precision}", package, {"precision": precision}) for precision in ("float32", "bfloat16")),
        ("charlstm, the step for any cell", package, {"any_cell": True}),
        (LIMIT, products, {"precision": "int8", "bounded": False}),
        (ALONE, products, {}),
        (TOGETHER, package, {"texts": MANY}),
        (TOGETHER + WITHOUT, package, {"texts": MANY}),
        (PRODUCTS, products, {"texts": MANY, "precision": "bfloat16"}),
        (ALONE_TOGETHER, products, {"texts": MANY}),
        *(RIVALS if members == 1 else []),
    ]
}
