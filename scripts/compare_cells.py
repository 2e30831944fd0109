"""Which recurrent cell is best: with as many parameters each, after equal steps and equal minutes; and its memory.

    python scripts/compare_cells.py novel.txt --out cells
    python scripts/compare_cells.py novel.txt --steps 2000 --minutes 3 --seeds 5 --out cells

Each cell has the learning rate that suits it, sought with the first seed: where the highest or the lowest of those
tried is best, twice or half of it is tried, too. What isn't timed is trained with a thread each, side by side. Every
result is kept in the folder as soon as it is there, and the same command goes on where it was stopped. At the end the
folder has `table.md` and, with matplotlib (pip install "charlstm[charts]"), `cells.png` and `recall.png`.
"""

from __future__ import annotations

import argparse
import bisect
import functools
import hashlib
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

import torch
from cells_report import Learned, Model, Recalled, draw_learned, draw_recalled, tables
from commands import Failure, above_zero, charlstm, failures_told, positive, run
from recall import ASK, DISTANCES, LEARNED, SYMBOLS, WORD
from tqdm import tqdm

from charlstm.config import CELLS, ModelConfig
from charlstm.files import locked, replacing
from charlstm.model.cell import Cell
from charlstm.model.charlstm import CharLSTM

RATES, RECALL_RATES = (0.005, 0.01), (0.001, 0.003)
"""With which the search for a cell's learning rate begins, for writing and for recalling."""

PERFECT = 0.01
"""So small a share of wrong answers ends the search."""

RECALL_SIZE = 64
"""Units of the LSTM that recalls."""

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
"""The environment of what runs beside others."""

Key = tuple[str, str, float, int]
"""What was measured (`steps`, `minutes` or `recall`), of which cell, at which rate, with which seed."""

Results = dict[Key, dict[str, float]]


def main() -> None:
    """Measure what isn't measured yet, and show all of it."""
    flags = parsed()
    try:
        flags.out.mkdir(parents=True, exist_ok=True)
        settings = settings_of(flags)
        with locked(flags.out / "lock", wait=False):
            report(flags, compared(flags, settings))
    except BlockingIOError:
        raise Failure(f"{flags.out}: another comparison is being made there") from None
    except UnicodeDecodeError as error:
        raise Failure(f"{flags.text}: {error}") from None
    except OSError as error:
        raise Failure(str(error)) from None


def compared(flags: argparse.Namespace, settings: dict[str, object]) -> Results:
    """All results: those that are kept, and those that are not there yet."""
    file = flags.out / "results.jsonl"
    results = read(file, settings)
    with file.open("a", encoding="utf-8") as kept:
        for name, stage, at_once in stages(flags):
            while missing := [key for key in dict.fromkeys(stage(results)) if key not in results]:
                found = measured(flags, missing, at_once)
                for key, result in tqdm(found, name, len(missing), disable=None):
                    results[key] = result
                    kept.write(json.dumps([settings, key, result]) + "\n")
                    kept.flush()
    return results


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add, jobs = parser.add_argument, torch.get_num_threads()
    add("text", help="to learn, in UTF-8")
    add("--out", type=Path, required=True, metavar="FOLDER", help="for the results")
    add("--cells", nargs="+", choices=CELLS, default=list(CELLS), metavar="CELL", help="(default: all)")
    add("--hidden-size", type=positive, default=256, metavar="N", help="of the LSTM (default: 256)")
    add("--num-layers", type=positive, default=2, metavar="N", help="(default: 2)")
    add("--steps", type=positive, default=1000, metavar="N", help="to learn in (default: 1000)")
    add("--minutes", type=above_zero, default=1.0, metavar="N", help="to learn in (default: 1)")
    add("--rates", type=above_zero, nargs="+", default=RATES, metavar="X", help="to begin with (default: 0.005 0.01)")
    add("--seeds", type=positive, default=3, metavar="N", help="runs of each (default: 3)")
    add("--jobs", type=positive, default=jobs, metavar="N", help=f"at once, where none is timed (default: {jobs})")
    add("--recall-steps", type=positive, default=2000, metavar="N", help="to learn recalling in (default: 2000)")
    add("--recall-seeds", type=positive, default=3, metavar="N", help="runs of each (default: 3)")
    return parser.parse_args()


