"""Tables and pictures of what `compare_cells.py` measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from recall import LEARNED, SYMBOLS


@dataclass(frozen=True)
class Model:
    """A trained model: its cell, the number of units and of parameters, and the learning rate."""

    cell: str
    units: int
    parameters: int
    rate: float

    def __str__(self) -> str:
        return f"{self.cell} | {self.units} | {self.parameters:,} | {self.rate:g}"


@dataclass(frozen=True)
class Learned:
    """Bits per character of each seed, after equal steps and after equal time; and characters per second."""

    model: Model
    steps: Sequence[float]
    minutes: Sequence[float]
    speed: float


@dataclass(frozen=True)
class Recalled:
    """For each seed, the share of right answers at each distance."""

    model: Model
    shares: Sequence[dict[int, float]]

    def at(self, distance: int) -> list[float]:
        """The share of each seed at one distance."""
        return [shares[distance] for shares in self.shares]


def tables(learned: Sequence[Learned], recalled: Sequence[Recalled], steps: int, minutes: float) -> Iterator[str]:
    """Lines of two Markdown tables: what each cell learned (the best first), and how far back it remembers."""
    after = f"bits, {steps:,} steps | bits, {minutes:g} min"
    yield f"| cell | units | parameters | rate | {after} | chars/s |"
    yield "|---" * 7 + "|"
    for each in learned:
        yield f"| {each.model} | {_spread(each.steps)} | {_spread(each.minutes)} | {each.speed:,.0f} |"
    yield ""
    distances = list(recalled[0].shares[0])
    yield f"| cell | units | parameters | rate | {' | '.join(map(str, distances))} |"
    yield "|---" * (4 + len(distances)) + "|"
    for cell in recalled:
        yield f"| {cell.model} | {' | '.join(_shares(cell.at(distance)) for distance in distances)} |"


def _spread(figures: Sequence[float]) -> str:
    """The mean and the standard deviation."""
    return f"{statistics.mean(figures):.3f}" + (f" ± {statistics.stdev(figures):.3f}" if len(figures) > 1 else "")


def _shares(shares: Sequence[float]) -> str:
    """The mean; also the lowest and the highest share, if they differ."""
    mean, low, high = (f"{100 * share:.0f}" for share in (statistics.mean(shares), min(shares), max(shares)))
    return f"{mean} %" if low == high else f"{mean} % ({low}–{high})"


def draw_learned(learned: Sequence[Learned], steps: int, minutes: float, path: Path) -> None:
    """Draw what each cell learned after equal steps and in equal time, one dot per seed; and how fast it is."""
    from matplotlib import pyplot as plt

    figure, (bits, speeds) = plt.subplots(
        1, 2, figsize=(9, 4), sharey=True, width_ratios=[3, 2], layout="constrained", facecolor="white"
    )
    names = [each.model.cell for each in learned]
    for row, each in enumerate(learned):
        for figures, style, label in (
            (each.steps, {"color": "C0"}, f"after {steps:,} steps"),
            (each.minutes, {"facecolors": "none", "edgecolors": "C1"}, f"after {minutes:g} min"),
        ):
            bits.scatter(figures, [row] * len(figures), **style, label=label if row == 0 else None)
    bits.set(xlabel="bits per character: less is better", yticks=range(len(names)), yticklabels=names)
    bits.invert_yaxis()  # the best at the top
    bits.grid(axis="x", alpha=0.3)
    bits.legend()
    speeds.barh(names, [each.speed for each in learned], color="C2")
    speeds.set(xlabel="characters learned in a second")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_recalled(recalled: Sequence[Recalled], path: Path) -> None:
    """Draw how far back each cell recalls, one panel per cell. The band goes from the worst seed to the best."""
    from matplotlib import pyplot as plt

    columns = math.ceil(len(recalled) / 2)
    figure, panels = plt.subplots(
        2, columns, figsize=(9, 5), sharex=True, sharey=True, squeeze=False, layout="constrained", facecolor="white"
    )
    distances = list(recalled[0].shares[0])
    ticks = distances[1::2]
    for axes, cell in zip_longest(panels.flat, recalled):
        if cell is None:
            axes.axis("off")
            continue
        shares = [cell.at(distance) for distance in distances]
        axes.plot(distances, list(map(statistics.mean, shares)), color="C0")
        axes.fill_between(distances, list(map(min, shares)), list(map(max, shares)), color="C0", alpha=0.3)
        axes.axhline(1 / SYMBOLS, color="grey", linestyle=":")
        axes.axvline(LEARNED, color="grey", linestyle="--", linewidth=0.8)
        axes.set(title=cell.model.cell, xscale="log", xticks=ticks, xticklabels=ticks, ylim=(0, 1.05))
        axes.minorticks_off()  # a logarithmic axis would label these, too
        axes.grid(alpha=0.3)
    figure.supxlabel("characters since the word (dashed: as far as was learned)")
    figure.supylabel("share of its characters that are right (dotted: by chance)")
    figure.savefig(path, dpi=120)
    plt.close(figure)
