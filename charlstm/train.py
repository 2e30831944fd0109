"""`python -m charlstm.train`: learn to write like a text."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.clock import Clock
from charlstm.config import ModelConfig, TextConfig, TrainConfig
from charlstm.errors import InputError, RunError
from charlstm.terminal import one_line, say

if TYPE_CHECKING:
    from charlstm.given import Given
    from charlstm.runs import Made
    from charlstm.training.run import Run
    from charlstm.watch import Watched

EXAMPLES = """\
examples:
  python -m charlstm.train                              learn to write Python, from its standard library
  python -m charlstm.train novel.txt --minutes 10       learn to write like a novel
  python -m charlstm.train --resume checkpoints/novel   go on where it stopped
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    clock = Clock()  # what importing takes counts, too
    parser = cli.Parser("charlstm-train", "Learn to write like a text, one character at a time.", EXAMPLES)
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="files, folders, patterns, .gz or - (default: Python's library)"
    )
    parser.add_argument("--name", help="the run's name (default: the text's file name)")
    parser.add_argument(
        "--checkpoints", type=cli.path, metavar="DIR", help="where runs are kept (default: checkpoints)"
    )
    parser.add_argument("--cache", type=cli.path, metavar="DIR", help="where encoded texts are kept")
    parser.add_argument("--page", action="store_true", help="keep a page in the run's folder: open it, and watch")
    parser.add_argument("--resume", type=cli.path, metavar="RUN", help="go on with a run's folder or from a checkpoint")
    parser.add_argument("--init-from", type=cli.path, metavar="FILE", help="begin with the weights of a checkpoint")
    parser.add_argument("--drop-unused", action="store_true", help="of those, drop characters that the text lacks")
    cli.add_settings(parser, TrainConfig, "training")
    cli.add_settings(parser, ModelConfig, "model")
    cli.add_settings(parser, TextConfig, "text")
    typed = sys.argv[1:] if arguments is None else arguments
    parser.set_defaults(command=shlex.join(["python", "-m", "charlstm.train", *typed]))
    return cli.run(parser, lambda flags: train(flags, clock), arguments)


def train(flags: argparse.Namespace, clock: Clock) -> int:
    """Train as the flags say, in the minutes that the clock counts. Returns the exit status."""
    if flags.resume and flags.init_from:
        raise InputError("--resume and --init-from contradict each other: go on with a run, or begin a new one")
    if flags.drop_unused and not flags.init_from:
        raise InputError("--drop-unused is about the weights of --init-from: give both, or neither")

    from charlstm.device import keep_freed_memory

    keep_freed_memory()
    return _resume(flags, clock) if flags.resume else _begin(flags, clock)


def _begin(flags: argparse.Namespace, clock: Clock) -> int:
    """A new run."""
    from charlstm import runs
    from charlstm.saved.folder import RunFolder
    from charlstm.text.sources import name_of

    name = name_of(flags.texts) if flags.name is None else flags.name
    if name in ("", ".", "..") or not name.isprintable() or any(separator in name for separator in "/\\"):
        raise InputError(f"--name {name!r}: a name is needed, not a path; --checkpoints DIR says where runs are kept")
    with RunFolder((flags.checkpoints or Path("checkpoints")) / name) as folder:
        run = runs.begin(
            flags.texts,
            _given(flags),
            folder,
            clock,
            cache=flags.cache,
            init_from=flags.init_from,
            drop_unused=flags.drop_unused,
            command=flags.command,
            show=lambda made: say(_made(name, made)),
        )
        return _train(run, flags.page)


def _resume(flags: argparse.Namespace, clock: Clock) -> int:
    """A run that goes on."""
    from charlstm import runs
    from charlstm.saved.folder import RunFolder, resolve

    file = resolve(flags.resume, prefer="last.pt")
    _check_place(file.parent.resolve(), flags)
    with RunFolder(file.parent) as folder:
        run = runs.resume(file, flags.texts, _given(flags), folder, clock, cache=flags.cache)
        say(f"resumed {one_line(file.parent.resolve().name)} at step {run.trainer.progress.step}")
        if run.is_finished:
            say(f"the run is finished: more --steps, --epochs or --minutes make it longer\n{_next(run)}")
            if flags.page:
                _watched(run).finish()
            return 0
        return _train(run, flags.page)


