"""The contestants of `bench_train.py`: whole training steps, and the matrix products that limit their speed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from turns import KERAS, WITHOUT, LeftOut, seconds_each

VOCAB = 65


@dataclass(frozen=True)
class Size:
    """The size of a model with one layer, and of a training step."""

    hidden_size: int = 512
    ensemble_size: int = 1
    embedding_dim: int = 128
    batch_size: int = 32
    seq_len: int = 64

    @property
    def name(self) -> str:
        """The size of the model."""
        return f"{self.ensemble_size} of " * (self.ensemble_size > 1) + f"1 x {self.hidden_size}"

    @property
    def characters(self) -> int:
        """Characters in a training step."""
        return self.batch_size * self.seq_len


def package(size: Size, steps: int) -> float:
    """Seconds of this package's own training step."""
    import numpy as np

    from charlstm.config import ModelConfig, TrainConfig
    from charlstm.device import choose_device, choose_dtype, keep_freed_memory
    from charlstm.model.charlstm import CharLSTM
    from charlstm.text.split import split
    from charlstm.training.plan import plan_steps
    from charlstm.training.trainer import Trainer

    keep_freed_memory()
    device = choose_device("auto")
    ids = np.random.default_rng(0).integers(VOCAB, size=100 * size.characters).astype(np.uint16)
    shape = ModelConfig(
        vocab_size=VOCAB,
        hidden_size=size.hidden_size,
        ensemble_size=size.ensemble_size,
        embedding_dim=size.embedding_dim,
        dropout=0.1,
    )
    config = TrainConfig(
        batch_size=size.batch_size,
        seq_len=size.seq_len,
        dtype=choose_dtype("auto", device),
        device=device.type,
    )
    trainer = Trainer(CharLSTM(shape).to(device), split(ids, 0.1, 0.0, size.seq_len, None), config)
    plan = plan_steps(1000, size.characters)
    trainer.model.train()
    return seconds_each(lambda: trainer.train_step(plan), steps)


def plain(size: Size, steps: int, dtype: str) -> float:
    """The loop that a PyTorch user writes first: `nn.Embedding`, `nn.LSTM`, `nn.Linear`, Adam.

    On a GPU, autocast makes cuDNN's LSTM compute in float16 for any dtype. That is as fast as bfloat16.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, y = torch.randint(VOCAB, (2, size.batch_size, size.seq_len), device=device)

    def new_step() -> Callable[[], None]:
        embedding = nn.Embedding(VOCAB, size.embedding_dim).to(device)
        lstm = nn.LSTM(size.embedding_dim, size.hidden_size, batch_first=True).to(device)
        head = nn.Linear(size.hidden_size, VOCAB).to(device)
        weights = [*embedding.parameters(), *lstm.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(weights, lr=1e-3)
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

        return step

    members = [new_step() for _ in range(size.ensemble_size)]
    try:
        return seconds_each(lambda: [step() for step in members], steps)
    except RuntimeError as error:
        if "primitive" not in str(error):
            raise
        raise LeftOut(f"PyTorch's nn.LSTM doesn't compute in {dtype} on this processor") from None


def keras(size: Size, steps: int) -> float:
    """The model of the tutorials, trained with `train_on_batch`: Embedding → stateful LSTM → Dense."""
    import keras as K
    import numpy as np

    def new_model() -> K.Sequential:
        model = K.Sequential(
            [
                K.Input(batch_shape=(size.batch_size, size.seq_len)),
                K.layers.Embedding(VOCAB, size.embedding_dim),
                K.layers.LSTM(size.hidden_size, return_sequences=True, stateful=True),
                K.layers.Dense(VOCAB),
            ]
        )
        model.compile(optimizer="adam", loss=K.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    members = [new_model() for _ in range(size.ensemble_size)]
    x, y = np.random.default_rng(0).integers(VOCAB, size=(2, size.batch_size, size.seq_len))
    return seconds_each(lambda: [model.train_on_batch(x, y) for model in members], steps)


def products(size: Size, steps: int) -> float:
    """The matrix products of the package's step, one after another, and nothing else.

    Those of several members run as the members do: in threads, side by side.
    """
    import torch

    from charlstm.device import choose_device, keep_freed_memory
    from charlstm.training.members import thread_pool

    keep_freed_memory()
    device = choose_device("auto")
    pool = thread_pool(size.ensemble_size) if device.type == "cpu" else None
    run: Callable[..., Iterable[None]] = pool.map if pool else map
    members = [products_of_a_member(size) for _ in range(size.ensemble_size)]

    def step() -> None:
        list(run(lambda member: member(), members))
        if device.type == "cuda":
            torch.cuda.synchronize()

    return seconds_each(step, steps)


def products_of_a_member(size: Size) -> Callable[[], None]:
    """A function that computes the products of one member."""
    import torch
    from torch import Tensor

    from charlstm.device import choose_device, choose_dtype
    from charlstm.loops.compiling import has_loops
    from charlstm.model.charlstm import FOLDS
    from charlstm.model.products import product_with

    device = choose_device("auto")
    dtype = getattr(torch, choose_dtype("auto", device))

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, device=device).to(dtype)

    B, T, V, E, H = size.batch_size, size.seq_len, VOCAB, size.embedding_dim, size.hidden_size
    forward, backward = product_with(matrix(4 * H, H), B), product_with(matrix(H, 4 * H), B)
    h, gates = matrix(B, H), matrix(B, 4 * H)
    read, hidden, all_gates, chosen, logits = (matrix(T * B, n) for n in (E, H, 4 * H, V, V))
    embedding, table, weight_ih, head = matrix(V, E), matrix(V, 4 * H), matrix(4 * H, E), matrix(V, H)

    once = [(all_gates.T, hidden), (hidden, head.T), (logits, head), (logits.T, hidden)]
    if FOLDS * V <= T * B:  # the embedding is folded into the input projection
        once += [(embedding, weight_ih.T), (table, weight_ih), (table.T, embedding)]
        if device.type != "cpu" or not has_loops():  # compiled loops gather these gradients without a product
            once.append((chosen.T, all_gates))
    else:
        once += [(read, weight_ih.T), (all_gates, weight_ih), (all_gates.T, read)]

    def step() -> None:
        for _ in range(T):
            forward(h, gates)
        for _ in range(T):
            backward(gates, h)
        for left, right in once:
            torch.mm(left, right)

    return step


PACKAGE, PRODUCTS = "charlstm", "its matrix products alone"
PLAIN = "plain PyTorch"
CONTESTANTS: dict[str, Callable[[Size, int], float]] = {
    PACKAGE: package,
    PACKAGE + WITHOUT: package,
    PRODUCTS: products,
    f"{PLAIN}, float32": functools.partial(plain, dtype="float32"),
    f"{PLAIN}, autocast": functools.partial(plain, dtype="bfloat16"),
    KERAS: keras,
}
