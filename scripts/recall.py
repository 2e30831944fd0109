"""How far back a cell remembers: amid other characters a word is marked, and some way after it is asked for.

    python scripts/recall.py --cell gru

It learns from near and far, as often between 1 and 2 as between 80 and 160 steps back, since what holds a word for a
while is a beginning for what holds it longer. A line of JSON tells the share of its characters that are right, at some
distances, some of them longer than it ever learned; by chance it is an eighth.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys

import torch
from commands import above_zero, failures_told, positive
from torch.nn import functional as F
from tqdm import tqdm

from charlstm.config import CELLS, ModelConfig
from charlstm.model.charlstm import CharLSTM

LEARNED = 160
"""Steps back from the asking to the end of the word, at most, in what is learned."""

DISTANCES = (5, 10, 20, 40, 80, 160, 320, 640)
"""At which answers are counted: what holds a word may well hold it for longer than it had to learn."""

SYMBOLS = 8
"""Different characters. Words and the characters around them are made of these."""

WORD = 5
"""Characters of a word: there are too many words for each to be learned by itself."""

MARK, ASK = SYMBOLS, SYMBOLS + 1
BATCH = 64
TESTS = 16
"""Batches that tell the share of right answers."""

LEAD = 128
"""Fewer characters than this, a random number, stand before the word: so a cell with a clock can't know its time."""


def main() -> None:
    """Train a model on all distances, and print the share of right answers at some."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--hidden-size", type=positive, default=64, metavar="N", help="(default: 64)")
    parser.add_argument("--num-layers", type=positive, default=2, metavar="N", help="(default: 2)")
    parser.add_argument("--steps", type=positive, default=2000, metavar="N", help="to learn in (default: 2000)")
    parser.add_argument("--learning-rate", type=above_zero, default=0.003, metavar="X", help="(default: 0.003)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")
    print(json.dumps(recalled(parser.parse_args())))


def recalled(flags: argparse.Namespace) -> dict[int, float]:
    """The share of right answers at each of `DISTANCES`, after learning."""
    torch.manual_seed(flags.seed)
    chance = random.Random(flags.seed)
    shape = {"hidden_size": flags.hidden_size, "num_layers": flags.num_layers, "cell": flags.cell}
    model = CharLSTM(ModelConfig(vocab_size=ASK + 1, dropout=0.0, **shape))
    optimizer = torch.optim.AdamW(model.parameters(), flags.learning_rate)
    for _ in tqdm(range(flags.steps), desc=flags.cell, disable=None, file=sys.stderr):
        distance = round(math.exp(chance.uniform(0, math.log(LEARNED))))
        answers, asked = answered(model, distance, chance.randrange(LEAD))
        optimizer.zero_grad()
        F.cross_entropy(answers, asked).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    shares = {}
    with torch.no_grad():
        for distance in DISTANCES:
            tests = (answered(model, distance, chance.randrange(LEAD)) for _ in range(TESTS))
            right = [(answers.argmax(1) == asked).float().mean() for answers, asked in tests]
            shares[distance] = float(torch.stack(right).mean())
    return shares


def answered(model: CharLSTM, distance: int, lead: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model answers to some new questions, [BATCH, SYMBOLS, WORD], and what is right, [BATCH, WORD].

    Args:
        lead: how many characters stand before; nothing is learned from them.
    """
    state = model.initial_state(BATCH)
    if lead:
        with torch.no_grad():
            _, state = model(torch.randint(SYMBOLS, (BATCH, lead)), state)
    shown = torch.randint(SYMBOLS, (BATCH, WORD + distance - 1))
    mark, ask = torch.full((BATCH, 1), MARK), torch.full((BATCH, WORD), ASK)
    logits, _ = model(torch.cat([mark, shown, ask], 1), state)
    return logits[:, -WORD:, :SYMBOLS].transpose(1, 2), shown[:, :WORD]


if __name__ == "__main__":
    with failures_told():
        main()
