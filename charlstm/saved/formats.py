"""The contents of checkpoints of earlier formats, as those of the present one. Those before 4 can't be resumed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch

from charlstm.errors import InputError
from charlstm.saved.record import Progress

FORMAT = 5
"""1 had no documents, 2 no ensembles, 3 kept the states of random number generators, 4 had no digest."""


LATER = {"run": ("machine", "versions"), "run.train_config": ("sync_every",), "progress": ("norms", "normed")}
"""Fields that are younger than the format; each has a default, for files without it.

They are in a part of their own, `later`. Versions that don't know them don't look there, and read all the rest.
"""


def parted(contents: dict[str, Any]) -> dict[str, Any]:
    """Contents to be written, with the later fields in their own part."""
    parts, later = dict(contents), {}
    for path, names in LATER.items():
        if plain := _part(parts, path):
            later[path] = {name: plain.pop(name) for name in names}
    return {**parts, "later": later}


def joined(contents: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `parted`. What a version later than this one has added stays out."""
    parts, later = dict(contents), contents.get("later", {})
    for path, names in LATER.items():
        if path in later and (plain := _part(parts, path)) is not None:
            plain |= {name: later[path][name] for name in names if name in later[path]}
    return parts


def _part(contents: dict[str, Any], path: str) -> dict[str, Any] | None:
    """A copy of a part, which takes its place; None where the contents have no such part."""
    for name in path.split("."):
        if not isinstance(contents.get(name), dict):
            return None
        part = contents[name] = dict(contents[name])
        contents = part
    return contents


def upgraded(contents: dict[str, Any], version: int) -> dict[str, Any]:
    """The contents of a checkpoint, as `checkpoint.py` lists them, from those of a file of format `version`."""
    if version >= 4:
        return contents
    if not all(isinstance(contents[name], dict) for name in ("model", "model_config")):
        raise InputError("model and model_config must be dictionaries")
    run, progress = dict(contents["run"]), dict(contents["progress"])
    known = [field.name for field in fields(Progress) if field.name not in LATER["progress"]]
    return {
        "model_config": contents["model_config"],
        "vocab": contents["vocab"],
        "model": _weights(contents, version),
        "run": _run(run) if run else None,
        "progress": {name: progress[name] for name in known} if run else None,
        "optimizer": None,
        "state": None,
    }


def _weights(contents: dict[str, Any], version: int) -> dict[str, Any]:
    weights = {name if version > 2 else f"members.0.{name}": weight for name, weight in contents["model"].items()}
    if contents["model_config"].get("cell") == "gru":  # which had one bias
        for name in [name for name in weights if name.endswith(".weight_hh")]:
            units = weights[name].shape[-1]
            weights[name.replace("weight_hh", "bias_n")] = torch.zeros(1).expand(units)
    return weights


def _run(run: dict[str, Any]) -> dict[str, Any]:
    text, plan = dict(run["text"]), dict(run["plan"])
    beta1, beta2 = plan.pop("betas", (0.9, 0.99))
    return {
        **{name: run[name] for name in ("id", "init_from", "began", "command", "train_config")},
        "text": {
            **{name: text[name] for name in ("places", "given_vocab", "digest", "length")},
            "config": run["text_config"],
        },
        "plan": {**plan, "beta1": beta1, "beta2": beta2},
        "chosen": run.get("chosen", []),
    }