def _given(flags: argparse.Namespace) -> Given:
    from charlstm.given import Given

    return Given(*(cli.settings_in(vars(flags), config) for config in (TextConfig, ModelConfig, TrainConfig)))


def _train(run: Run, has_page: bool) -> int:
    """Train to the end or to a signal. Returns the exit status."""
    from charlstm.interruption import Interruption

    say(_plan(run))
    page = _watched(run) if has_page else None
    if page:
        say(f"page: {one_line(str(page.path))}, new at each report: open it in a browser, and reload it to see more")
    with Interruption() as interruption:
        run.train(interruption.__bool__)
    progress, steps, folder = run.trainer.progress, run.record.plan.steps, shlex.quote(str(run.folder.path))
    if not run.is_finished:
        say(f"stopped at step {progress.step}; go on with: python -m charlstm.train --resume {folder}")
        if page:
            page.finish(units=0)  # whoever stopped it doesn't want to wait
        return interruption.status
    if why := run.went_wrong:
        rate = run.trainer.config.learning_rate
        raise RunError(
            f"finished at step {progress.step}, but {why}: begin again, with a lower --learning-rate than {rate}"
        )
    why = f": no better validation in {progress.stale} reports" if progress.step < steps else ""
    say(f"finished at step {progress.step}{why}\n{_next(run)}")
    if page:
        page.finish()
    return 0


def _watched(run: Run) -> Watched:
    """The run with its page."""
    from charlstm.watch import Watched

    return Watched(run)


def _check_place(folder: Path, flags: argparse.Namespace) -> None:
    """Refuse a --name or --checkpoints that isn't the resumed run's."""
    if flags.name is not None and flags.name != folder.name:
        raise InputError(f"--name {flags.name} contradicts the run's {folder.name}: leave it out")
    if flags.checkpoints and flags.checkpoints.resolve() != folder.parent:
        raise InputError(f"--checkpoints {flags.checkpoints} contradicts the run's {folder.parent}: leave it out")


def _made(name: str, made: Made) -> str:
    """What was made of the text and the settings."""
    from charlstm.model.summary import summary

    trainer = made.trainer
    shown = [made.init_from] if made.init_from else []
    shown.append(f"{name}: {_text(made)}\n")
    if made.chosen:
        lines = "\n".join(f"  {choice}" for choice in made.chosen)
        shown.append(f"chosen for --minutes {trainer.config.minutes:g} (a flag of your own wins):\n{lines}\n")
    shown.append(f"{summary(trainer.model.config, trainer.lanes.batch_size, trainer.lanes.seq_len)}\n")
    return "\n".join(shown)


def _text(made: Made) -> str:
    from charlstm.text.documents import Documents

    parts, text = made.trainer.parts, made.trainer.lanes.text
    documents = f", in {text.count:,} documents" if isinstance(text, Documents) else ""
    total = len(parts.train) + len(parts.val) + len(parts.test)
    if documents:  # a part begins with the end that closes the one before
        total -= bool(len(parts.val)) + bool(len(parts.test))
    return (
        f"{total:,} characters, {len(made.vocab):,} different; {len(parts.train):,} for"
        f" training{documents}, {len(parts.val):,} for validation, {len(parts.test):,} for testing"
    )


def _plan(run: Run) -> str:
    config, lanes, steps = run.trainer.config, run.trainer.lanes, run.record.plan.steps
    return (
        f"{steps:,} steps of {lanes.batch_size} x {lanes.seq_len} characters ({steps / lanes.batches:.1f} epochs),"
        f" {config.dtype} on {config.device}, {config.threads} threads; checkpoints in {one_line(str(run.folder.path))}"
    )


def _next(run: Run) -> str:
    best = run.trainer.progress.best
    score = f"best validation {best:.3f} bits/char; " if best is not None else ""
    return f"{score}sample with: python -m charlstm.sample {shlex.quote(str(run.folder.path))}"


if __name__ == "__main__":
    sys.exit(main())