def settings_of(flags: argparse.Namespace) -> dict[str, object]:
    """What results are of: those of other texts, lengths or sizes are no comparison."""
    names = "hidden_size", "num_layers", "steps", "minutes", "recall_steps"
    text = hashlib.sha256(Path(flags.text).read_bytes()).hexdigest()[:16]
    return {
        "text": text,
        "characters": vocab_size(flags.text),
        **{name: getattr(flags, name) for name in names},
        "recall": [RECALL_SIZE, SYMBOLS, WORD, LEARNED, *DISTANCES],
    }


def read(file: Path, settings: dict[str, object]) -> Results:
    """What was measured before with these settings. Damaged lines are left out, and measured again."""
    results, whole = {}, []
    before = file.read_bytes() if file.exists() else b""
    lines = before.decode("utf-8", "replace").splitlines()
    for line in lines:
        try:
            how, (kind, cell, rate, seed), result = json.loads(line)
            key = str(kind), str(cell), float(rate), int(seed)
            figures = {name: float(figure) for name, figure in result.items()}
        except (ValueError, TypeError, AttributeError):
            continue
        whole.append(line + "\n")
        if how == settings:
            results[key] = figures
    if len(whole) < len(lines):
        print(f"{file}: {len(lines) - len(whole)} damaged, measured again", file=sys.stderr)
    if (now := "".join(whole).encode()) != before:
        with replacing(file) as mended:
            mended.write(now)
    return results


def stages(flags: argparse.Namespace) -> Iterator[tuple[str, Callable[[Results], Iterable[Key]], int]]:
    """One after the other: its name, what is to be measured as far as is known so far, and how much of it at once.

    What is timed wants the machine for itself.
    """

    def rates(kind: str, begin: Iterable[float]) -> Callable[[Results], Iterable[Key]]:
        return lambda results: (
            (kind, cell, rate, 1) for cell in flags.cells for rate in rates_of(results, cell, kind, begin)
        )

    def seeds(kind: str, first: int, last: int) -> Callable[[Results], Iterable[Key]]:
        return lambda results: (
            (kind, cell, rate_of(results, cell, kind), seed) for seed in range(first, last + 1) for cell in flags.cells
        )

    yield "rates", rates("steps", flags.rates), flags.jobs
    yield "seeds", seeds("steps", 2, flags.seeds), flags.jobs
    yield "by the clock", seeds("minutes", 1, flags.seeds), 1
    yield "rates to recall", rates("recall", RECALL_RATES), flags.jobs
    yield "seeds to recall", seeds("recall", 2, flags.recall_seeds), flags.jobs


def rates_of(results: Results, cell: str, kind: str, begin: Iterable[float]) -> list[float]:
    """The rates at which a cell is to learn: those to begin with, and beyond the best until that is no better."""
    losses = tried(results, cell, kind)
    rates = sorted({*begin, *losses})
    if len(losses) < len(rates) or not PERFECT < (least := min(losses.values())) < math.inf:
        return rates
    best = [rate for rate in rates if losses[rate] == least]
    above = [2 * rates[-1]] if best == rates[-1:] else []
    below = [rates[0] / 2] if best == rates[:1] else []
    return rates + above + below


def rate_of(results: Results, cell: str, kind: str) -> float:
    """The learning rate at which a cell learned best to write, or to recall, with the first seed."""
    losses = tried(results, cell, "recall" if kind == "recall" else "steps")
    return min(sorted(losses), key=lambda rate: losses[rate])


def tried(results: Results, cell: str, kind: str) -> dict[float, float]:
    """How badly a cell learned with the first seed, by the rate: bits per character, or the share of wrong answers."""
    of_first = {rate: result for (k, c, rate, seed), result in results.items() if (k, c, seed) == (kind, cell, 1)}
    if kind == "recall":
        return {rate: 1 - statistics.mean(shares.values()) for rate, shares in of_first.items()}
    return {rate: result["bits"] for rate, result in of_first.items()}


