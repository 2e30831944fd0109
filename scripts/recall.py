"""How far back a cell remembers: a character is shown, then noise, and at the end it is asked for.

python scripts/recall.py --cell gru --distance 50
"""

from __future__ import annotations

import argparse
import sys

import torch
from torch.nn import functional as F
from tqdm import tqdm

from charlstm.config import CELLS, ModelConfig
from charlstm.model.charlstm import CharLSTM

SYMBOLS, NOISE = 8, 8
"""Different characters that may be asked for, and others that stand between."""

ASK = SYMBOLS + NOISE
BATCH = 64
TESTS = 16
"""Batches that tell the share of right answers."""


def main() -> None:
    """Train on one distance, and print the share of right answers; by chance it is an eighth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--distance", type=int, default=20, metavar="N", help="steps back to it (default: 20)")
    parser.add_argument("--hidden-size", type=int, default=64, metavar="N", help="(default: 64)")
    parser.add_argument("--num-layers", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--steps", type=int, default=500, metavar="N", help="to learn in (default: 500)")
    parser.add_argument("--learning-rate", type=float, default=0.003, metavar="X", help="(default: 0.003)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")
    flags = parser.parse_args()
    print(recalled(flags))


def recalled(flags: argparse.Namespace) -> float:
    """The share of right answers after learning."""
    torch.manual_seed(flags.seed)
    shape = {"hidden_size": flags.hidden_size, "num_layers": flags.num_layers, "cell": flags.cell}
    model = CharLSTM(ModelConfig(vocab_size=ASK + 1, dropout=0.0, **shape))
    optimizer = torch.optim.AdamW(model.parameters(), flags.learning_rate)
    for _ in tqdm(range(flags.steps), desc=f"{flags.cell}, {flags.distance} back", disable=None, file=sys.stderr):
        answers, asked = answered(model, flags.distance)
        optimizer.zero_grad()
        F.cross_entropy(answers, asked).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        right = [
            (answers.argmax(-1) == asked).float().mean()
            for answers, asked in (answered(model.eval(), flags.distance) for _ in range(TESTS))
        ]
    return float(torch.stack(right).mean())


def answered(model: CharLSTM, distance: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model answers to some new questions, [BATCH, SYMBOLS], and what is right, [BATCH]."""
    asked = torch.randint(SYMBOLS, (BATCH, 1))
    noise = torch.randint(SYMBOLS, ASK, (BATCH, distance - 1))
    ids = torch.cat([asked, noise, torch.full((BATCH, 1), ASK)], 1)
    logits, _ = model(ids, model.initial_state(BATCH))
    return logits[:, -1, :SYMBOLS], asked[:, 0]


if __name__ == "__main__":
    main()
