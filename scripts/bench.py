"""How fast charlstm is to use: sampling, reading a text, starting.

    python scripts/bench.py
    python scripts/bench.py --keras other/bin/python        Keras, from an environment of its own
    python scripts/bench.py --checkpoint checkpoints/tinyshakespeare        also what each precision costs in bits
    python scripts/bench.py --json figures.json

Each contestant runs in a process of its own; they take turns for several rounds, and the median round counts. Sampling
is the whole loop, from one character to the next. The limit beside it is one pass over the recurrent and the output
weights, and nothing else, by PyTorch's plain int8 kernel; its products alone are the same in the form in which the
package keeps them, which for large matrices is a faster one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import reading_contests
import sampling_contests
from reading_contests import ABOVE, DICTIONARY, FIRST, HELP, TEXTS
from sampling_contests import LIMIT, MANY, PRODUCTS, SHAPES, TOGETHER
from turns import pythons_of, take_turns

CONTESTANTS = sampling_contests.CONTESTANTS | reading_contests.CONTESTANTS

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


if __name__ == "__main__":
    main()
