"""How fast training is: this package, its matrix products alone, a plain PyTorch loop with `nn.LSTM`, and Keras.

    python scripts/bench_train.py                               four sizes
    python scripts/bench_train.py --hidden-size 640 --batch-size 64         one size of your own
    python scripts/bench_train.py --keras other/bin/python      Keras, from its own environment
    python scripts/bench_train.py --nanogpt nanoGPT --text tinyshakespeare.txt

Each contestant trains the same model on the same random text, in its own process. The contestants take turns for
several rounds, because the speed of a machine drifts; the median round counts. Where numba is installed, charlstm also
runs without it. The share says how much of charlstm's step its matrix products take if they run alone.

With `--nanogpt`, a checkout of github.com/karpathy/nanoGPT, something else is measured: how well two programs predict
a text after the same time. One is the training that nanoGPT's README recommends for a processor.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from nanogpt_contest import compare
from training_contests import CONTESTANTS, PACKAGE, PRODUCTS, Size
from turns import WITHOUT, at_least_one, pythons_of, take_turns, tell

SIZES = (Size(384), Size(384, ensemble_size=2), Size(512), Size(1024, embedding_dim=256, batch_size=64, seq_len=100))


def main() -> None:
    """Run the contestants in turns, and print the figures."""
    flags = parsed()
    sizes = [Size(**flags.own)] if flags.own else SIZES
    if flags.only:
        for size in sizes:
            tell(lambda size=size: CONTESTANTS[flags.only](size, flags.steps), flags.only)
        return
    if flags.nanogpt:
        print("\n".join(compare(flags.nanogpt, flags.text)))
        return
    pythons, seconds = pythons_of(CONTESTANTS, flags.keras), {}
    for size in sizes:
        print(size.name, file=sys.stderr)
        given = [f"--{name.replace('_', '-')}={value}" for name, value in dataclasses.asdict(size).items()]
        seconds[size] = take_turns(__file__, [*given, f"--steps={flags.steps}"], pythons, flags.rounds)
    print("\n".join(report(seconds)))


def parsed() -> argparse.Namespace:
    """The flags. `own` has those of a size that were given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    own = parser.add_argument_group("one size of your own")
    for field in dataclasses.fields(Size):
        flag, help = "--" + field.name.replace("_", "-"), f"(default: {field.default})"
        own.add_argument(flag, type=at_least_one, default=argparse.SUPPRESS, metavar="N", help=help)
    for flag, default in {"steps": 10, "rounds": 3}.items():
        parser.add_argument(f"--{flag}", type=at_least_one, default=default, metavar="N", help=f"(default: {default})")
    parser.add_argument("--keras", metavar="PYTHON", help="a Python that has Keras, if this one doesn't")
    parser.add_argument("--nanogpt", type=Path, metavar="DIR", help="compare with nanoGPT, which is here")
    parser.add_argument("--text", type=Path, metavar="FILE", help="with --nanogpt: the text to learn")
    parser.add_argument("--only", choices=list(CONTESTANTS), help="one contestant: seconds of its step")
    flags = parser.parse_args()
    if bool(flags.nanogpt) != bool(flags.text):
        parser.error("--nanogpt and --text need each other")
    flags.own = {f.name: getattr(flags, f.name) for f in dataclasses.fields(Size) if hasattr(flags, f.name)}
    return flags


def report(seconds: Mapping[Size, Mapping[str, float]]) -> Iterator[str]:
    """A table with a column for each size: characters per second, the share of the products, and ratios."""
    for size in seconds:
        yield f"{size.name}: embedding {size.embedding_dim}, {size.batch_size} x {size.seq_len} characters a step"
    yield line("characters per second", [size.name for size in seconds])
    names = [name for name in CONTESTANTS if any(name in each for each in seconds.values())]
    for name in names:
        speeds = [size.characters / each[name] if name in each else None for size, each in seconds.items()]
        yield line(f"  {name}", [f"{speed:,.0f}" if speed else "-" for speed in speeds])
    yield "share of the products' speed"
    for ours in (name for name in names if name.startswith(PACKAGE)):
        yield line(f"  {ours}", [f"{each[PRODUCTS] / each[ours]:.0%}" for each in seconds.values()])
    yield "charlstm is so many times as fast as"
    for name in (name for name in names if not name.startswith(PACKAGE) or name.endswith(WITHOUT)):
        ratios = [each[name] / each[PACKAGE] if name in each else None for each in seconds.values()]
        yield line(f"  {name}", [f"{ratio:.2f}" if ratio else "-" for ratio in ratios])


def line(title: str, cells: list[str]) -> str:
    """A line of the table."""
    return f"{title:<32}" + "".join(f"{cell:>14}" for cell in cells)


if __name__ == "__main__":
    main()
