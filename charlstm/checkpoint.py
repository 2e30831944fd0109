"""One file that holds a model and all that its training needs to go on: written atomically, read safely.

The file is what `torch.save` writes, a zip container of tensors and plain values:

    format          3
    model_config    the fields of ModelConfig
    vocab           the characters, in the order of their ids
    model           the weights, by name
    run             what the run is: its text, its TrainConfig, its plan, the command that began it
    progress        where it stands: step, optimizer, recurrent state, random states, scores
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from charlstm.config import ModelConfig
from charlstm.errors import InputError, RunError
from charlstm.files import replacing
from charlstm.text.vocab import Vocab

FORMAT = 3
"""1 had no documents, 2 no ensembles. A later version reads what earlier ones wrote."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file; `run` and `progress` are the training's own."""

    model_config: ModelConfig
    vocab: Vocab
    weights: dict[str, Tensor]
    run: dict[str, Any]
    progress: dict[str, Any]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of `path`. A reader, or a machine that stops, finds the old file or the new one."""
    contents = {
        "format": FORMAT,
        "model_config": asdict(checkpoint.model_config),
        "vocab": checkpoint.vocab.characters,
        "model": checkpoint.weights,
        "run": checkpoint.run,
        "progress": checkpoint.progress,
    }
    with replacing(path) as file:
        try:
            torch.save(contents, file)
        except RuntimeError as error:  # what torch makes of a write that failed
            raise RunError(f"{path}: can't be written ({str(error).splitlines()[0]}): is the disk full?") from None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU, after its checksums have been verified, without running any code in it.

    Raises:
        InputError: when there is no such file, it is damaged, it is no checkpoint of charlstm, it is one of a later
            version, or it holds anything but tensors and plain values.
    """
    _verify(path)
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception:  # torch has many ways to say so, most of them pages long
        raise InputError(
            f"{path}: not a checkpoint of charlstm: it holds more than tensors and plain values, so it isn't opened"
        ) from None
    version = contents.get("format") if isinstance(contents, dict) else None
    if not isinstance(version, int) or version < 1:
        raise InputError(f"{path}: not a checkpoint of charlstm: train one with python -m charlstm.train")
    if version > FORMAT:
        raise InputError(
            f"{path}: of format {version}, from a newer charlstm than this one, which reads up to {FORMAT}: upgrade it"
        )
    try:
        return Checkpoint(
            model_config=ModelConfig(**contents["model_config"]),
            vocab=Vocab(contents["vocab"]),
            weights={name if version > 2 else f"members.0.{name}": w for name, w in contents["model"].items()},
            run=dict(contents["run"]),
            progress=dict(contents["progress"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: an incomplete checkpoint ({error}): use another one") from None


def resolve(path: Path, *, prefer: str) -> Path:
    """The checkpoint file that a path means: itself, or in a run's folder the preferred one of `last.pt`, `best.pt`.

    Raises:
        InputError: when there is none.
    """
    if not path.is_dir():
        if not path.is_file():
            likely = Path("checkpoints") / path
            hint = f": is it {likely}?" if likely.is_dir() else ""
            raise InputError(f"{path}: no such checkpoint or run's folder{hint}")
        return path
    for name in (prefer, "best.pt", "last.pt"):
        if (path / name).exists():
            return path / name
    raise InputError(f"{path}: a folder without last.pt or best.pt: name a run's folder or a checkpoint")


def newest_run(checkpoints: Path) -> Path:
    """The folder of the run that saved last.

    Raises:
        InputError: when there is no run.
    """
    runs = runs_in(checkpoints)
    if not runs:
        raise InputError(
            f"{checkpoints}: no run here yet: train one with python -m charlstm.train, or name a checkpoint"
        )
    return runs[0]


def runs_in(checkpoints: Path) -> list[Path]:
    """The folders of the runs in a folder, the one that saved last first."""
    files = sorted(checkpoints.glob("*/last.pt"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [file.parent for file in files]


def _verify(path: Path) -> None:
    """Compare every part of the container with its CRC-32, so that nothing damaged is unpickled."""
    try:
        with zipfile.ZipFile(path) as container:
            broken = container.testzip()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from None
    except zipfile.BadZipFile as error:
        with path.open("rb") as file:
            looks_like_one = file.read(2) == b"PK"
        if looks_like_one:
            raise InputError(f"{path}: damaged ({error}): use another checkpoint of the run") from None
        raise InputError(f"{path}: not a checkpoint of charlstm") from None
    except (zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError, OverflowError) as error:
        raise InputError(f"{path}: damaged ({error}): use another checkpoint of the run") from None
    if broken is not None:
        raise InputError(f"{path}: damaged (the checksum of {broken} is wrong): use another checkpoint of the run")
