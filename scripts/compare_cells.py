"""Which recurrent cell is best: with as many parameters each, after equal steps and equal minutes; and its memory.

    python scripts/compare_cells.py corpora/harbour.txt --out cells
    python scripts/compare_cells.py novel.txt --steps 2000 --minutes 3 --seeds 3 --out cells

Each cell has the learning rate that suits it, sought with the first seed: where the highest or the lowest of those
tried is best, twice or half of it is tried, too. What isn't timed is trained with a thread each, side by side. Every
result is kept in the folder as soon as it is there, and a comparison that was interrupted goes on where it was. At the
end the folder has `table.md` and, with matplotlib (pip install "charlstm[charts]"), `cells.png` and `recall.png`.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

import torch
from recall import ASK, DISTANCES
from study_choice import run
from tqdm import tqdm

from charlstm.config import CELLS, ModelConfig
from charlstm.model.cell import Cell
from charlstm.model.charlstm import CharLSTM

RATES, RECALL_RATES = (0.005, 0.01), (0.003,)
"""With which the search for a cell's learning rate begins, for writing and for recalling."""

RECALL_SIZE = 64
"""Units of the LSTM that recalls."""

PERFECT = 0.01
"""So small a share of wrong answers ends the search."""

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
"""The environment of what runs beside others."""

RECALL = Path(__file__).with_name("recall.py")

Key = tuple[str, str, float, int]
"""What was measured (`steps`, `minutes` or `recall`), of which cell, at which rate, with which seed."""

Results = dict[Key, dict[str, float]]


