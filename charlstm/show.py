"""`python -m charlstm.show`: what a model is, what it learned from, how long, and how well."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charlstm import cli
from charlstm.errors import InputError
from charlstm.terminal import harmless, one_line, say, write

EXAMPLES = """\
examples:
  python -m charlstm.show checkpoints/novel   one run, or one checkpoint
  python -m charlstm.show                     all runs in checkpoints/, newest first
"""

BLOCKS = "▁▂▃▄▅▆▇█"
"""The signs of a curve, from low to high."""

CURVE_WIDTH = 60
"""The largest number of blocks in a curve."""


LONGEST_FACT = 10_000
"""Characters of a fact: a checkpoint may hold any number."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("charlstm-show", "What a model is, what it learned from, and how well.", EXAMPLES)
    where = "a checkpoint, a run or a folder of runs (default: checkpoints)"
    parser.add_argument("path", nargs="?", type=cli.path, default=Path("checkpoints"), help=where)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    return cli.run(parser, show, arguments)


def show(flags: argparse.Namespace) -> int:
    """Print one run or checkpoint, or a table of all runs in a folder."""
    from charlstm.saved.checkpoint import load
    from charlstm.saved.facts import facts_of, facts_of_model
    from charlstm.saved.folder import resolve, runs_in

    if not flags.path.exists():
        raise InputError(f"{flags.path}: no such folder or checkpoint: train one with python -m charlstm.train")
    runs = runs_in(flags.path)
    facts = []
    for path in runs or [flags.path]:
        try:
            saved = load(resolve(path, prefer="last.pt"))
            facts.append((facts_of if runs or saved.run else facts_of_model)(path, saved))
        except InputError as error:
            if not runs:
                raise
            say(one_line(str(error)))  # go on with the other runs
    as_json = json.dumps(facts if runs else facts[0], ensure_ascii=False, indent=2) + "\n"
    write(as_json if flags.json else _table(facts) if runs else _page(facts[0]))
    return 0


def curve(scores: Sequence[float]) -> str:
    """Scores as a line of blocks. The highest score is a full block, the lowest is the smallest one.

    A line has at most `CURVE_WIDTH` blocks: of more scores, it leaves some out.
    """
    width = min(len(scores), CURVE_WIDTH)
    scores = [scores[i * len(scores) // width] for i in range(width)]
    low, high = min(scores), max(scores)
    return "".join(BLOCKS[round((score - low) / (high - low or 1) * (len(BLOCKS) - 1))] for score in scores)


def _page(facts: dict[str, Any]) -> str:
    """One run, or a model without one, a line for each fact. A fact with an empty value has no line."""
    model = facts["model"]
    members = f"{model['ensemble_size']} times " if model["ensemble_size"] > 1 else ""
    lines = {
        "model": f"{members}{model['num_layers']} x {model['hidden_size']} {model['cell']}, embedding"
        f" {model['embedding_dim']}, {model['vocab_size']:,} characters, {model['parameters']:,} parameters",
        **(_of_run(facts) if "text" in facts else {}),
        **facts["commands"],
    }
    return "".join(f"{name + ':':<12}{_line(value)}\n" for name, value in lines.items() if value)


def _of_run(facts: dict[str, Any]) -> dict[str, Any]:
    """What a run learned from, and how well."""
    text, best, scores = facts["text"], facts["best_val_bits_per_char"], facts["val_bits_per_char"]
    documents = f", {text['documents']} as documents" if text["documents"] != "none" else ""
    return {
        "text": f"{', '.join(text['places'] or ['the standard library of Python'])}: {text['characters']:,} characters"
        f"{documents}",
        "trained": f"{facts['step']:,} of {facts['steps']:,} steps in {facts['seconds'] / 60:.1f} minutes, from"
        f" {facts['began']}",
        "validation": f"best {best:.3f} bits/char" if best is not None else "none yet",
        "curve": f"{curve(scores)}  {scores[0]:.3f} to {scores[-1]:.3f}" if scores else "",
        "began with": facts["init_from"],
        "command": facts["command"],
    }


def _line(value: str) -> str:
    """A fact in one line, to be copied from there, but for what a terminal would obey."""
    return harmless(value[:LONGEST_FACT]).replace("\n", "\\n")


def _table(runs: list[dict[str, Any]]) -> str:
    """All runs, a line for each."""
    table = f"{'best':>6}  {'minutes':>7}  {'steps':>9}  {'parameters':>11}  run\n"
    for facts in runs:
        best, minutes, size = facts["best_val_bits_per_char"], facts["seconds"] / 60, facts["model"]["parameters"]
        score = "-" if best is None else f"{best:.3f}"
        table += f"{score:>6}  {minutes:7.1f}  {facts['step']:9,}  {size:11,}  {_line(facts['path'])}\n"
    return table


if __name__ == "__main__":
    sys.exit(main())
