"""`charlstm.fit`: train a model from Python, with the settings of the command."""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

import torch
from typing_extensions import Unpack  # which PyTorch needs, too

from charlstm.arguments import Place, Texts, call, fields, given_in, in_python, texts_in
from charlstm.clock import Clock
from charlstm.config import help_of
from charlstm.earlier import check_resumable
from charlstm.errors import InputError, RunError, told_by
from charlstm.generator import Generator, Sitting
from charlstm.interruption import Interruption, raised
from charlstm.job import Job, Words, carry_out
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import CHECKPOINTS, check_place, folder_named, resolve
from charlstm.screen import Screen, Silence, here
from charlstm.training.report import Report
from charlstm.training.run import Run

Source = Place | Generator | None


class Settings(TypedDict, total=False):
    """The settings by name. What they mean, and their limits, stands in `charlstm/config.py`. None is the default."""

    encoding: str | None
    min_count: int | None
    documents: str | None
    val_fraction: float | None
    test_fraction: float | None
    cell: str | None
    hidden_size: int | None
    num_layers: int | None
    ensemble_size: int | None
    embedding_dim: int | None
    dropout: float | None
    recurrent_dropout: float | None
    tie_weights: bool | None
    steps: int | None
    epochs: float | None
    minutes: float | None
    batch_size: int | None
    seq_len: int | None
    learning_rate: float | None
    weight_decay: float | None
    grad_clip: float | None
    dtype: str | None
    device: str | None
    seed: int | None
    threads: int | None
    patience: int | None
    checkpoint_every: int | None
    sync_every: int | None


def fit(
    text: Texts | None = None,
    *,
    name: str | None = None,
    checkpoints: Place | None = None,
    resume: Source = None,
    init_from: Source = None,
    drop_unused: bool = False,
    cache: Place | None = None,
    page: bool = False,
    quiet: bool = False,
    on_report: Callable[[Report], object] | None = None,
    **settings: Unpack[Settings],
) -> Generator:
    """Train a model on a text. Returns the one that was best in validation.

    It trains for five minutes, unless `minutes`, `steps` or `epochs` says how long. With a length in minutes, the size
    of the model and other settings are chosen for this machine and this text; what you give wins.

    Ctrl-C, or interrupting the kernel, completes the step and returns the model as it is; `fit(resume=model)` goes on
    with it, exactly as if it had never been stopped. On Linux, the process keeps the memory that it frees for the next
    step, from the first training on.

    Args:
        text: a string with line ends is the text itself. A path, or a list of paths, names files, folders or patterns.
            None is for the source of Python's standard library, or for the text of a run that is resumed.
        name: with a name, the run keeps its checkpoints in `checkpoints/NAME`, as the command does. Without one,
            nothing stays on the disk but the text and its ids in the cache.
        checkpoints: the folder where runs are kept; None for `checkpoints`.
        resume: what to go on with: a run's folder, a model that `fit` returned, or a file that it was saved in. The
            settings are the run's then; a new length makes it longer.
        init_from: a model to begin with: a run's folder, a checkpoint, or a model in memory.
        drop_unused: forget its characters that the text lacks.
        cache: the folder where encoded texts are kept; None for the user's own.
        page: keep a page in the folder of a run with a name, which shows how it learns.
        quiet: show nothing.
        on_report: is called with each `charlstm.Report`. It may raise KeyboardInterrupt to stop the training. After
            any other error in it, the run so far is kept, and a message names its folder.

    Raises:
        InputError: when a setting, the text or a checkpoint won't do.
        RunError: when the training went wrong, or the disk is full.
    """
    asked = _Asked(text, settings, name, checkpoints, resume, init_from, drop_unused, cache, page)
    asked.check(on_report)
    screen, interruption = Silence() if quiet else here(), Interruption(signal.SIGINT)
    with _in_python(screen, asked.own), _place(name, checkpoints, resume, screen) as (folder, is_kept):
        job, words = asked.job(folder, is_kept), _words(folder, is_kept)
        return _model_of(carry_out(job, Clock(), interruption, screen, words, on_report))


@dataclass(frozen=True)
class _Asked:
    """The arguments of `fit` that say what to train.

    Attributes:
        own: files that nobody named, such as the cache's copy of a text, and what they are called in messages.
    """

    text: Texts | None
    settings: Settings
    name: str | None
    checkpoints: Place | None
    resume: Source
    init_from: Source
    drop_unused: bool
    cache: Place | None
    page: bool
    own: dict[str, str] = field(default_factory=dict)

    def check(self, on_report: object) -> None:
        """Raise InputError for arguments of other types, and for those that contradict each other."""
        if self.name is not None and not isinstance(self.name, str):
            raise InputError(f"name must be a string, not {self.name!r}")
        for what, place in (("checkpoints", self.checkpoints), ("cache", self.cache)):
            if place is not None and not isinstance(place, str | os.PathLike):
                raise InputError(f"{what} must be a folder, not {place!r}")
        if on_report is not None and not callable(on_report):
            raise InputError(f"on_report must be a function, not {on_report!r}")
        for what, source in (("resume", self.resume), ("init_from", self.init_from)):
            if source is not None and not isinstance(source, str | os.PathLike | Generator):
                raise InputError(f"{what} must be a run's folder, a checkpoint's file or a model, not {source!r}")
        if self.resume is not None and self.init_from is not None:
            raise InputError("resume and init_from contradict each other: go on with a run, or begin a new one")
        if self.drop_unused and self.init_from is None:
            raise InputError("drop_unused is about the weights of init_from: give both, or neither")

    def job(self, folder: Path, is_kept: bool) -> Job:
        """What is to be trained, in this folder."""
        if self.page and not is_kept:
            raise InputError("page: it is kept in the folder of a run with a name: give name, or call model.page()")
        texts = texts_in(self.text, self.settings.get("encoding") or "utf-8", self.cache)
        if isinstance(self.text, str):
            self.own.update({each: "the text" for each in texts if each != self.text})
        named = {"name": self.name, "resume": self.resume, "init_from": self.init_from}
        return Job(
            name=folder.resolve().name if is_kept else "text",
            folder=folder,
            texts=texts,
            given=given_in(self.settings),
            resume=_origin(self.resume),
            init_from=_beginning(self.init_from),
            drop_unused=self.drop_unused,
            cache=Path(self.cache) if self.cache else None,
            page=self.page,
            command=call("charlstm.fit", self.text, **named, **self.settings),
        )


