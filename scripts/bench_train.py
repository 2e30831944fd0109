"""How fast training is: this package, its matrix products alone, a plain PyTorch loop with `nn.LSTM`, and Keras.

    python scripts/bench_train.py
    python scripts/bench_train.py --hidden-size 512 --embedding-dim 128 --batch-size 32 --seq-len 64
    python scripts/bench_train.py --keras other/bin/python        Keras, from its own environment

Each contestant trains the same model on the same random text, in its own process. The contestants take turns for
several rounds, because the speed of a machine drifts; the median round counts. The last figure is the share of the
package's step that its matrix products take if they run alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from turns import KERAS, pythons_of, seconds_each, take_turns


def main() -> None:
    """Run the contestants in turns, and print the figures."""
    flags = parsed()
    if flags.only:
        print(json.dumps(CONTESTANTS[flags.only](flags)))
        return
    report(flags, take_turns(__file__, sys.argv[1:], pythons_of(CONTESTANTS, flags.keras), flags.rounds))


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    sizes = {"hidden-size": 1024, "embedding-dim": 256, "batch-size": 64, "seq-len": 100, "vocab-size": 65}
    for flag, default in {**sizes, "steps": 10, "rounds": 3}.items():
        parser.add_argument(f"--{flag}", type=int, default=default, metavar="N", help=f"(default: {default})")
    parser.add_argument("--keras", metavar="PYTHON", help="a Python that has Keras, if this one doesn't")
    parser.add_argument("--only", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    return parser.parse_args()


def report(flags: argparse.Namespace, seconds: dict[str, float]) -> None:
    """A table of characters per second, and the share of the products."""
    products = seconds.pop(PRODUCTS)
    ours = seconds[PACKAGE]
    characters = flags.batch_size * flags.seq_len
    print(f"1 x {flags.hidden_size}, embedding {flags.embedding_dim}, {flags.batch_size} x {flags.seq_len} a step")
    for name, each in seconds.items():
        times = "" if name == PACKAGE else f"   charlstm is {each / ours:.2f} times as fast"
        print(f"{name:<30}{characters / each:>9,.0f} chars/s{1000 * each:>9.1f} ms a step{times}")
    print(f"{PRODUCTS:<30}{characters / products:>9,.0f} chars/s{1000 * products:>9.1f} ms a step")
    print(f"{PACKAGE} runs at {products / ours:.0%} of the rate of its matrix products")


def package(flags: argparse.Namespace) -> float:
    """This package's own training step."""
    import numpy as np

    from charlstm.config import ModelConfig, TrainConfig
    from charlstm.device import choose_device, choose_dtype, keep_freed_memory
    from charlstm.model.charlstm import CharLSTM
    from charlstm.text.split import split
    from charlstm.training.plan import plan_steps
    from charlstm.training.trainer import Trainer

    keep_freed_memory()
    device = choose_device("auto")
    characters = flags.batch_size * flags.seq_len
    ids = np.random.default_rng(0).integers(flags.vocab_size, size=100 * characters).astype(np.uint16)
    parts = split(ids, 0.1, 0.0, flags.seq_len, None)
    shape = ModelConfig(
        vocab_size=flags.vocab_size, hidden_size=flags.hidden_size, embedding_dim=flags.embedding_dim, dropout=0.1
    )
    config = TrainConfig(
        batch_size=flags.batch_size,
        seq_len=flags.seq_len,
        dtype=choose_dtype("auto", device),
        device=device.type,
    )
    trainer, plan = Trainer(CharLSTM(shape).to(device), parts, config), plan_steps(1000, characters)
    trainer.model.train()
    return seconds_each(lambda: trainer.train_step(plan), flags.steps)


def plain(flags: argparse.Namespace, dtype: str) -> float:
    """The loop that a PyTorch user writes first: `nn.Embedding`, `nn.LSTM`, `nn.Linear`, Adam.

    On a GPU, autocast makes cuDNN's LSTM compute in float16 for any dtype. That is as fast as bfloat16.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    device = "cuda" if torch.cuda.is_available() else "cpu"
    embedding = nn.Embedding(flags.vocab_size, flags.embedding_dim).to(device)
    lstm = nn.LSTM(flags.embedding_dim, flags.hidden_size, batch_first=True).to(device)
    head = nn.Linear(flags.hidden_size, flags.vocab_size).to(device)
    weights = [*embedding.parameters(), *lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=1e-3)
    x, y = torch.randint(flags.vocab_size, (2, flags.batch_size, flags.seq_len), device=device)
    state = None

    def step() -> None:
        nonlocal state
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            hidden, state = lstm(embedding(x), state)
            loss = F.cross_entropy(head(hidden).flatten(0, 1), y.flatten())
        state = tuple(tensor.detach() for tensor in state)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        loss.item()

    return seconds_each(step, flags.steps)


def keras(flags: argparse.Namespace) -> float:
    """The model of the tutorials, trained with `train_on_batch`: Embedding → stateful LSTM → Dense."""
    import keras as K
    import numpy as np

    model = K.Sequential(
        [
            K.Input(batch_shape=(flags.batch_size, flags.seq_len)),
            K.layers.Embedding(flags.vocab_size, flags.embedding_dim),
            K.layers.LSTM(flags.hidden_size, return_sequences=True, stateful=True),
            K.layers.Dense(flags.vocab_size),
        ]
    )
    model.compile(optimizer="adam", loss=K.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.random.default_rng(0).integers(flags.vocab_size, size=(2, flags.batch_size, flags.seq_len))
    return seconds_each(lambda: model.train_on_batch(x, y), flags.steps)


def products(flags: argparse.Namespace) -> float:
    """The matrix products of the package's step, one after another, and nothing else."""
    import torch
    from torch import Tensor

    from charlstm.device import choose_device, choose_dtype, keep_freed_memory
    from charlstm.model.charlstm import FOLDS
    from charlstm.model.products import product_with

    keep_freed_memory()
    device = choose_device("auto")
    dtype = getattr(torch, choose_dtype("auto", device))

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, device=device).to(dtype)

    B, T, V, E, H = flags.batch_size, flags.seq_len, flags.vocab_size, flags.embedding_dim, flags.hidden_size
    forward, backward = product_with(matrix(4 * H, H), B), product_with(matrix(H, 4 * H), B)
    h, gates = matrix(B, H), matrix(B, 4 * H)
    read, hidden, all_gates, chosen, logits = (matrix(T * B, n) for n in (E, H, 4 * H, V, V))
    embedding, table, weight_ih, head = matrix(V, E), matrix(V, 4 * H), matrix(4 * H, E), matrix(V, H)

    once = [(all_gates.T, hidden), (hidden, head.T), (logits, head), (logits.T, hidden)]
    if FOLDS * V <= T * B:  # the embedding is folded into the input projection
        once += [(embedding, weight_ih.T), (chosen.T, all_gates), (table, weight_ih), (table.T, embedding)]
    else:
        once += [(read, weight_ih.T), (all_gates, weight_ih), (all_gates.T, read)]

    def step() -> None:
        for _ in range(T):
            forward(h, gates)
        for _ in range(T):
            backward(gates, h)
        for left, right in once:
            torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return seconds_each(step, flags.steps)


PACKAGE, PRODUCTS = "charlstm", "its matrix products alone"
CONTESTANTS: dict[str, Callable[[argparse.Namespace], float]] = {
    PACKAGE: package,
    PRODUCTS: products,
    "plain PyTorch, float32": lambda flags: plain(flags, "float32"),
    "plain PyTorch, autocast": lambda flags: plain(flags, "bfloat16"),
    KERAS: keras,
}


if __name__ == "__main__":
    main()
