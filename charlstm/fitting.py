"""`charlstm.fit`: train a model from Python, with the settings of the command."""

from __future__ import annotations

import codecs
import copy
import dataclasses
import difflib
import inspect
import os
import re
import reprlib
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from charlstm.clock import Clock
from charlstm.config import ModelConfig, TextConfig, TrainConfig, help_of
from charlstm.errors import InputError, RunError, told_by
from charlstm.generator import Generator
from charlstm.given import Given
from charlstm.interruption import Interruption
from charlstm.job import Job, Words, carry_out
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import check_place, folder_named, resolve
from charlstm.screen import Silence, here
from charlstm.text.cache import Cache
from charlstm.text.sources import keep_text
from charlstm.training.report import Report
from charlstm.training.run import Run

if TYPE_CHECKING:
    from typing_extensions import Unpack

CONFIGS = (TextConfig, ModelConfig, TrainConfig)
"""Whose fields are settings of `fit`, but for those that follow from the text."""

Place = str | os.PathLike[str]
Texts = Place | Sequence[Place]
Source = Place | Generator | None


class Settings(TypedDict, total=False):
    """The settings by name. What they mean, and their limits, stands in `charlstm/config.py`."""

    encoding: str
    min_count: int
    documents: str
    val_fraction: float
    test_fraction: float
    cell: str
    hidden_size: int
    num_layers: int
    ensemble_size: int
    embedding_dim: int | None
    dropout: float
    recurrent_dropout: float
    tie_weights: bool
    steps: int | None
    epochs: float | None
    minutes: float | None
    batch_size: int
    seq_len: int
    learning_rate: float
    weight_decay: float
    grad_clip: float
    dtype: str
    device: str
    seed: int
    threads: int | None
    patience: int | None
    checkpoint_every: int | None


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
    with it, exactly as if it had never been stopped.

    Args:
        text: a string with line ends is the text itself. A path, or a list of paths, names files, folders or patterns.
            None is for the source of Python's standard library, or for the text of a run that is resumed.
        name: with a name, the run keeps its checkpoints in `checkpoints/NAME`, as the command does. Without one,
            nothing stays on the disk but the encoded text in the cache.
        checkpoints: the folder where runs are kept; None for `checkpoints`.
        resume: what to go on with: a run's folder, a checkpoint, or a model that `fit` returned. Then the settings are
            the run's; a new length makes it longer.
        init_from: a model to begin with: a run's folder, a checkpoint, or a model in memory.
        drop_unused: forget its characters that the text lacks.
        cache: the folder where encoded texts are kept; None for the user's own.
        page: keep a page in the run's folder, which shows how it learns.
        quiet: show nothing.
        on_report: is called with each `charlstm.Report`. It may raise KeyboardInterrupt to stop the training.

    Raises:
        InputError: when a setting, the text or a checkpoint won't do.
        RunError: when the training went wrong, or the disk is full.
    """
    if resume is not None and init_from is not None:
        raise InputError("resume and init_from contradict each other: go on with a run, or begin a new one")
    if drop_unused and init_from is None:
        raise InputError("drop_unused is about the weights of init_from: give both, or neither")
    clock, interruption, screen = Clock(), Interruption(signal.SIGINT), Silence() if quiet else here(_in_python)
    notices = told_by(lambda message: screen.say(f"note: {message}"))
    with notices, _errors_in_python(), _threads_kept(), _place(name, checkpoints, resume) as (folder, is_kept):
        job = Job(
            name=folder.resolve().name if is_kept else "text",
            folder=folder,
            texts=_texts(text, settings, cache),
            given=_given(settings),
            resume=_origin(resume, "last.pt"),
            init_from=_origin(init_from, "best.pt"),
            drop_unused=drop_unused,
            cache=Path(cache) if cache else None,
            page=page,
            command=_call(text, name=name, resume=resume, init_from=init_from, **settings),
        )
        words = Words(
            where=f"; checkpoints in {folder}" if is_kept else "",
            resume=f'charlstm.fit(resume="{folder}")' if is_kept else "model = charlstm.fit(resume=model)",
            use='write with: "".join(model.generate())',
            longer="more steps, epochs or minutes",
        )
        run = carry_out(job, clock, interruption, screen, words, on_report)
        return _model_of(run)


def _model_of(run: Run) -> Generator:
    """The best model of a finished run; that of another one as it is."""
    is_done = run.is_finished
    saved = checkpoint.load(resolve(run.folder.path, prefer="best.pt")) if is_done else run.now()
    model = Generator.from_checkpoint(saved, run.trainer.device)
    model.learning = saved.learning
    return model


@contextmanager
def _place(name: str | None, checkpoints: Place | None, resume: Source) -> Iterator[tuple[Path, bool]]:
    """The run's folder, and whether it is kept afterwards."""
    parent = Path(checkpoints) if checkpoints else None
    if resume is not None and not isinstance(resume, Generator):
        folder = resolve(Path(resume), prefer="last.pt").parent
        check_place(folder, name, parent)
        yield folder, True
    elif name is not None:
        yield folder_named(name, parent), True
    elif parent:
        raise InputError(f"--checkpoints {parent}: a run is kept there if it has a name: give --name, too")
    else:
        with tempfile.TemporaryDirectory(prefix="charlstm-") as scratch:
            yield Path(scratch) / "run", False