def main() -> None:
    """Measure what isn't measured yet, and show all of it."""
    flags = parsed()
    flags.out.mkdir(parents=True, exist_ok=True)
    file = flags.out / "results.jsonl"
    results = read(file, flags)
    with file.open("a", encoding="utf-8") as kept:
        for name, stage, at_once in stages(flags):
            while missing := [key for key in dict.fromkeys(stage(results)) if key not in results]:
                found = measured(flags, missing, at_once)
                for key, result in tqdm(found, name, len(missing), disable=None):
                    results[key] = result
                    kept.write(json.dumps([key, result]) + "\n")
                    kept.flush()
    table = "\n".join(as_table(flags, results))
    (flags.out / "table.md").write_text(table + "\n", "utf-8")
    print(table)
    draw(flags, results)


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("text", help="to learn")
    add("--out", type=Path, required=True, metavar="FOLDER", help="for the results")
    add("--cells", nargs="+", choices=CELLS, default=list(CELLS), metavar="CELL", help="(default: all)")
    add("--hidden-size", type=int, default=256, metavar="N", help="of the LSTM (default: 256)")
    add("--num-layers", type=int, default=2, metavar="N", help="(default: 2)")
    add("--steps", type=int, default=1000, metavar="N", help="to learn in (default: 1000)")
    add("--minutes", type=float, default=1.0, metavar="N", help="to learn in (default: 1)")
    add("--rates", type=float, nargs="+", default=list(RATES), metavar="X", help="to begin with (default: 0.005 0.01)")
    add("--seeds", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    jobs = torch.get_num_threads()
    add("--jobs", type=int, default=jobs, metavar="N", help=f"runs at once, where none is timed (default: {jobs})")
    add("--recall-steps", type=int, default=3000, metavar="N", help="to learn recalling in (default: 3000)")
    return parser.parse_args()


def stages(flags: argparse.Namespace) -> Iterator[tuple[str, Callable[[Results], Iterable[Key]], int]]:
    """One after the other: its name, what is to be measured as far as is known so far, and how much of it at once.

    What is timed wants the machine for itself.
    """

    def rates(kind: str, begin: Iterable[float]) -> Callable[[Results], Iterable[Key]]:
        return lambda results: (
            (kind, cell, rate, 1) for cell in flags.cells for rate in rates_of(results, cell, kind, begin)
        )

    def seeds(kind: str, first: int) -> Callable[[Results], Iterable[Key]]:
        return lambda results: (
            (kind, cell, rate_of(results, cell, kind), seed)
            for seed in range(first, flags.seeds + 1)
            for cell in flags.cells
        )

    jobs = max(1, flags.jobs)
    yield "rates", rates("steps", flags.rates), jobs
    yield "seeds", seeds("steps", 2), jobs
    yield "by the clock", seeds("minutes", 1), 1
    yield "rates to recall", rates("recall", RECALL_RATES), jobs
    yield "seeds to recall", seeds("recall", 2), jobs


def rates_of(results: Results, cell: str, kind: str, begin: Iterable[float]) -> list[float]:
    """The rates at which a cell is to learn: those to begin with, and beyond the best until that is worse."""
    losses = tried(results, cell, kind)
    rates = sorted({*begin, *losses})
    if len(losses) == len(rates) and min(losses.values()) > PERFECT:
        best = rate_of(results, cell, kind)
        if best == rates[-1]:
            rates.append(best * 2)
        if best == rates[0]:
            rates.append(best / 2)
    return rates


def rate_of(results: Results, cell: str, kind: str) -> float:
    """The learning rate at which a cell learned best to write, or to recall, with the first seed."""
    losses = tried(results, cell, "recall" if kind == "recall" else "steps")
    return min(losses, key=lambda rate: losses[rate])


def tried(results: Results, cell: str, kind: str) -> dict[float, float]:
    """How badly a cell learned with the first seed, by the rate: bits per character, or the share of wrong answers."""
    of_first = {rate: result for (k, c, rate, seed), result in results.items() if (k, c, seed) == (kind, cell, 1)}
    if kind == "recall":
        return {rate: 1 - statistics.mean(shares.values()) for rate, shares in of_first.items()}
    return {rate: result["bits"] for rate, result in of_first.items()}


def read(file: Path, flags: argparse.Namespace) -> Results:
    """What was measured before. The first line says how, since figures of other lengths or sizes are no comparison."""
    how = {
        name: getattr(flags, name) for name in ("text", "hidden_size", "num_layers", "steps", "minutes", "recall_steps")
    }
    text = file.read_text("utf-8") if file.exists() else ""
    whole = text[: text.rfind("\n") + 1] or json.dumps(how) + "\n"  # without a line that was cut off
    if whole != text:
        file.write_text(whole, "utf-8")
    before, *results = map(json.loads, whole.splitlines())
    if before != how:
        raise SystemExit(f"{file}: measured with other settings, {before}: give these again, or another --out")
    return {tuple(key): result for key, result in results}


def equal_size(flags: argparse.Namespace, cell: str) -> tuple[int, int]:
    """The hidden size that gives a model about as many parameters as the LSTM has, and how many they are."""
    return as_large_as(flags.hidden_size, flags.num_layers, vocab_size(flags.text), cell)


def as_large_as(lstm: int, layers: int, vocab: int, cell: str) -> tuple[int, int]:
    """The same for an LSTM of that size. Large ones go by eights, of which products make the most."""
    wanted = parameters("lstm", lstm, layers, vocab)
    sizes = range(8, 4 * lstm, 8) if lstm >= 256 else range(1, 4 * lstm + 1)
    size = min(sizes, key=lambda n: abs(parameters(cell, n, layers, vocab) - wanted))
    return size, parameters(cell, size, layers, vocab)


@functools.cache
def parameters(cell: str, size: int, layers: int, vocab: int) -> int:
    """How many numbers a model learns. Those that a clockwork network has no use for don't count."""
    with torch.device("meta"):
        model = CharLSTM(ModelConfig(vocab_size=vocab, hidden_size=size, num_layers=layers, cell=cell))
    unused = (part.unused for part in model.modules() if isinstance(part, Cell))
    return sum(p.numel() for p in model.parameters()) - sum(unused)


@functools.cache
def vocab_size(text: str) -> int:
    """How many different characters a text has."""
    with open(text, encoding="utf-8") as lines:
        return len(set().union(*lines))


def measured(flags: argparse.Namespace, keys: list[Key], at_once: int) -> Iterator[tuple[Key, dict[str, float]]]:
    """Each key with its result, as they come. When one fails no more are begun, and it ends with those that run."""
    ending = Event()

    def measure(key: Key) -> dict[str, float] | None:
        if ending.is_set():
            return None
        try:
            return recall(flags, key) if key[0] == "recall" else train(flags, key)
        except BaseException:
            ending.set()
            raise

    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(measure, key): key for key in keys}
        failures = []
        try:
            for done in as_completed(running):
                if failure := done.exception():
                    failures.append(failure)
                elif result := done.result():
                    yield running[done], result
        finally:
            ending.set()
        if failures:
            raise failures[0]


def train(flags: argparse.Namespace, key: Key) -> dict[str, float]:
    """Train as long as the key says. Bits per character of the validation text, and characters a second."""
    length, cell, rate, seed = key
    size, _ = equal_size(flags, cell)
    shape = ["--cell", cell, "--hidden-size", size, "--num-layers", flags.num_layers, "--ensemble-size", 1]
    how = ["--dropout", 0.1, "--recurrent-dropout", 0, "--batch-size", 32, "--seq-len", 64, "--learning-rate", rate]
    with tempfile.TemporaryDirectory() as folder:
        where = ["--checkpoints", folder, "--name", "run", "--seed", seed, f"--{length}", getattr(flags, length)]
        run("train", *map(str, [flags.text, *shape, *how, *where]), env=None if length == "minutes" else ONE_THREAD)
        # With a context that is long enough, stretches are read side by side, which takes a tenth of the time.
        scored = json.loads(run("evaluate", f"{folder}/run", "--json", "--context", "4096", env=ONE_THREAD))
        metrics = map(json.loads, Path(folder, "run", "metrics.jsonl").read_text("utf-8").splitlines())
        speed = statistics.median(line["chars_per_second"] for line in metrics)
    return {"bits": scored["bits_per_char"], "chars_per_second": speed}


