"""Runs the contestants of a benchmark in turns, each in its own process, because the speed of a machine drifts."""

from __future__ import annotations

import argparse
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

WITHOUT = ", without numba"
"""A contestant does without compiled loops (the extra `fast`) if its name ends with this."""


class LeftOut(Exception):
    """A contestant can't run on this machine. The message says why."""


def pythons_of(contestants: Iterable[str], keras: str | None) -> dict[str, str]:
    """The Python for each contestant that takes part.

    Keras needs a Python that has it. If numba isn't installed, everybody does without it: then nobody does so twice.
    """
    if keras is None and importlib.util.find_spec("keras") and importlib.util.find_spec("tensorflow"):
        keras = sys.executable
    if not importlib.util.find_spec("numba"):
        print("numba isn't installed: charlstm runs without compiled loops", file=sys.stderr)
        contestants = [name for name in contestants if not name.endswith(WITHOUT)]
    runs = ((name, keras if KERAS in name else sys.executable) for name in contestants)
    return {name: python for name, python in runs if python}


def take_turns(file: str, arguments: Sequence[str], pythons: Mapping[str, str], rounds: int) -> dict[str, float]:
    """The median figure of each contestant that can run here.

    Args:
        file: the script. With `--only NAME` it tells the figure of one contestant, by `tell`.
        arguments: the other flags of the script.
        pythons: the Python for each contestant.
    """
    figures: dict[str, list[float]] = {name: [] for name in pythons}
    for round_ in range(rounds):
        for name in list(figures):
            print(f"\rround {round_ + 1} of {rounds}: {name:<40}", end="", file=sys.stderr, flush=True)
            try:
                figures[name].append(in_own_process(pythons[name], file, [*arguments, "--only", name]))
            except LeftOut as why:
                print(f"\n{name} is left out: {why}", file=sys.stderr)
                del figures[name]
    print(file=sys.stderr)
    return {name: statistics.median(each) for name, each in figures.items()}


def in_own_process(python: str, file: str, arguments: Sequence[str]) -> float:
    """The figure of the contestant that the last argument names.

    Raises:
        LeftOut: when it can't run on this machine.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([python, file, *arguments], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    if isinstance(told, str):
        raise LeftOut(told)
    return float(told)


def tell(contest: Callable[[], float], name: str) -> None:
    """Print the figure of a contestant as JSON, or a string that says why there is none."""
    if name.endswith(WITHOUT):
        os.environ["CHARLSTM_FAST"] = "0"  # before anything asks for it
    try:
        print(json.dumps(contest()))
    except LeftOut as why:
        print(json.dumps(str(why)))


def at_least_one(text: str) -> int:
    """The value of a flag that counts something."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def seconds_each(step: Callable[[], object], steps: int, first: int = 3) -> float:
    """The median time of a step. The first steps warm up and don't count."""
    times = []
    for _ in range(first + steps):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return statistics.median(times[first:])
