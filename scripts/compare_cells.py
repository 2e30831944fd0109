"""Compare the cells at about equal numbers of parameters: after equal steps, after equal minutes, and in recall.

    python scripts/compare_cells.py novel.txt --out cells
    python scripts/compare_cells.py novel.txt --steps 2000 --minutes 3 --seeds 5 --out cells

Each cell has its best learning rate. The search for it uses the first seed. If the highest rate is the best, the search
also tries twice that rate; if the lowest is the best, half of it. Untimed runs go side by side, with one thread each.
Each result is saved in the folder at once, so the same command continues where it was stopped. At the end the folder
has `table.md`, and with matplotlib (pip install "charlstm[charts]") also `cells.png` and `recall.png`.
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
from commands import Failure, above_zero, charlstm, failures_reported, positive, run
from recall import ASK, DISTANCES, LEARNED, SYMBOLS, WORD
from tqdm import tqdm

from charlstm.config import CELLS, ModelConfig
from charlstm.files import locked, replacing
from charlstm.model.cell import Cell
from charlstm.model.charlstm import CharLSTM

RATES, RECALL_RATES = (0.005, 0.01), (0.001, 0.003)
"""The search for a cell's learning rate starts with these: for writing, and for the recall task."""

PERFECT = 0.01
"""The search ends when the share of wrong answers is at most this."""

RECALL_SIZE = 64
"""Units of the LSTM in the recall task."""

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
"""The environment of a process that runs beside others."""

Key = tuple[str, str, float, int]
"""One measurement: its kind (`steps`, `minutes` or `recall`), cell, learning rate and seed."""

Results = dict[Key, dict[str, float]]


def main() -> None:
    """Measure what is missing, and report all results."""
    flags = parsed()
    try:
        flags.out.mkdir(parents=True, exist_ok=True)
        settings = settings_of(flags)
        with locked(flags.out / "lock", wait=False):
            report(flags, compared(flags, settings))
    except BlockingIOError:
        raise Failure(f"{flags.out}: another comparison is using this folder") from None
    except UnicodeDecodeError as error:
        raise Failure(f"{flags.text}: {error}") from None
    except OSError as error:
        raise Failure(str(error)) from None


def compared(flags: argparse.Namespace, settings: dict[str, object]) -> Results:
    """Measure the results that are missing in the folder. Returns all results."""
    file = flags.out / "results.jsonl"
    results = read(file, settings)
    with file.open("a", encoding="utf-8") as saved:
        for name, stage, at_once in stages(flags):
            while missing := [key for key in dict.fromkeys(stage(results)) if key not in results]:
                found = measured(flags, missing, at_once)
                for key, result in tqdm(found, name, len(missing), disable=None):
                    results[key] = result
                    saved.write(json.dumps([settings, key, result]) + "\n")
                    saved.flush()
    return results


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add, jobs = parser.add_argument, torch.get_num_threads()
    add("text", help="a text to learn, in UTF-8")
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    add("--cells", nargs="+", choices=CELLS, default=list(CELLS), metavar="CELL", help="(default: all)")
    add("--hidden-size", type=positive, default=256, metavar="N", help="units of the LSTM (default: 256)")
    add("--num-layers", type=positive, default=2, metavar="N", help="(default: 2)")
    add("--steps", type=positive, default=1000, metavar="N", help="steps of a run (default: 1000)")
    add("--minutes", type=above_zero, default=1.0, metavar="N", help="minutes of a timed run (default: 1)")
    add("--rates", type=above_zero, nargs="+", default=RATES, metavar="X", help="to try first (default: 0.005 0.01)")
    add("--seeds", type=positive, default=3, metavar="N", help="runs of each cell (default: 3)")
    add("--jobs", type=positive, default=jobs, metavar="N", help=f"untimed runs at once (default: {jobs})")
    add("--recall-steps", type=positive, default=2000, metavar="N", help="steps of a recall run (default: 2000)")
    add("--recall-seeds", type=positive, default=3, metavar="N", help="recall runs of each cell (default: 3)")
    return parser.parse_args()


