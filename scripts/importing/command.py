"""What the scripts share that bring models in: flags, checks, and what they say."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from charlstm import cli
from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.folder import check_model_place
from charlstm.terminal import one_line, say
from importing.chain import CALLED, Chain
from importing.vocabulary import read as read_vocabulary


def parser(prog: str, description: str, model: str, epilog: str) -> cli.Parser:
    """The flags of such a script; `model` says what it reads."""
    made = cli.Parser(prog, description, epilog)
    made.add_argument("model", type=cli.path, metavar="MODEL", help=model)
    made.add_argument(
        "--vocab",
        type=cli.path,
        metavar="FILE",
        required=True,
        help="its characters: JSON of char2idx, the characters in order, or the text that it learned, to be sorted",
    )
    made.add_argument("--out", type=cli.path, metavar="CHECKPOINT", required=True, help="where to keep it")
    return made


def run(flags: argparse.Namespace, read: Callable[[Path], Chain]) -> int:
    """Read a model, keep it as a checkpoint, and say what came. Returns the exit status."""
    for path in (flags.model, flags.vocab):
        check_regular(path)
    check_model_place(flags.out, _import)
    chain = read(flags.model)
    characters, notes = read_vocabulary(flags.vocab, chain.ids)
    try:
        made = chain.checkpoint(characters)
    except InputError as error:
        raise InputError(f"{flags.model}: {error}") from None
    checkpoint.save(flags.out, made)
    one_hot = [] if chain.embedding else ["it has no embedding: an identity takes its place (one-hot vectors)"]
    for note in (*chain.notes, *one_hot, *notes):
        say(one_line(note))
    config = made.model_config
    layers = "1 layer" if config.num_layers == 1 else f"{config.num_layers} layers"
    say(f"{CALLED[config.cell]}, {layers} of {config.hidden_size:,} units, {config.vocab_size:,} characters")
    say(f"kept in {flags.out}: sample it with  python -m charlstm.sample {flags.out}")
    return 0


def _import(path: Path) -> None:
    """Raise InputError for anything but a model without a run: what was trained here is not to be replaced."""
    if checkpoint.load(path).run is not None:
        raise InputError(f"{path}: was trained here")


def check_regular(path: Path) -> None:
    """Raise InputError for anything but a file: a pipe has no size, and a device no end."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file: give one")
