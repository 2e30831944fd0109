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
from charlstm.errors import InputError
from charlstm.interruption import Interruption
from charlstm.screen import STDERR, Silence
from charlstm.terminal import one_line

if TYPE_CHECKING:
    from charlstm.job import Job
    from charlstm.training.processes import Processes

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

    from charlstm.device import choose_device
    from charlstm.job import Words, carry_out
    from charlstm.training.processes import joined

    with joined(choose_device(getattr(flags, "device", "auto"))) as processes:
        job, interruption = _job(flags, processes), Interruption()
        folder = shlex.quote(str(job.folder))
        words = Words(
            where=f"; checkpoints in {one_line(str(job.folder))}",
            resume=f"python -m charlstm.train --resume {folder}",
            use=f"sample with: python -m charlstm.sample {folder}",
            longer="more --steps, --epochs or --minutes",
        )
        run = carry_out(job, clock, interruption, STDERR if processes.is_first else Silence(), words)
    return 0 if run.is_finished else interruption.status


def _job(flags: argparse.Namespace, processes: Processes) -> Job:
    """What the flags ask for."""
    from charlstm.given import Given
    from charlstm.job import Job
    from charlstm.saved.folder import check_place, folder_named, resolve
    from charlstm.text.sources import name_of

    processes.refuse_stdin(flags.texts)
    if flags.resume:
        found = str(resolve(flags.resume, prefer="last.pt")) if processes.is_first else ""
        file = Path(processes.of_first(found))
        folder, name = file.parent, file.parent.resolve().name
        check_place(folder, flags.name, flags.checkpoints)
    else:
        file, name = None, name_of(flags.texts) if flags.name is None else flags.name
        folder = folder_named(name, flags.checkpoints)
    given = Given(*(cli.settings_in(vars(flags), config) for config in (TextConfig, ModelConfig, TrainConfig)))
    shared = {each: getattr(flags, each) for each in ("texts", "init_from", "drop_unused", "cache", "command")}
    page = flags.page and processes.is_first
    return Job(name=name, folder=folder, given=given, resume=file, page=page, processes=processes, **shared)


if __name__ == "__main__":
    sys.exit(main())
