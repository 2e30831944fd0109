"""One file that holds a model and all that its training needs to go on: written atomically, read safely, parsed once.

The file is what `torch.save` writes, a zip container of tensors and plain values:

    format          5
    model_config    the fields of ModelConfig
    vocab           the characters, in the order of their ids
    model           the weights, by name
    run             what the run is: the fields of RunRecord. None for a model without one
    progress        where it stands: the fields of Progress, or None
    later           those of these fields that are younger than the format, for each part
    optimizer       Adam's averages: for each weight, by name, its exp_avg, exp_avg_sq and step; with --sync-every also
                    momentum, that of the outer step
    state           h and c, [members · layers, lanes, hidden_size] each, or None
    digest          of all these tensors, as of `_digest`

Nothing random is in it: a step's random numbers follow from the seed and the step. `load` checks every value; what it
returns can be relied on.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from charlstm.config import ModelConfig, from_plain
from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.saved import container
from charlstm.saved.formats import FORMAT, joined, parted, upgraded
from charlstm.saved.record import Progress, RunRecord
from charlstm.text.vocab import END, Vocab


class Learning(NamedTuple):
    """What a training must know, besides weights and progress, to go on exactly.

    Attributes:
        optimizer: Adam's averages of each weight, by its name; empty before the first step.
        state: what the model remembers of the text before the next batch, in every lane.
    """

    optimizer: dict[str, dict[str, Tensor]]
    state: State


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file.

    Attributes:
        run, progress: what its run is, and where that stood; both are None for a model without a run.
        learning: what a resume needs; None in files of earlier formats.
    """

    model_config: ModelConfig
    vocab: Vocab
    weights: dict[str, Tensor]
    run: RunRecord | None = None
    progress: Progress | None = None
    learning: Learning | None = None

    def trained(self) -> tuple[RunRecord, Progress]:
        """What its run is, and where that stood.

        Raises:
            InputError: for a model without a run.
        """
        if self.run is None or self.progress is None:
            raise InputError("the checkpoint doesn't say what its run was: it can only write text")
        return self.run, self.progress

    @property
    def documents(self) -> str:
        """How the text that it learned was cut into documents, as in `TextConfig`.

        Raises:
            InputError: for a model of documents without a run.
        """
        return self.trained()[0].text.config.documents if END in self.vocab else "none"


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of `path`. A reader, or a machine that stops, finds the old file or the new one."""
    learning = checkpoint.learning
    contents = {
        "format": FORMAT,
        "model_config": asdict(checkpoint.model_config),
        "vocab": checkpoint.vocab.characters,
        "model": checkpoint.weights,
        "run": checkpoint.run and asdict(checkpoint.run),
        "progress": checkpoint.progress and asdict(checkpoint.progress),
        "optimizer": learning and learning.optimizer,
        "state": learning and learning.state._asdict(),
        "digest": _digest(checkpoint),
    }
    container.save(path, parted(contents))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU, after its checksums have been verified, without running any code in it.

    Raises:
        InputError: when there is no such file, it is damaged, it is no checkpoint of charlstm, it is one of a later
            version, it holds anything but tensors and plain values, or one of its values is missing or out of its
            limits.
    """
    contents = container.load(path)
    version = contents.get("format") if isinstance(contents, dict) else None
    if not isinstance(version, int) or version < 1:
        raise InputError(f"{path}: not a checkpoint of charlstm: train one with python -m charlstm.train")
    if version > FORMAT:
        raise InputError(
            f"{path}: of format {version}, from a newer charlstm than this one, which reads up to {FORMAT}: upgrade it"
        )
    with container.parsing(path, "an incomplete checkpoint", "use another one"):
        checkpoint = _parsed(joined(upgraded(contents, version)))
        if version >= 5 and contents["digest"] != _digest(checkpoint):
            raise InputError("its tensors aren't those that were saved")
        return checkpoint


def _digest(checkpoint: Checkpoint) -> str:
    """Of all tensors: the checksum of each can't tell that two were exchanged, or that one was left out in reading."""
    optimizer, state = checkpoint.learning or ({}, None)
    groups = {"model": checkpoint.weights, **optimizer, "state": state._asdict() if state else {}}
    digest = hashlib.blake2b(digest_size=16)
    for group, tensors in sorted(groups.items()):
        for name, tensor in sorted(tensors.items()):
            digest.update(f"{group} {name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _parsed(contents: dict[str, Any]) -> Checkpoint:
    config, vocab = from_plain(ModelConfig, contents["model_config"]), Vocab(contents["vocab"])
    if len(vocab) != config.vocab_size:
        raise InputError(f"vocab has {len(vocab)} characters, and model_config says {config.vocab_size}")
    shapes = CharLSTM.shapes(config)
    weights = _tensors("model", contents["model"], shapes)
    run = None if contents["run"] is None else from_plain(RunRecord, contents["run"])
    progress = None if contents["progress"] is None else from_plain(Progress, contents["progress"])
    if (run is None) != (progress is None):
        raise InputError("run and progress belong together, and one of them is missing")
    learning = None
    if contents["state"] is not None:
        learning = Learning(_averages(contents["optimizer"], shapes, config), _state(contents["state"], config))
    return Checkpoint(config, vocab, weights, run, progress, learning)


def _tensors(what: str, found: Any, shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Contiguous tensors in full precision, of these names and shapes."""
    if not isinstance(found, dict) or found.keys() != shapes.keys():
        raise InputError(f"{what} doesn't have what its model_config asks for")
    for name, tensor in found.items():
        is_plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided and not tensor.is_neg()
        if not is_plain or tensor.dtype not in (torch.float32, torch.float64) or tensor.shape != shapes[name]:
            raise InputError(f"{name} of {what} is not a tensor of the shape {list(shapes[name])}, of float32")
    return {name: tensor.contiguous() for name, tensor in found.items()}


def _averages(found: Any, shapes: dict[str, torch.Size], config: ModelConfig) -> dict[str, dict[str, Tensor]]:
    if isinstance(found, dict) and not found:  # before the first step
        return {}
    tied = ("head.weight",) if config.tie_weights else ()  # the same matrix as the embedding
    learned = {name: shape for name, shape in shapes.items() if not name.endswith(tied)}
    if not isinstance(found, dict) or found.keys() != learned.keys():
        raise InputError("optimizer doesn't have what its model_config asks for")
    averages = {}
    for name, shape in learned.items():
        of_weight = {"step": torch.Size(), "exp_avg": shape, "exp_avg_sq": shape}
        if isinstance(found[name], dict) and "momentum" in found[name]:
            of_weight["momentum"] = shape
        averages[name] = each = _tensors(f"optimizer's {name}", found[name], of_weight)
        is_finite = all(tensor.isfinite().all() for tensor in each.values())
        if not is_finite or each["step"] < 0 or (each["exp_avg_sq"] < 0).any():
            raise InputError(f"optimizer's {name} has averages that no training gives")
    return averages


def _state(found: Any, config: ModelConfig) -> State:
    h = found.get("h") if isinstance(found, dict) else None
    lanes = h.shape[1] if isinstance(h, Tensor) and h.dim() == 3 else 1  # the text decides how many there are
    shape = torch.Size([config.ensemble_size * config.num_layers, lanes, config.hidden_size])
    state = State(**_tensors("state", found, {"h": shape, "c": shape}))
    if not all(tensor.isfinite().all() for tensor in state):
        raise InputError("state is not of finite numbers")
    if config.cell == "clockwork" and not torch.equal(state.c, state.c.round()):
        raise InputError("state has clocks that aren't at whole numbers")
    return state
