"""`python -m charlstm.show`: what a model is, what it learned from, for how long, and how well."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlstm import cli

if TYPE_CHECKING:
    from charlstm.checkpoint import Checkpoint

EXAMPLES = """\
examples:
  python -m charlstm.show checkpoints/novel   one run, or one checkpoint
  python -m charlstm.show                     all runs in checkpoints/, newest first
"""

# From low to high; the lowest is visible too.
BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 60


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("charlstm-show", "What a model is, what it learned from, and how well.", EXAMPLES)
    parser.add_argument(
        "path", nargs="?", type=cli.path, default=Path("checkpoints"), help="a checkpoint, a run or a folder of runs"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    return cli.run(parser, show, arguments)


def show(flags: argparse.Namespace) -> int:
    """Print what the flags ask for."""
    from charlstm import checkpoint

    runs = checkpoint.runs_in(flags.path)
    if not runs and not flags.path.exists():
        checkpoint.newest_run(flags.path)  # which says that there is none
    paths = runs or [flags.path]
    facts = [describe(path, checkpoint.load(checkpoint.resolve(path, prefer="last.pt"))) for path in paths]
    if flags.json:
        cli.write(json.dumps(facts if runs else facts[0], ensure_ascii=False, indent=2) + "\n")
    else:
        cli.write(_table(facts) if runs else _page(facts[0]))
    return 0


def describe(path: Path, saved: Checkpoint) -> dict[str, Any]:
    """What there is to say of a checkpoint, or of a run's last one, in plain values."""
    from charlstm.runs import recorded

    record, _ = recorded(saved)
    shapes = {name: tuple(weight.shape) for name, weight in saved.weights.items()}
    if saved.model_config.tie_weights:
        shapes.pop("embedding.weight")  # the same matrix as the head's
    return {
        "path": str(path),
        "model": {**dataclasses.asdict(saved.model_config), "parameters": sum(map(math.prod, shapes.values()))},
        "text": {"places": record.text.places, "characters": record.text.length},
        "began": record.began,
        "command": record.command,
        "init_from": record.init_from,
        "step": saved.progress["step"],
        "steps": saved.run["plan"]["steps"],
        "seconds": saved.progress["seconds"],
        "best_val_bits_per_char": saved.progress["best"],
        "val_bits_per_char": _scores((path if path.is_dir() else path.parent) / "metrics.jsonl"),
    }


def curve(scores: Sequence[float]) -> str:
    """Scores as a line of blocks: the highest is full, the lowest nearly empty. Long ones are thinned out."""
    thinned = (
        [scores[i * len(scores) // CURVE_WIDTH] for i in range(CURVE_WIDTH)] if len(scores) > CURVE_WIDTH else scores
    )
    low, high = min(thinned), max(thinned)
    steps = [(score - low) / (high - low or 1) * (len(BLOCKS) - 1) for score in thinned]
    return "".join(BLOCKS[round(step)] for step in steps)


def _scores(metrics: Path) -> list[float]:
    """The validations of a run, oldest first; none when it left no metrics."""
    if not metrics.exists():
        return []
    scores = (json.loads(line)["val_bits_per_char"] for line in metrics.read_text("utf-8").splitlines())
    return [score for score in scores if score is not None]


def _page(facts: dict[str, Any]) -> str:
    model, text, place = facts["model"], facts["text"], shlex.quote(facts["path"])
    scores = facts["val_bits_per_char"]
    rows = {
        "model": f"{model['num_layers']} x {model['hidden_size']} LSTM, embedding {model['embedding_dim']},"
        f" {model['vocab_size']:,} characters, {model['parameters']:,} parameters",
        "text": f"{', '.join(text['places'] or ['the standard library of Python'])}: {text['characters']:,} characters",
        "trained": f"{facts['step']:,} of {facts['steps']:,} steps in {facts['seconds'] / 60:.1f} minutes, from"
        f" {facts['began']}",
        "validation": f"best {facts['best_val_bits_per_char']:.3f} bits/char" if scores else "none",
        "curve": f"{curve(scores)}  {scores[0]:.3f} to {scores[-1]:.3f}" if scores else "",
        "began with": facts["init_from"],
        "command": facts["command"],
        "sample": f"python -m charlstm.sample {place}",
        "resume": f"python -m charlstm.train --resume {place}",
    }
    return "".join(f"{name + ':':<12}{value}\n" for name, value in rows.items() if value)


def _table(runs: list[dict[str, Any]]) -> str:
    lines = [f"{'best':>6}  {'minutes':>7}  {'steps':>9}  {'parameters':>11}  run"]
    for facts in runs:
        best, minutes = facts["best_val_bits_per_char"], facts["seconds"] / 60
        shown = f"{best:6.3f}" if best is not None else f"{'-':>6}"
        size = facts["model"]["parameters"]
        lines.append(f"{shown}  {minutes:7.1f}  {facts['step']:9,}  {size:11,}  {facts['path']}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