def _origin(given: Source, prefer: str) -> Path | Checkpoint | None:
    """A model to go on with or to begin with: its file, or what is in memory."""
    if isinstance(given, Generator):
        return copy.deepcopy(given.checkpoint)  # a training changes what it goes on from
    return None if given is None else resolve(Path(given), prefer=prefer)


def _texts(text: Texts | None, settings: Settings, cache: Place | None) -> list[str]:
    """The files of a text, as arguments of the command; a text itself is put into the cache."""
    if text is None:
        return []
    if isinstance(text, str | os.PathLike):
        return [_file(text, settings, cache)]
    if not isinstance(text, Sequence) or isinstance(text, bytes | bytearray) or not text:
        raise InputError(f"text must be a string, a path, or a list of paths, not {reprlib.repr(text)}")
    if any(isinstance(each, str) and _has_line_ends(each) for each in text):
        raise InputError('a list names files: make one text of several strings, with "\\n".join(texts)')
    return [_file(each, settings, cache) for each in text]


def _file(text: str | os.PathLike[str], settings: Settings, cache: Place | None) -> str:
    if not isinstance(text, str):
        return os.fspath(text)
    if _has_line_ends(text):
        encoding = TextConfig(encoding=settings.get("encoding", "utf-8")).encoding
        if codecs.lookup(encoding).name != "utf-8":
            raise InputError("--encoding is for files: a string has its characters already")
        return str(keep_text(text, Cache(Path(cache) if cache else None)))
    if not os.path.exists(text) and not any(c in text for c in "*?["):
        raise InputError(f"{reprlib.repr(text)}: no such file; a text itself, and not its file's name, has line ends")
    return text


def _has_line_ends(text: str) -> bool:
    return "\n" in text or "\r" in text


def _given(settings: Settings) -> Given:
    """The settings, sorted into those of the text, of the model and of the training. None leaves a default."""
    owners = {field.name: config for config, field in _fields()}
    for name in settings:
        if name not in owners:
            likely = difflib.get_close_matches(name, owners, 1)
            hint = f"is it {likely[0]}?" if likely else "help(charlstm.fit) lists them all"
            raise InputError(f"there is no setting {name}: {hint}")
    given = [(name, value) for name, value in settings.items() if value is not None]
    return Given(*({name: value for name, value in given if owners[name] is config} for config in CONFIGS))


def _fields() -> list[tuple[type, dataclasses.Field[Any]]]:
    """The settings, each with the class that it belongs to; without those that follow from the text."""
    fields = ((config, field) for config in CONFIGS for field in dataclasses.fields(config))
    return [(config, field) for config, field in fields if field.default is not dataclasses.MISSING]


def _call(text: Texts | None, **arguments: object) -> str:
    """What was called, for the run's record."""
    shown = [] if text is None else [reprlib.repr(text)]
    shown += [f"{name}={reprlib.repr(value)}" for name, value in arguments.items() if value is not None]
    return f"charlstm.fit({', '.join(shown)})"


def _in_python(message: str) -> str:
    """A message that speaks of flags, as one of arguments: `--init-from` becomes `init_from`."""
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda flag: flag[1].replace("-", "_"), message)


@contextmanager
def _errors_in_python() -> Iterator[None]:
    try:
        yield
    except (InputError, RunError) as error:
        kind = InputError if isinstance(error, InputError) else RunError
        raise kind(_in_python(str(error))) from None


@contextmanager
def _threads_kept() -> Iterator[None]:
    """PyTorch's threads are the program's: what a training sets is as before afterwards."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def _documented() -> None:
    """Show the settings where a notebook looks for them: in the signature and in the docstring of `fit`."""
    signature = inspect.signature(fit)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    keyword = inspect.Parameter.KEYWORD_ONLY
    settings = [inspect.Parameter(field.name, keyword, default=field.default) for _, field in _fields()]
    fit.__signature__ = signature.replace(parameters=own + settings)  # type: ignore[attr-defined]
    lines = [f"        {field.name}: {_in_python(help_of(field))}" for _, field in _fields()]
    fit.__doc__ = f"{fit.__doc__}\n    Settings:\n" + "\n".join(lines) + "\n"


_documented()