def equal_size(lstm: int, layers: int, vocab: int, cell: str) -> tuple[int, int]:
    """The hidden size for about the same number of parameters as the LSTM of that size, and that number.

    Large sizes are multiples of eight, which products compute fastest.
    """
    wanted = parameters("lstm", lstm, layers, vocab)
    sizes = range(8, 4 * lstm, 8) if lstm >= 256 else range(1, 4 * lstm + 1)
    above = bisect.bisect(sizes, wanted, key=lambda n: parameters(cell, n, layers, vocab))
    totals = {size: parameters(cell, size, layers, vocab) for size in sizes[max(0, above - 1) : above + 1]}
    return min(totals.items(), key=lambda total: abs(total[1] - wanted))


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
    size, _ = equal_size(flags.hidden_size, flags.num_layers, vocab_size(flags.text), cell)
    shape = ["--cell", cell, "--hidden-size", size, "--num-layers", flags.num_layers, "--ensemble-size", 1]
    how = ["--dropout", 0.1, "--recurrent-dropout", 0, "--batch-size", 32, "--seq-len", 64, "--learning-rate", rate]
    with tempfile.TemporaryDirectory() as folder:
        where = ["--checkpoints", folder, "--name", "run", "--seed", seed, f"--{length}", getattr(flags, length)]
        try:
            charlstm("train", flags.text, *shape, *how, *where, environment=None if length == "minutes" else ONE_THREAD)
            # With a context that is long enough, stretches are read side by side, which takes a tenth of the time.
            scored = charlstm("evaluate", f"{folder}/run", "--json", "--context", 4096, environment=ONE_THREAD)
        except Failure as failure:
            if "finite" not in str(failure):
                raise
            return {"bits": math.inf, "chars_per_second": 0.0}  # so high a rate that it diverged
        metrics = map(json.loads, Path(folder, "run", "metrics.jsonl").read_text("utf-8").splitlines())
        speed = statistics.median(line["chars_per_second"] for line in metrics)
    return {"bits": json.loads(scored)["bits_per_char"], "chars_per_second": speed}


def recall(flags: argparse.Namespace, key: Key) -> dict[str, float]:
    """The share of right answers, by the distance."""
    _, cell, rate, seed = key
    size, _ = equal_size(RECALL_SIZE, flags.num_layers, ASK + 1, cell)
    shape = ["--cell", cell, "--num-layers", flags.num_layers, "--hidden-size", size]
    how = ["--learning-rate", rate, "--seed", seed, "--steps", flags.recall_steps]
    shares: dict[str, float] = json.loads(
        run(Path(__file__).with_name("recall.py"), *shape, *how, environment=ONE_THREAD)
    )
    return shares


def report(flags: argparse.Namespace, results: Results) -> None:
    """Print the tables, keep them in the folder, and draw the pictures."""
    seeds, of_recall = range(1, flags.seeds + 1), range(1, flags.recall_seeds + 1)
    vocab = vocab_size(flags.text)
    learned, recalled = [], []
    for cell in dict.fromkeys(flags.cells):
        rate = rate_of(results, cell, "steps")
        steps, minutes = ([results[kind, cell, rate, seed] for seed in seeds] for kind in ("steps", "minutes"))
        model = Model(cell, *equal_size(flags.hidden_size, flags.num_layers, vocab, cell), rate)
        bits = ([result["bits"] for result in each] for each in (steps, minutes))
        learned.append(Learned(model, *bits, statistics.median(result["chars_per_second"] for result in minutes)))

        rate = rate_of(results, cell, "recall")
        model = Model(cell, *equal_size(RECALL_SIZE, flags.num_layers, ASK + 1, cell), rate)
        shares = ({n: results["recall", cell, rate, seed][str(n)] for n in DISTANCES} for seed in of_recall)
        recalled.append(Recalled(model, list(shares)))
    learned.sort(key=lambda each: statistics.mean(each.steps))
    table = "\n".join(tables(learned, recalled, flags.steps, flags.minutes))
    (flags.out / "table.md").write_text(table + "\n", "utf-8")
    print(table)
    try:
        draw_learned(learned, flags.steps, flags.minutes, flags.out / "cells.png")
        draw_recalled(recalled, flags.out / "recall.png")
    except ImportError:
        print('no pictures without matplotlib: pip install "charlstm[charts]"', file=sys.stderr)


if __name__ == "__main__":
    with failures_told():
        main()