def recall(flags: argparse.Namespace, key: Key) -> dict[str, float]:
    """The share of right answers, by the distance."""
    _, cell, rate, seed = key
    size, _ = as_large_as(RECALL_SIZE, flags.num_layers, ASK + 1, cell)
    command = [sys.executable, RECALL, "--cell", cell, "--learning-rate", rate, "--seed", seed]
    command += ["--steps", flags.recall_steps, "--num-layers", flags.num_layers, "--hidden-size", size]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=ONE_THREAD)
    if done.returncode:
        raise SystemExit(done.stderr)
    shares: dict[str, float] = json.loads(done.stdout)
    return shares


def recalled(flags: argparse.Namespace, results: Results, cell: str) -> list[float]:
    """The share of right answers at each distance, over the seeds, at the best rate."""
    rate = rate_of(results, cell, "recall")
    of_seeds = [results["recall", cell, rate, seed] for seed in range(1, flags.seeds + 1)]
    return [statistics.mean(shares[str(distance)] for shares in of_seeds) for distance in DISTANCES]


def figures_of(flags: argparse.Namespace, results: Results, cell: str, figure: str, kind: str) -> list[float]:
    """One figure of a cell at its best rate, of each seed."""
    rate = rate_of(results, cell, "steps")
    return [results[kind, cell, rate, seed][figure] for seed in range(1, flags.seeds + 1)]


def as_table(flags: argparse.Namespace, results: Results) -> Iterator[str]:
    """Lines of Markdown, the best cell first."""
    head = [
        "cell",
        "units",
        "parameters",
        "rate",
        f"bits, {flags.steps:,} steps",
        f"bits, {flags.minutes:g} min",
        "chars/s",
    ]
    head += [f"{distance} back" for distance in DISTANCES]
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for cell in sorted(
        flags.cells, key=lambda cell: statistics.mean(figures_of(flags, results, cell, "bits", "steps"))
    ):
        size, total = equal_size(flags, cell)
        row = [cell, str(size), f"{total:,}", f"{rate_of(results, cell, 'steps'):g}"]
        row += [_spread(figures_of(flags, results, cell, "bits", kind)) for kind in ("steps", "minutes")]
        row.append(f"{statistics.median(figures_of(flags, results, cell, 'chars_per_second', 'minutes')):,.0f}")
        row += [f"{share:.0%}" for share in recalled(flags, results, cell)]
        yield f"| {' | '.join(row)} |"


def _spread(figures: list[float]) -> str:
    """The mean and the deviation."""
    return f"{statistics.mean(figures):.3f}" + (f" ± {statistics.stdev(figures):.3f}" if len(figures) > 1 else "")


def draw(flags: argparse.Namespace, results: Results) -> None:
    """Two pictures: what was learned in equal time, beside the speed; and how far back each cell remembers."""
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        print('no pictures without matplotlib: pip install "charlstm[charts]"', file=sys.stderr)
        return
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for cell in flags.cells:
        speeds, bits = (figures_of(flags, results, cell, name, "minutes") for name in ("chars_per_second", "bits"))
        axes.errorbar(
            statistics.mean(speeds),
            statistics.mean(bits),
            fmt="o",
            capsize=3,
            yerr=statistics.stdev(bits) if len(bits) > 1 else 0,
        )
        axes.annotate(cell, (statistics.mean(speeds), statistics.mean(bits)), (6, 6), textcoords="offset points")
    axes.set(
        xlabel="characters learned in a second",
        ylabel=f"bits per character after {flags.minutes:g} min",
        title="Better is lower, and further to the right",
    )
    axes.margins(x=0.15)  # room for the names
    figure.savefig(flags.out / "cells.png", dpi=120)
    plt.close(figure)
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for cell in flags.cells:
        axes.plot(DISTANCES, recalled(flags, results, cell), marker="o", label=cell)
    axes.axhline(1 / 8, color="grey", linestyle=":", label="by chance")
    axes.set(
        xscale="log",
        xticks=DISTANCES,
        xticklabels=DISTANCES,
        xlabel="characters back",
        ylabel="right answers",
        title="How far back it remembers",
    )
    axes.minorticks_off()  # which a logarithmic axis would also label
    axes.legend()
    figure.savefig(flags.out / "recall.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
