"""What there is to tell of a run, as plain values: for `charlstm.show`, and for a page."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from charlstm.config import TrainConfig
from charlstm.model.summary import layers_of
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import read_metrics

LONGEST = 1000
"""Characters of a text in a report that are told: a sample has 160, and another program may write anything."""


def facts_of_model(path: Path, saved: Checkpoint) -> dict[str, Any]:
    """The facts about a checkpoint that are true without a run, too: of a model that came from elsewhere."""
    model = saved.model_config
    return {
        "path": str(path),
        "name": path.resolve().name,
        "model": {**asdict(model), "parameters": model.ensemble_size * sum(e.parameters for e in layers_of(model))},
        "vocab": saved.vocab.characters,
        "commands": {"sample": commands(path)["sample"]},
    }


def facts_of(path: Path, saved: Checkpoint) -> dict[str, Any]:
    """The facts about a checkpoint, or about the last one of a run.

    Args:
        path: the checkpoint's file, or the run's folder.

    Returns:
        what JSON has: numbers that aren't finite are None. Of `reports` each is as `report_of` makes it.

    Raises:
        InputError: for a model without a run.
    """
    record, progress = saved.trained()
    config, text, lanes = record.train_config, record.text, _lanes(saved, record.train_config)
    found = read_metrics((path if path.is_dir() else path.parent) / "metrics.jsonl", progress.step)
    return {
        **facts_of_model(path, saved),
        "layers": [
            {"name": each.name, "shape": [lanes, config.seq_len, each.width], "parameters": each.parameters}
            for each in layers_of(saved.model_config)
        ],
        "text": {"places": text.places, "characters": text.length, **asdict(text.config)},
        "train": asdict(config),
        "plan": asdict(record.plan),
        "began": record.began,
        "command": record.command,
        "commands": commands(path),
        "init_from": record.init_from,
        "chosen": record.chosen,
        "reasons": reasons(record.chosen),
        "processor": record.processor,
        "machine": record.machine,
        "versions": record.versions,
        "step": progress.step,
        "steps": record.plan.steps,
        "seconds": progress.seconds,
        "best_val_bits_per_char": progress.best,
        "val_bits_per_char": [r["val_bits_per_char"] for r in found if r["val_bits_per_char"] is not None],
        "reports": [report_of(report) for report in found],
    }


def commands(path: Path) -> dict[str, str]:
    """What to type to write with a run, and to go on with it."""
    where = shlex.quote(str(path))
    return {"sample": f"python -m charlstm.sample {where}", "resume": f"python -m charlstm.train --resume {where}"}


def reasons(chosen: Iterable[str]) -> dict[str, str]:
    """The reasons for the settings that were chosen, by their names: see `charlstm.training.plan.Choice`.

    `--hidden-size 512         units: as many as …` → `{"hidden_size": "units: as many as …"}`
    """
    lines = (re.fullmatch(r"--([a-z-]+) +\S+ +(.*)", line) for line in chosen)
    return {line[1].replace("-", "_"): line[2] for line in lines if line}


def report_of(found: dict[str, Any]) -> dict[str, Any]:
    """A line of `metrics.jsonl`, in which anything may stand: its numbers, its texts, and None for what is neither."""
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> float | str | None:
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # of an int with hundreds of digits
        return None


def _lanes(saved: Checkpoint, config: TrainConfig) -> int:
    """How many were read side by side: fewer than it was asked for, where the text has no room for them."""
    return saved.learning.state.h.shape[1] if saved.learning else config.batch_size
