"""`python -m charlstm.train`: learn to write like a text."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.config import ModelConfig, TextConfig, TrainConfig
from charlstm.errors import InputError

if TYPE_CHECKING:
    from charlstm.training.trainer import Trainer

EXAMPLES = """\
examples:
  python -m charlstm.train                              learn to write Python, from its standard library
  python -m charlstm.train novel.txt --minutes 10       learn to write like a novel
  python -m charlstm.train --resume checkpoints/novel   go on where it stopped
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    started = time.monotonic()
    parser = cli.Parser("charlstm-train", "Learn to write like a text, one character at a time.", EXAMPLES)
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="files, folders, patterns, .gz or - (default: Python's library)"
    )
    parser.add_argument("--name", help="the run's name (default: the text's file name)")
    parser.add_argument(
        "--checkpoints", type=cli.path, metavar="DIR", help="where runs are kept (default: checkpoints)"
    )
    parser.add_argument("--cache", type=cli.path, metavar="DIR", help="where encoded texts are kept")
    parser.add_argument("--resume", type=cli.path, metavar="RUN", help="go on with a run's folder or from a checkpoint")
    parser.add_argument("--init-from", type=cli.path, metavar="FILE", help="begin with the weights of a checkpoint")
    parser.add_argument("--drop-unused", action="store_true", help="of those, drop characters that the text lacks")
    cli.add_settings(parser, TrainConfig, "training")
    cli.add_settings(parser, ModelConfig, "model")
    cli.add_settings(parser, TextConfig, "text")
    typed = sys.argv[1:] if arguments is None else arguments
    parser.set_defaults(command=shlex.join(["python", "-m", "charlstm.train", *typed]))
    return cli.run(parser, lambda flags: train(flags, started), arguments)


def train(flags: argparse.Namespace, started: float) -> int:
    """Train as the flags say; `started` is when the command was given. Returns the exit status."""
    given = vars(flags)
    settings = [cli.settings_in(given, config) for config in (TextConfig, ModelConfig, TrainConfig)]
    if flags.resume and flags.init_from:
        raise InputError("--resume and --init-from contradict each other: go on with a run, or begin a new one")
    if flags.drop_unused and not flags.init_from:
        raise InputError("--drop-unused is about the weights of --init-from: give both, or neither")

    from charlstm import checkpoint, runs
    from charlstm.device import keep_freed_memory
    from charlstm.model.summary import summary
    from charlstm.text.sources import name_of
    from charlstm.training.folder import RunFolder

    asked = runs.Given(*settings)
    imported = time.monotonic()
    keep_freed_memory()
    if flags.resume:
        file = checkpoint.resolve(flags.resume, prefer="last.pt")
        name = file.parent.resolve().name
        _check_place(file.parent.resolve(), flags)
        with RunFolder(file.parent) as folder:
            trainer = runs.resume(file, flags.texts, asked, folder, flags.cache)
            cli.say(f"resumed {name} at step {trainer.progress.step}")
            if trainer.is_finished:
                cli.say(f"the run is finished: more --steps, --epochs or --minutes make it longer\n{_next(trainer)}")
                return 0
            return _train(trainer)
    name = name_of(flags.texts) if flags.name is None else flags.name
    if name in ("", ".", "..") or not name.isprintable() or any(separator in name for separator in "/\\"):
        raise InputError(f"--name {name!r}: a name is needed, not a path; --checkpoints DIR says where runs are kept")
    with RunFolder((flags.checkpoints or Path("checkpoints")) / name) as folder:
        trainer = runs.begin(flags.texts, asked, folder, flags.cache, flags.init_from, flags.drop_unused, flags.command)
        if trainer.run["init_from"]:
            cli.say(trainer.run["init_from"])
        cli.say(f"{_text(trainer)}\n")
        if trainer.run["chosen"]:
            lines = "\n".join(f"  {choice}" for choice in trainer.run["chosen"])
            cli.say(f"chosen for --minutes {trainer.config.minutes:g} (a flag of your own wins):\n{lines}\n")
        cli.say(f"{summary(trainer.model, trainer.lanes.batch_size, trainer.lanes.seq_len)}\n")
        runs.set_length(trainer, seconds_gone=imported - started)
        return _train(trainer)


def _train(trainer: Trainer) -> int:
    """Train to the end or to a signal. Returns the exit status."""
    from charlstm.interruption import Interruption

    cli.say(_plan(trainer))
    with Interruption() as interruption:
        trainer.stopped = interruption.__bool__
        trainer.train()
    step, run = trainer.progress.step, shlex.quote(str(trainer.folder.path))
    if not trainer.is_finished:
        cli.say(f"stopped at step {step}; go on with: python -m charlstm.train --resume {run}")
        return interruption.status
    why = f": no better validation in {trainer.progress.stale} reports" if step < trainer.plan.steps else ""
    cli.say(f"finished at step {step}{why}\n{_next(trainer)}")
    return 0


def _check_place(folder: Path, flags: argparse.Namespace) -> None:
    """Refuse a --name or --checkpoints that isn't the resumed run's."""
    if flags.name is not None and flags.name != folder.name:
        raise InputError(f"--name {flags.name} contradicts the run's {folder.name}: leave it out")
    if flags.checkpoints and flags.checkpoints.resolve() != folder.parent:
        raise InputError(f"--checkpoints {flags.checkpoints} contradicts the run's {folder.parent}: leave it out")


def _text(trainer: Trainer) -> str:
    from charlstm.text.shuffled import Documents

    parts, text = trainer.parts, trainer.lanes.text
    documents = f", in {text.count:,} documents" if isinstance(text, Documents) else ""
    total = len(parts.train) + len(parts.val) + len(parts.test)
    if documents:  # a part begins with the end that closes the one before
        total -= bool(len(parts.val)) + bool(len(parts.test))
    return (
        f"{trainer.folder.path.name}: {total:,} characters, {len(trainer.vocab):,} different; {len(parts.train):,} for"
        f" training{documents}, {len(parts.val):,} for validation, {len(parts.test):,} for testing"
    )


def _plan(trainer: Trainer) -> str:
    config, lanes, steps = trainer.config, trainer.lanes, trainer.plan.steps
    return (
        f"{steps:,} steps of {lanes.batch_size} x {lanes.seq_len} characters ({steps / lanes.batches:.1f} epochs),"
        f" {config.dtype} on {config.device}, {config.threads} threads; checkpoints in {trainer.folder.path}"
    )


def _next(trainer: Trainer) -> str:
    best = trainer.progress.best
    score = f"best validation {best:.3f} bits/char; " if best is not None else ""
    return f"{score}sample with: python -m charlstm.sample {shlex.quote(str(trainer.folder.path))}"


if __name__ == "__main__":
    sys.exit(main())
