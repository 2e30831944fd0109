"""A training as it was asked for, carried to its end and told as it goes: the command and `charlstm.fit` do this."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from charlstm import runs
from charlstm.clock import Clock
from charlstm.device import keep_freed_memory
from charlstm.earlier import began_with, refuse_taken
from charlstm.errors import RunError
from charlstm.generator import Sitting
from charlstm.given import Given
from charlstm.interruption import Interruption
from charlstm.model.summary import summary
from charlstm.runs import Made
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import RunFolder
from charlstm.screen import Screen
from charlstm.terminal import one_line
from charlstm.text.documents import Documents
from charlstm.training.processes import ALONE, Processes
from charlstm.training.report import Report
from charlstm.training.run import Run
from charlstm.watch import Watched
from charlstm.web.contents import UNITS


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be trained.

    Attributes:
        name: of the run, as it is shown.
        folder: of the run. It must be new, unless the run is resumed there.
        texts: as for `open_text`.
        resume: the checkpoint to go on from, in the folder; or what was kept in memory, for a new one.
        init_from, drop_unused, cache, command: as for `runs.begin`.
        page: whether to keep a page in the folder.
        processes: those that carry it out together. The first one has the folder, and keeps the page.
    """

    name: str
    folder: Path
    texts: list[str]
    given: Given
    resume: Path | Sitting | None = None
    init_from: Path | Checkpoint | None = None
    drop_unused: bool = False
    cache: Path | None = None
    page: bool = False
    command: str = ""
    processes: Processes = ALONE


@dataclass(frozen=True)
class Words:
    """What people are told to do next, where that isn't the same for all.

    Attributes:
        where: what the run keeps where, if it keeps something.
        resume: how to go on with the run.
        use: how to write with its model.
        longer: what makes a finished run longer.
        reworded: says a message about flags in other words, for a program that gives none.
    """

    where: str
    resume: str
    use: str
    longer: str
    reworded: Callable[[str], str] = str


def carry_out(
    job: Job,
    clock: Clock,
    interruption: Interruption,
    screen: Screen,
    words: Words,
    on_report: Callable[[Report], object] | None = None,
) -> Run:
    """Begin or resume the run, train it to its end or to the interruption, and say what happens.

    Args:
        clock: its seconds count for the run.
        interruption: is entered while the run trains.
        on_report: is called with each report. If it raises KeyboardInterrupt, the run stops as at Ctrl-C.

    Raises:
        InputError: as `runs.begin` and `runs.resume`.
        RunError: when the training went wrong.
    """
    keep_freed_memory()
    with _held(job) as folder:
        if _goes_on(job, folder):
            here = {name: job.given.train[name] for name in ("device", "threads") if name in job.given.train}
            job = replace(job, resume=folder.last, texts=[], given=Given({}, {}, here))  # the run has all the rest
        run = _resumed(job, folder, clock, screen) if job.resume else _begun(job, folder, clock, screen, words)
        if job.resume and run.is_finished:
            screen.say(f"the run is finished: {words.longer} make it longer\n{_next(run, words)}")
            if job.page:
                Watched(run, screen).finish()
            return run
        page = Watched(run, screen) if job.page else None

        def told(report: Report) -> None:
            if page:
                page.report()
            if on_report:
                on_report(report)

        run.on_report = told
        with interruption:
            screen.say(f"{_plan(run)}{words.where}")
            if run.trainer.share.count > 1:
                screen.say(f"{run.trainer.share}; those of a machine share its threads")
            if page:
                where = one_line(str(page.path))
                screen.say(f"page: {where}, new at each report: open it in a browser, and reload it to see more")
            with suppress(KeyboardInterrupt):  # of `on_report`: between two steps, as an interruption is
                run.train(interruption.__bool__, screen)
        if run.is_finished:
            screen.say(f"{_end(run)}\n{_next(run, words)}")
        else:
            screen.say(f"stopped at step {run.trainer.progress.step}; go on with: {words.resume}")
        if page:
            page.finish(UNITS if run.is_finished else 0)  # whoever stopped it doesn't want to wait
        return run


def _held(job: Job) -> AbstractContextManager[RunFolder]:
    """The run's folder: the first process holds it, and the others only know its name."""
    folder = RunFolder(job.folder)
    return folder if job.processes.is_first else nullcontext(folder)


def _goes_on(job: Job, folder: RunFolder) -> bool:
    """Whether the command was given before: when a process ends, `torchrun` ends all, and starts the same once more."""
    if job.processes is ALONE or job.resume:
        return False
    return bool(job.processes.of_first(job.processes.is_first and began_with(folder, job.command)))


def _begun(job: Job, folder: RunFolder, clock: Clock, screen: Screen, words: Words) -> Run:
    return runs.begin(
        job.texts,
        job.given,
        folder,
        clock,
        cache=job.cache,
        init_from=job.init_from,
        drop_unused=job.drop_unused,
        command=job.command,
        show=lambda made: screen.say(words.reworded(_made(job.name, made))),
        processes=job.processes,
    )


def _resumed(job: Job, folder: RunFolder, clock: Clock, screen: Screen) -> Run:
    assert job.resume
    with ExitStack() as failed:
        file = job.resume
        if isinstance(file, Sitting):
            refuse_taken(folder)
            for place in (folder.last, folder.best):
                failed.callback(place.unlink, missing_ok=True)
            file = file.laid_down(folder)
        run = runs.resume(file, job.texts, job.given, folder, clock, cache=job.cache, processes=job.processes)
        failed.pop_all()
    screen.say(f"resumed {one_line(job.name)} at step {run.trainer.progress.step}")
    return run


def _made(name: str, made: Made) -> str:
    """What was made of the text and the settings."""
    trainer = made.trainer
    shown = [made.init_from] if made.init_from else []
    shown.append(f"{name}: {_text(made)}\n")
    if made.chosen:
        lines = "\n".join(f"  {choice}" for choice in made.chosen)
        shown.append(f"chosen for --minutes {trainer.config.minutes:g} (what you give yourself wins):\n{lines}\n")
    shown.append(f"{summary(trainer.model.config, trainer.lanes.batch_size, trainer.lanes.seq_len)}\n")
    return "\n".join(shown)


def _text(made: Made) -> str:
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
        f" {config.dtype} on {config.device}, {config.threads} threads"
    )


def _end(run: Run) -> str:
    """That it is finished, and why.

    Raises:
        RunError: when it went wrong.
    """
    progress = run.trainer.progress
    if why := run.went_wrong:
        rate = run.trainer.config.learning_rate
        raise RunError(
            f"finished at step {progress.step}, but {why}: begin again, with a lower --learning-rate than {rate}"
        )
    early = f": no better validation in {progress.stale} reports" if progress.step < run.record.plan.steps else ""
    return f"finished at step {progress.step}{early}"


def _next(run: Run, words: Words) -> str:
    best = run.trainer.progress.best
    score = f"best validation {best:.3f} bits/char; " if best is not None else ""
    return f"{score}{words.use}"