def settings_of(flags: argparse.Namespace) -> dict[str, object]:
    """The settings that are saved with each result. Only results with equal settings are compared."""
    names = "hidden_size", "num_layers", "steps", "minutes", "recall_steps"
    text = hashlib.sha256(Path(flags.text).read_bytes()).hexdigest()[:16]
    return {
        "text": text,
        "characters": vocab_size(flags.text),
        **{name: getattr(flags, name) for name in names},
        "recall": [RECALL_SIZE, SYMBOLS, WORD, LEARNED, *DISTANCES],
    }


def read(file: Path, settings: dict[str, object]) -> Results:
    """The saved results that have these settings. Damaged lines are removed, so they are measured again."""
    results, intact = {}, []
    before = file.read_bytes() if file.exists() else b""
    lines = before.decode("utf-8", "replace").splitlines()
    for line in lines:
        try:
            how, (kind, cell, rate, seed), result = json.loads(line)
            key = str(kind), str(cell), float(rate), int(seed)
            figures = {name: float(figure) for name, figure in result.items()}
        except (ValueError, TypeError, AttributeError):
            continue
        intact.append(line + "\n")
        if how == settings:
            results[key] = figures
    if len(intact) < len(lines):
        print(f"{file}: damaged lines, which are measured again: {len(lines) - len(intact)}", file=sys.stderr)
    if (now := "".join(intact).encode()) != before:
        with replacing(file) as repaired:
            repaired.write(now)
    return results


def stages(flags: argparse.Namespace) -> Iterator[tuple[str, Callable[[Results], Iterable[Key]], int]]:
    """The stages in their order: name, a function from the results so far to the keys to measure, and runs at once.

    A timed run has the machine for itself.
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
    yield "equal minutes", seeds("minutes", 1, flags.seeds), 1
    yield "rates, recall", rates("recall", RECALL_RATES), flags.jobs
    yield "seeds, recall", seeds("recall", 2, flags.recall_seeds), flags.jobs


def rates_of(results: Results, cell: str, kind: str, begin: Iterable[float]) -> list[float]:
    """The learning rates to try with a cell. If the best is the highest or the lowest, one more lies beyond it."""
    losses = tried(results, cell, kind)
    rates = sorted({*begin, *losses})
    if len(losses) < len(rates) or not PERFECT < (least := min(losses.values())) < math.inf:
        return rates
    best = [rate for rate in rates if losses[rate] == least]
    above = [2 * rates[-1]] if best == rates[-1:] else []
    below = [rates[0] / 2] if best == rates[:1] else []
    return rates + above + below


def rate_of(results: Results, cell: str, kind: str) -> float:
    """The best learning rate of a cell with the first seed, for writing or for the recall task."""
    losses = tried(results, cell, "recall" if kind == "recall" else "steps")
    return min(sorted(losses), key=lambda rate: losses[rate])


def tried(results: Results, cell: str, kind: str) -> dict[float, float]:
    """For each rate tried with the first seed, the cell's bits per character, or its share of wrong answers."""
    first_seed = {rate: result for (k, c, rate, seed), result in results.items() if (k, c, seed) == (kind, cell, 1)}
    if kind == "recall":
        return {rate: 1 - statistics.mean(shares.values()) for rate, shares in first_seed.items()}
    return {rate: result["bits"] for rate, result in first_seed.items()}


def equal_size(lstm: int, layers: int, vocab: int, cell: str) -> tuple[int, int]:
    """The hidden size that gives a cell about as many parameters as an LSTM of `lstm` units, and their number.

    Large sizes are multiples of eight, because their products are fastest.
    """
    wanted = parameters("lstm", lstm, layers, vocab)
    sizes = range(8, 4 * lstm, 8) if lstm >= 256 else range(1, 4 * lstm + 1)
    above = bisect.bisect(sizes, wanted, key=lambda n: parameters(cell, n, layers, vocab))
    totals = {size: parameters(cell, size, layers, vocab) for size in sizes[max(0, above - 1) : above + 1]}
    return min(totals.items(), key=lambda total: abs(total[1] - wanted))


