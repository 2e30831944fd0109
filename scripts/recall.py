"""How far back a cell remembers. One word among other characters is marked; later, the model must repeat it.

    python scripts/recall.py --cell gru

In training, distances from 1 to 2 are as frequent as distances from 80 to 160. So a cell can first learn to hold a word
for a short time, and then for longer. The script prints one line of JSON: the share of the word's characters that are
right, at each tested distance. Some of these are longer than any in training. Guessing gives an eighth.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys

import torch
from commands import above_zero, failures_reported, positive
from torch.nn import functional as F
from tqdm import tqdm

from charlstm.config import CELLS, ModelConfig
from charlstm.model.charlstm import CharLSTM

LEARNED = 160
"""The longest distance in training: steps from the end of the word to the question."""

DISTANCES = (5, 10, 20, 40, 80, 160, 320, 640)
"""The tested distances. A cell may hold a word for longer than in training."""

SYMBOLS = 8
"""The number of different characters, in the words and around them."""

WORD = 5
"""Characters in a word. There are too many possible words to learn each one by itself."""

MARK, ASK = SYMBOLS, SYMBOLS + 1
BATCH = 64
TESTS = 16
"""Test batches at each distance."""

LEAD = 128
"""Before the word comes a random number of characters, less than this. So a cell with a clock can't know its time."""


def main() -> None:
    """Train a model on all distances, and print the share of right answers at the tested ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--hidden-size", type=positive, default=64, metavar="N", help="(default: 64)")
    parser.add_argument("--num-layers", type=positive, default=2, metavar="N", help="(default: 2)")
    parser.add_argument("--steps", type=positive, default=2000, metavar="N", help="training steps (default: 2000)")
    parser.add_argument("--learning-rate", type=above_zero, default=0.003, metavar="X", help="(default: 0.003)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")
    print(json.dumps(recalled(parser.parse_args())))


def recalled(flags: argparse.Namespace) -> dict[int, float]:
    """Train a model. Returns its share of right answers at each of `DISTANCES`."""
    torch.manual_seed(flags.seed)
    rng = random.Random(flags.seed)
    shape = {"hidden_size": flags.hidden_size, "num_layers": flags.num_layers, "cell": flags.cell}
    model = CharLSTM(ModelConfig(vocab_size=ASK + 1, dropout=0.0, **shape))
    optimizer = torch.optim.AdamW(model.parameters(), flags.learning_rate)
    for _ in tqdm(range(flags.steps), desc=flags.cell, disable=None, file=sys.stderr):
        distance = round(math.exp(rng.uniform(0, math.log(LEARNED))))
        logits, words = answered(model, distance, rng.randrange(LEAD))
        optimizer.zero_grad()
        F.cross_entropy(logits, words).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    shares = {}
    with torch.no_grad():
        for distance in DISTANCES:
            tests = (answered(model, distance, rng.randrange(LEAD)) for _ in range(TESTS))
            right = [(logits.argmax(1) == words).float().mean() for logits, words in tests]
            shares[distance] = float(torch.stack(right).mean())
    return shares


def answered(model: CharLSTM, distance: int, lead: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of a model for new questions, [BATCH, SYMBOLS, WORD], and the right words, [BATCH, WORD].

    Args:
        lead: the number of characters before the mark. No gradient flows through them.
    """
    state = model.initial_state(BATCH)
    if lead:
        with torch.no_grad():
            _, state = model(torch.randint(SYMBOLS, (BATCH, lead)), state)
    text = torch.randint(SYMBOLS, (BATCH, WORD + distance - 1))
    mark, ask = torch.full((BATCH, 1), MARK), torch.full((BATCH, WORD), ASK)
    logits, _ = model(torch.cat([mark, text, ask], 1), state)
    return logits[:, -WORD:, :SYMBOLS].transpose(1, 2), text[:, :WORD]


if __name__ == "__main__":
    with failures_reported():
        main()
