"""How fast charlstm is to use: sampling, reading a text, starting.

    python scripts/bench.py
    python scripts/bench.py --keras other/bin/python        Keras, from its own environment
    python scripts/bench.py --checkpoint checkpoints/tinyshakespeare        also the cost of each precision in bits
    python scripts/bench.py --json figures.json

Each contestant runs in its own process. The contestants take turns for several rounds, and the median round counts.
Where numba is installed, charlstm also runs without it. Sampling is timed as the whole loop, from one character to the
next. "The limit" is only one pass over the recurrent and the output weights, with PyTorch's plain int8 kernel. "Its
products alone" is the same pass with the kernel of PyTorch that the package uses without compiled loops; for large
matrices that kernel is faster. The products of 64 at once are in float32 where the processor has no bfloat16.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reading_contests
import sampling_contests
from reading_contests import ABOVE, FIRST, HELP, TEXTS
from sampling_contests import MANY, SHAPES, TOGETHER
from turns import WITHOUT, at_least_one, pythons_of, take_turns, tell

CONTESTANTS = sampling_contests.CONTESTANTS | reading_contests.CONTESTANTS

TEXT_BYTES = 1 << 26
HELD_OUT = 20_000
"""The cost of a precision is measured on this many characters, from the beginning of the validation text."""

MANY_ENOUGH = 16
"""A batch of this many texts uses the kernel for many texts."""


def main() -> None:
    """Run the contestants in turns, and print the figures."""
    flags = parsed()
    if flags.only:
        tell(lambda: CONTESTANTS[flags.only](flags), flags.only)
        return
    figures = take_turns(__file__, sys.argv[1:], pythons_of(CONTESTANTS, flags.keras), flags.rounds)
    figures |= ratios(figures)
    print("\n".join(report(figures)))
    if flags.checkpoint:
        figures |= {f"{name} costs, bits per character": bits for name, bits in costs(flags.checkpoint)}
    if flags.json:
        flags.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--characters", type=at_least_one, default=2000, metavar="N", help="to sample (default: 2000)")
    parser.add_argument(
        "--bytes", type=at_least_one, default=TEXT_BYTES, metavar="N", help=f"to read (default: {TEXT_BYTES})"
    )
    parser.add_argument(
        "--rounds", type=at_least_one, default=3, metavar="N", help="runs of each contestant (default: 3)"
    )
    parser.add_argument("--keras", metavar="PYTHON", help="a Python that has Keras, if this one doesn't")
    parser.add_argument("--checkpoint", type=Path, help="a run: measure the cost of each precision")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--only", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    return parser.parse_args()


RATIOS = {"charlstm to ": "", "without numba to ": WITHOUT}
"""How the name of a ratio begins, and how the name of that charlstm ends."""


def ratios(figures: dict[str, float]) -> dict[str, float]:
    """The speed of charlstm, divided by that of each other contestant: one text by one text, 64 texts by 64 texts."""
    compared = {}
    for name, figure in figures.items():
        what, _, other = name.partition(": ")
        if other and "charlstm" not in other:
            ours = TOGETHER if str(MANY) in other else "charlstm"
            for ratio, how in RATIOS.items():
                if own := figures.get(f"{what}: {ours}{how}"):
                    compared[ratio + name] = own / figure
    return compared


def report(figures: dict[str, float]) -> Iterator[str]:
    """The figures as lines, with charlstm's ratios to each other contestant."""
    for title, parts in (
        *((f"{shape}, characters per second", [shape]) for shape in SHAPES),
        ("reading a text, megabytes per second", [f"{language} text" for language in TEXTS]),
    ):
        shown = [name for name in figures if any(name.startswith(f"{part}: ") for part in parts)]
        used = [ratio for ratio in RATIOS if any(ratio + name in figures for name in shown)]
        yield f"{title:<58}" + "".join(f"{ratio + 'it':>22}" for ratio in used)
        for name in shown:
            label = name.removeprefix(f"{parts[0]}: ") if len(parts) == 1 else name
            own = [f"{figures[ratio + name]:.2f}" if ratio + name in figures else "" for ratio in used]
            yield f"  {label:<44}{figures[name]:>12,.0f}" + "".join(f"{each:>22}" for each in own).rstrip()
    yield "starting (seconds) and memory (megabytes)"
    for name in (HELP, FIRST, ABOVE):
        yield f"  {name:<44}{figures[name]:>12.3f}"


def costs(checkpoint: Path) -> Iterator[tuple[str, float]]:
    """How many more bits per character each precision has than the model itself, on a run's validation text."""
    import torch
    from torch.nn import functional as F

    import charlstm
    from charlstm.saved.checkpoint import load
    from charlstm.saved.folder import resolve

    saved = load(resolve(checkpoint, prefer="best.pt"))
    generator = charlstm.load(checkpoint)
    text = torch.from_numpy(saved.trained()[0].part("val", saved.vocab)[:HELD_OUT].astype("int64"))

    @torch.inference_mode()
    def bits(step: Any, texts: int) -> float:
        ids = text[: len(text) // texts * texts].view(texts, -1)
        state, nats = generator.model.initial_state(texts), 0.0
        for x, y in itertools.pairwise(ids.T):
            logits, state = step(x[:, None], state)
            nats += F.cross_entropy(logits[:, -1], y, reduction="sum").item()
        return nats / math.log(2) / (ids.numel() - texts)

    for texts in (1, MANY_ENOUGH):
        own = bits(generator.model, texts)
        print(f"{texts} at once, the model itself: {own:.4f} bits per character")
        for precision in ("float32", "bfloat16", "int8"):
            cost = bits(generator.step(texts, precision), texts) - own
            print(f"  {precision} costs {cost:+.5f}")
            yield f"{texts} at once, {precision}", cost


if __name__ == "__main__":
    main()
