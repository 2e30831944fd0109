"""How good the chosen settings are, compared with settings made by hand, on the same text in the same time.

    python scripts/study_choice.py tinyshakespeare.txt --minutes 1
    python scripts/study_choice.py tinyshakespeare.txt --minutes 3 --seeds 2
    python scripts/study_choice.py --minutes 1                  the default text

Each line of the output is one run: `python -m charlstm.train TEXT --minutes N` with the flags in that line. The score
is from `charlstm.evaluate`, on the whole validation text. The first line has no flags: charlstm chooses the settings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from commands import charlstm, failures_reported, positive

GRID = """
--hidden-size 256 --batch-size 16 --learning-rate 0.015 --dropout 0
--hidden-size 256 --batch-size 32 --learning-rate 0.01 --dropout 0.1
--hidden-size 384 --batch-size 32 --learning-rate 0.01 --dropout 0.1
--hidden-size 384 --batch-size 32 --learning-rate 0.01 --dropout 0.1 --ensemble-size 2
--hidden-size 384 --batch-size 32 --learning-rate 0.005 --dropout 0.1 --num-layers 2
--hidden-size 512 --batch-size 16 --learning-rate 0.01 --dropout 0.1
--hidden-size 512 --batch-size 32 --learning-rate 0.01 --dropout 0.2
--hidden-size 768 --batch-size 32 --learning-rate 0.005 --dropout 0.2
"""
"""Settings that an experienced user would try. `REST` has the other flags."""

REST = {"--num-layers": "1", "--ensemble-size": "1", "--recurrent-dropout": "0", "--seq-len": "64"}


def main() -> None:
    """Train and score each line; then compare the chosen settings with the best ones made by hand."""
    flags = parsed()
    scores = {}
    for line in ["", *GRID.strip().splitlines()]:
        scores[line] = statistics.mean(nats(flags, line, seed) for seed in range(1, flags.seeds + 1))
        print(f"{scores[line]:.4f} nats  {line or '(chosen)'}", flush=True)
    chosen = scores.pop("")
    best = min(scores, key=lambda line: scores[line])
    print(f"chosen {chosen:.4f}, best by hand {scores[best]:.4f} with {best}: {chosen / scores[best] - 1:+.1%}")


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="the text to learn, as for charlstm.train")
    parser.add_argument("--minutes", default="1", metavar="N", help="minutes of each run (default: 1)")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="runs of each, averaged (default: 1)")
    return parser.parse_args()


def nats(flags: argparse.Namespace, line: str, seed: int) -> float:
    """Train with the flags of a line. Returns the validation loss in nats per character."""
    by_hand = line.split()
    if by_hand:
        by_hand += [word for flag, value in REST.items() if flag not in by_hand for word in (flag, value)]
    with tempfile.TemporaryDirectory() as folder:
        length = ["--minutes", flags.minutes, "--seed", seed, "--checkpoints", folder, "--name", "run"]
        charlstm("train", *flags.texts, *length, *by_hand)
        return float(json.loads(charlstm("evaluate", Path(folder) / "run", "--json"))["nats_per_char"])


if __name__ == "__main__":
    with failures_reported():
        main()