def _words(folder: Path, is_kept: bool) -> Words:
    return Words(
        where=f"; checkpoints in {folder}" if is_kept else "",
        resume=f'charlstm.fit(resume="{folder}")' if is_kept else "model = charlstm.fit(resume=model)",
        use='write with: "".join(model.generate())',
        longer="more steps, epochs or minutes",
        reworded=in_python,
    )


def _model_of(run: Run) -> Generator:
    """The best model of a finished run; that of another one as it is."""
    last, file = run.now(), run.folder.best
    best = replace(checkpoint.load(file), learning=None) if file.exists() else None
    model = Generator.from_checkpoint(best if best and run.is_finished else last, run.trainer.device)
    model.sitting = Sitting(last, best)
    return model


@contextmanager
def _place(name: str | None, checkpoints: Place | None, resume: Source, screen: Screen) -> Iterator[tuple[Path, bool]]:
    """The run's folder, and whether it is kept afterwards."""
    parent = Path(checkpoints) if checkpoints else None
    if folder := _folder_of(resume):
        check_place(folder, name, parent)
        yield folder, True
    elif name is not None:
        yield folder_named(name, parent), True
    elif parent:
        raise InputError(f"checkpoints {parent}: a run is kept there if it has a name: give name, too")
    else:
        scratch = Path(tempfile.mkdtemp(prefix="charlstm-"))
        folder = scratch / "run"
        try:
            yield folder, False
        except BaseException:
            if (folder / "last.pt").exists():
                screen.say(f'the run so far is kept: charlstm.fit(resume="{folder}") goes on with it')
            else:
                shutil.rmtree(scratch, ignore_errors=True)
            raise
        shutil.rmtree(scratch, ignore_errors=True)


def _folder_of(resume: Source) -> Path | None:
    """The folder of the run to go on with. A model, or a file that it was saved in, has none."""
    if resume is None or isinstance(resume, Generator):
        return None
    file = resolve(Path(resume), prefer="last.pt")
    return file.parent if file.name in CHECKPOINTS else None


def _origin(resume: Source) -> Path | Sitting | None:
    """What to go on with: the checkpoint in a run's folder, or what is no part of one."""
    if resume is None:
        return None
    if isinstance(resume, Generator):
        check_resumable(resume.sitting.last if resume.sitting else resume.checkpoint, "the model")
        return resume.sitting
    file = resolve(Path(resume), prefer="last.pt")
    if file.name in CHECKPOINTS:
        return file
    saved = checkpoint.load(file)
    check_resumable(saved, file)
    return Sitting(saved, None)


def _beginning(init_from: Source) -> Path | Checkpoint | None:
    """The model to begin with: a file or a folder, or what is in memory."""
    if isinstance(init_from, Generator):
        return init_from.checkpoint
    return None if init_from is None else Path(init_from)


@contextmanager
def _in_python(screen: Screen, own: Mapping[str, str]) -> Iterator[None]:
    """Inside this block errors and notices speak of arguments, and not of flags or of files that nobody named.

    Ctrl-C is never raised inside of an import, of which there are some before the first step.
    """
    try:
        with (
            raised(signal.SIGINT),
            told_by(lambda message: screen.say(in_python(f"note: {message}"))),
            _threads_kept(),
        ):
            yield
    except (InputError, RunError) as error:
        said = in_python(str(error))
        for file, called in own.items():
            said = said.replace(file, called)
        raise (InputError if isinstance(error, InputError) else RunError)(said) from None


@contextmanager
def _threads_kept() -> Iterator[None]:
    """PyTorch's threads are the program's: what a training sets is as before afterwards."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def _document() -> None:
    """Show the settings where a notebook looks for them: in the signature and in the docstring of `fit`.

    They are fields in `charlstm.config`, with their meaning: to repeat all that here would be a second truth.
    """
    signature = inspect.signature(fit)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    keyword = inspect.Parameter.KEYWORD_ONLY
    settings = [inspect.Parameter(each.name, keyword, default=each.default) for _, each in fields()]
    fit.__signature__ = signature.replace(parameters=own + settings)  # type: ignore[attr-defined]
    lines = [f"        {each.name}: {in_python(help_of(each))}" for _, each in fields()]
    if fit.__doc__:  # python -OO leaves none
        fit.__doc__ += "\n    Settings:\n" + "\n".join(lines) + "\n"


_document()