@functools.cache
def parameters(cell: str, size: int, layers: int, vocab: int) -> int:
    """The number of parameters of a model. Weights that a clockwork network never uses don't count."""
    with torch.device("meta"):
        model = CharLSTM(ModelConfig(vocab_size=vocab, hidden_size=size, num_layers=layers, cell=cell))
    unused = (part.unused for part in model.modules() if isinstance(part, Cell))
    return sum(p.numel() for p in model.parameters()) - sum(unused)


@functools.cache
def vocab_size(text: str) -> int:
    """The number of different characters in a text."""
    with open(text, encoding="utf-8") as lines:
        return len(set().union(*lines))


def measured(flags: argparse.Namespace, keys: list[Key], at_once: int) -> Iterator[tuple[Key, dict[str, float]]]:
    """Each key with its result, as runs finish. After a failure no new run starts, but the running ones finish."""
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
    """Train one run. Returns its bits per character of the validation text, and its characters per second."""
    length, cell, rate, seed = key
    size, _ = equal_size(flags.hidden_size, flags.num_layers, vocab_size(flags.text), cell)
    shape = ["--cell", cell, "--hidden-size", size, "--num-layers", flags.num_layers, "--ensemble-size", 1]
    how = ["--dropout", 0.1, "--recurrent-dropout", 0, "--batch-size", 32, "--seq-len", 64, "--learning-rate", rate]
    with tempfile.TemporaryDirectory() as folder:
        where = ["--checkpoints", folder, "--name", "run", "--seed", seed, f"--{length}", getattr(flags, length)]
        try:
            charlstm("train", flags.text, *shape, *how, *where, environment=None if length == "minutes" else ONE_THREAD)
            # With --context, pieces of the text are scored side by side, in a tenth of the time. 4096 is long enough.
            scored = charlstm("evaluate", f"{folder}/run", "--json", "--context", 4096, environment=ONE_THREAD)
        except Failure as failure:
            if "finite" not in str(failure):
                raise
            return {"bits": math.inf, "chars_per_second": 0.0}  # the rate was so high that the training diverged
        metrics = map(json.loads, Path(folder, "run", "metrics.jsonl").read_text("utf-8").splitlines())
        speed = statistics.median(line["chars_per_second"] for line in metrics)
    return {"bits": json.loads(scored)["bits_per_char"], "chars_per_second": speed}


def recall(flags: argparse.Namespace, key: Key) -> dict[str, float]:
    """Run the recall task. Returns the share of right answers at each distance."""
    _, cell, rate, seed = key
    size, _ = equal_size(RECALL_SIZE, flags.num_layers, ASK + 1, cell)
    shape = ["--cell", cell, "--num-layers", flags.num_layers, "--hidden-size", size]
    how = ["--learning-rate", rate, "--seed", seed, "--steps", flags.recall_steps]
    shares: dict[str, float] = json.loads(
        run(Path(__file__).with_name("recall.py"), *shape, *how, environment=ONE_THREAD)
    )
    return shares


def report(flags: argparse.Namespace, results: Results) -> None:
    """Print the tables, save them in the folder, and draw the pictures."""
    seeds, recall_seeds = range(1, flags.seeds + 1), range(1, flags.recall_seeds + 1)
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
        shares = ({n: results["recall", cell, rate, seed][str(n)] for n in DISTANCES} for seed in recall_seeds)
        recalled.append(Recalled(model, list(shares)))
    learned.sort(key=lambda each: statistics.mean(each.steps))
    table = "\n".join(tables(learned, recalled, flags.steps, flags.minutes))
    (flags.out / "table.md").write_text(table + "\n", "utf-8")
    print(table)
    try:
        draw_learned(learned, flags.steps, flags.minutes, flags.out / "cells.png")
        draw_recalled(recalled, flags.out / "recall.png")
    except ImportError:
        print('no pictures, because matplotlib is missing: pip install "charlstm[charts]"', file=sys.stderr)


if __name__ == "__main__":
    with failures_reported():
        main()
