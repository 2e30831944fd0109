#!/usr/bin/env python3
"""A trained model in a file for other programs: safetensors, ONNX or Keras."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.errors import InputError
from charlstm.files import make_folder, replacing
from charlstm.saved.folder import resolve
from charlstm.terminal import one_line, say

if TYPE_CHECKING:
    from exporting.exported import Exported

    from charlstm.saved.checkpoint import Checkpoint

ENDINGS = {"safetensors": ".safetensors", "onnx": ".onnx", "keras": ".weights.h5"}
"""The formats, and how their files are called."""

NEEDS = {
    "safetensors": ("export", "safetensors"),
    "onnx": ("export", "onnx onnxscript onnxruntime"),
    "keras": ("keras", "h5py"),
}
"""The extra of each format, and the packages of it that the format needs."""

EXAMPLES = """\
examples:
  python scripts/export.py checkpoints/novel --format onnx                        writes novel.onnx
  python scripts/export.py checkpoints/novel --out ~/models/novel.safetensors
  python scripts/export.py checkpoints/novel/last.pt --format keras --out last.weights.h5

formats:
  safetensors   the weights by name; vocabulary and settings in the metadata
  onnx          one step, (ids, h, c) -> (logits, h, c), of any cell, for any program that has onnxruntime
  keras         weights for load_weights of Keras 3, of the cells lstm, gru, gru-reset-before and rnn
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("export", "Write a trained model into a file for other programs.", EXAMPLES)
    parser.add_argument("checkpoint", type=cli.path, metavar="CHECKPOINT", help="a checkpoint or a run's folder")
    parser.add_argument("--format", choices=ENDINGS, help="(default: as the ending of --out says)")
    parser.add_argument("--out", type=cli.path, metavar="FILE", help="(default: named as the run, in this folder)")
    return cli.run(parser, export, arguments)


def export(flags: argparse.Namespace) -> int:
    """Write the file, once its contents have been checked."""
    path = resolve(flags.checkpoint, prefer="best.pt")
    kind = flags.format or _format_of(flags.out)
    out = flags.out or Path(_name_of(path) + ENDINGS[kind])
    _check(out, kind)
    from charlstm.saved import checkpoint

    exported = _exporter(kind)(checkpoint.load(path))
    with replacing(out) as file:
        file.write(exported.content)
    say(f"{one_line(str(out))}: {len(exported.content):,} bytes; {exported.found}. To use it:")
    say(exported.use.format(file=repr(str(out))))
    return 0


def _format_of(out: Path | None) -> str:
    """The format that a file's ending means."""
    for kind, ending in ENDINGS.items():
        if out and out.name.endswith(ending):
            return kind
    raise InputError(f"which format? give --format {'|'.join(ENDINGS)}, or --out with an ending of these")


def _name_of(checkpoint: Path) -> str:
    """The name of a run; of a checkpoint that isn't in a run's folder, its own."""
    whole = checkpoint.resolve()
    return (whole.parent.name if whole.name in ("best.pt", "last.pt") else whole.stem) or "model"


def _check(out: Path, kind: str) -> None:
    """Raise InputError, before any work is done, for what can't be written."""
    extra, packages = NEEDS[kind]
    if missing := [package for package in packages.split() if find_spec(package) is None]:
        raise InputError(f'--format {kind} needs {missing[0]}: python -m pip install -e ".[{extra}]"')
    if out.is_dir():
        raise InputError(f"{out}: a folder: give a file in it")
    if not out.name.endswith(ENDINGS[kind]):
        raise InputError(f"{out}: give it a name that ends in {ENDINGS[kind]}")
    make_folder(out.parent)


def _exporter(kind: str) -> Callable[[Checkpoint], Exported]:
    """What exports in a format. Only its own packages are imported."""
    if kind == "safetensors":
        from exporting.tensors import to_safetensors

        return to_safetensors
    if kind == "onnx":
        from exporting.onnx_step import to_onnx

        return to_onnx
    from exporting.keras_weights import to_keras

    return to_keras


if __name__ == "__main__":
    sys.exit(main())
