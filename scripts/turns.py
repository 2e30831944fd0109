"""Runs the contestants of a benchmark in turns, each in its own process, because the speed of a machine drifts."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

KERAS = "Keras"
"""A contestant needs Keras if its name contains this."""


def pythons_of(contestants: Iterable[str], keras: str | None) -> dict[str, str]:
    """The Python for each contestant. Keras needs a Python that has it; without one, Keras doesn't take part."""
    if keras is None and importlib.util.find_spec("keras") and importlib.util.find_spec("tensorflow"):
        keras = sys.executable
    runs = ((name, keras if KERAS in name else sys.executable) for name in contestants)
    return {name: python for name, python in runs if python}


def take_turns(file: str, arguments: Sequence[str], pythons: Mapping[str, str], rounds: int) -> dict[str, float]:
    """The median figure of each contestant.

    Args:
        file: the script. With `--only NAME` it prints the figure of one contestant as JSON.
        arguments: the other flags of the script.
        pythons: the Python for each contestant.
    """
    figures: dict[str, list[float]] = {name: [] for name in pythons}
    for round_ in range(rounds):
        for name, python in pythons.items():
            print(f"\rround {round_ + 1} of {rounds}: {name:<40}", end="", file=sys.stderr, flush=True)
            figures[name].append(in_own_process(python, file, [*arguments, "--only", name]))
    print(file=sys.stderr)
    return {name: statistics.median(each) for name, each in figures.items()}


def in_own_process(python: str, file: str, arguments: Sequence[str]) -> float:
    """The figure of one contestant."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([python, file, *arguments], env=quiet, stdout=subprocess.PIPE, check=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def seconds_each(step: Callable[[], object], steps: int, first: int = 3) -> float:
    """The median time of a step. The first steps warm up and don't count."""
    times = []
    for _ in range(first + steps):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[first:])
