"""A training from its settings, or from its checkpoint: what `charlstm.train` does once the flags are read."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from charlstm.clock import Clock
from charlstm.config import DEFAULT_MINUTES, LENGTHS, ModelConfig, TextConfig, TrainConfig, flag_of
from charlstm.device import choose_device, choose_dtype, processor
from charlstm.errors import InputError, notice
from charlstm.generator import Generator
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM
from charlstm.model.transplant import transplant
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import RunFolder, resolve
from charlstm.saved.record import RunRecord
from charlstm.text.opening import open_text, reopen_text
from charlstm.text.split import Parts
from charlstm.text.vocab import END, Vocab
from charlstm.training.plan import Choice
from charlstm.training.rehearsal import choose_here, plan_for
from charlstm.training.run import Run
from charlstm.training.trainer import Trainer

DROPOUTS = {"dropout", "recurrent_dropout"}
"""Settings of a model that don't change its shape."""


@dataclass(frozen=True)
class Given:
    """The settings that were given, by name; the others are the defaults', the chosen ones or the checkpoint's."""

    text: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """A new training, before its time is planned: what there is to show of it."""

    trainer: Trainer
    vocab: Vocab
    init_from: str | None
    chosen: tuple[str, ...]


def begin(
    texts: list[str],
    given: Given,
    folder: RunFolder,
    clock: Clock,
    *,
    cache: Path | None = None,
    init_from: Path | None = None,
    drop_unused: bool = False,
    command: str = "",
    show: Callable[[Made], object] = lambda made: None,
) -> Run:
    """A new run, planned, saved and ready to train.

    Args:
        texts: as for `open_text`.
        folder: the run's own, entered.
        clock: what it shows counts for the run's minutes.
        init_from: a checkpoint whose model and weights to start with.
        drop_unused: forget its characters that the text lacks.
        command: what was typed, to be recorded.
        show: called with what was made, before planning takes its time.

    Raises:
        InputError: when a setting, the text, the folder or the checkpoint won't do.
    """
    text_config, model_settings, config = _settled(given)
    origin = _origin(init_from, given) if init_from else None
    if folder.is_taken:
        raise InputError(
            f"{folder.path}: a run is here already: go on with --resume {folder.path}, or give another --name"
        )
    with clock.paused():  # how long a text takes to read says nothing of how long it should be learned
        also = origin.vocab.characters if origin and not drop_unused else ""
        corpus, text = open_text(texts, text_config, cache, also=also)

    parts = corpus.parts(text_config, config.seq_len)
    config = _on_this_machine(config)
    model_settings, config, chosen = _chosen(model_settings, config, given, origin, corpus.vocab, parts)
    model = CharLSTM.seeded(ModelConfig(**model_settings), config.seed)
    came_from = f"{init_from}: {_planted(origin, model, corpus.vocab)}" if origin else None
    trainer = _trainer(model, parts, config, corpus.vocab)
    show(Made(trainer, corpus.vocab, came_from, chosen))

    preview = Generator(model, corpus.vocab).preview
    record = RunRecord(
        id=secrets.token_hex(8),
        text=text,
        train_config=config,
        plan=plan_for(trainer, corpus.vocab, folder, clock, preview, is_chosen=bool(chosen)),
        init_from=came_from,
        began=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        chosen=chosen,
        processor=processor() if config.device == "cpu" else "",
    )
    trainer.progress.seconds = trainer.progress.reported = clock.seconds  # nothing was learned yet
    run = Run(trainer, corpus.vocab, record, folder, clock, preview)
    run.save(folder.last)  # from here on a run that is killed can be resumed, with this plan
    return run


def resume(
    file: Path, texts: list[str], given: Given, folder: RunFolder, clock: Clock, *, cache: Path | None = None
) -> Run:
    """A run as it stood at a checkpoint.

    Args:
        texts: where the run's text is now, if not where it was.
        given: length, device and threads may differ from the run's; any other setting must equal the recorded one.
        folder: where it goes on, entered: the checkpoint's.
        clock: counts the seconds of this sitting; those of the earlier ones are added.

    Raises:
        InputError: when the checkpoint can't be read, a setting contradicts it, or its text is not there.
    """
    saved = checkpoint.load(file)
    record, progress = saved.trained()
    if saved.learning is None:
        raise InputError(
            f"{file}: of an earlier charlstm, whose runs this one can't go on with exactly: begin a new run with"
            f" --init-from {file}"
        )
    _refuse_foreign(folder, file, record)
    config = _resumed(record, saved.model_config, given)
    if config.device == "cpu" and record.processor not in ("", processor()):
        _warn_of_move(f"on {record.processor}", f"on {processor()}")
    with clock.paused():
        corpus, text = reopen_text(record.text, saved.vocab, texts, cache)
    clock.advance(progress.seconds)
    torch.set_num_threads(config.threads or torch.get_num_threads())
    model = CharLSTM.with_weights(saved.model_config, saved.weights)
    trainer = _trainer(model, corpus.parts(record.text.config, config.seq_len), config, corpus.vocab)
    try:
        trainer.restore(progress, saved.learning)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    preview = Generator(model, corpus.vocab).preview
    run = Run(trainer, corpus.vocab, replace(record, train_config=config, text=text), folder, clock, preview)
    if any(getattr(config, name) != getattr(record.train_config, name) for name in LENGTHS):
        run.record = replace(run.record, plan=plan_for(trainer, corpus.vocab, folder, clock, preview))
        done = trainer.progress
        done.stale = 0  # who asks for more wants it, whatever patience said
        if done.best is not None and run.record.plan.val_characters != record.plan.val_characters:
            done.best = _score_of_best(run)
    if run.record != record:
        run.save(folder.last)
    return run


def _settled(given: Given) -> tuple[TextConfig, dict[str, Any], TrainConfig]:
    """The settings of a new run, checked before a long text is read."""
    text_config, config = TextConfig(**given.text), TrainConfig(**given.train)
    model_settings = dict(given.model)
    if model_settings.get("tie_weights") and model_settings.get("embedding_dim"):
        model_settings.setdefault("hidden_size", model_settings["embedding_dim"])
    ModelConfig(vocab_size=1, **model_settings)
    if all(getattr(config, name) is None for name in LENGTHS):
        config = replace(config, minutes=DEFAULT_MINUTES)
    return text_config, model_settings, replace(config, device=choose_device(config.device).type)


def _origin(init_from: Path, given: Given) -> Checkpoint:
    """The checkpoint to begin with, whose model is the one that was asked for."""
    origin = checkpoint.load(resolve(init_from, prefer="best.pt"))
    fixed = {name: value for name, value in given.model.items() if name not in DROPOUTS}
    _refuse_contradictions(fixed, asdict(origin.model_config))
    return origin


def _chosen(
    settings: dict[str, Any], config: TrainConfig, given: Given, origin: Checkpoint | None, vocab: Vocab, parts: Parts
) -> tuple[dict[str, Any], TrainConfig, tuple[str, ...]]:
    """The settings of the model and of its training, with those that the minutes choose; and a line for each choice."""
    settings = {**(asdict(origin.model_config) if origin else {}), **settings, "vocab_size": len(vocab)}
    choices: list[Choice] = []
    if config.minutes:
        fixed = {**settings, **given.train}
        if origin:  # its dropouts were chosen for another text
            fixed = {name: value for name, value in fixed.items() if name not in DROPOUTS - given.model.keys()}
        choices = choose_here(vocab, parts, config, fixed)
    values: dict[str, Any] = {choice.setting: choice.value for choice in choices}
    settings |= {name: values.pop(name) for name in values.keys() & ModelConfig.__dataclass_fields__.keys()}
    return settings, replace(config, **values), tuple(map(str, choices))


def _on_this_machine(config: TrainConfig) -> TrainConfig:
    """The config with `threads` and `dtype` settled."""
    if config.threads:
        torch.set_num_threads(config.threads)
        _warn_of_crowd(config.threads)
    dtype = choose_dtype(config.dtype, torch.device(config.device))
    return replace(config, threads=torch.get_num_threads(), dtype=dtype)


def _planted(origin: Checkpoint, model: CharLSTM, vocab: Vocab) -> object:
    """Put a checkpoint's weights into a new model. Returns what became of its characters."""
    if END in origin.vocab and END not in vocab:
        notice("the model of --init-from learned documents; give --documents to go on with them")
    return transplant(origin.weights, origin.vocab.characters, model, vocab.characters, {END: "\n", "\n": END})


def _refuse_foreign(folder: RunFolder, file: Path, record: RunRecord) -> None:
    """Refuse to go on in a folder with files of another run, or of another program, which this one would write over."""
    if file == folder.last:
        return
    for place in (folder.last, folder.best):
        other = _run_of(place)
        if other and other.run:
            if other.run.id != record.id:
                raise InputError(f"{place} is of another run: give {file} a folder of its own")
            return
    if folder.is_taken and file != folder.best:
        raise InputError(f"{folder.path}: has files that may be of another run: give {file} a folder of its own")


def _run_of(file: Path) -> Checkpoint | None:
    """A checkpoint, or None when it can't be read."""
    try:
        return checkpoint.load(file)
    except InputError:
        return None


def _score_of_best(run: Run) -> float | None:
    """The score of `best.pt` by the plan's own measure, so that later reports are compared with their like."""
    best = _run_of(run.folder.best)
    model = run.trainer.model
    is_own = best is not None and best.run is not None and best.run.id == run.record.id
    if best is None or not is_own or (best.model_config, best.vocab) != (model.config, run.vocab):
        return None  # gone, damaged or put there from elsewhere: the next report is the best
    current = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best.weights)
    score = run.trainer.validate(run.record.plan.val_characters)
    model.load_state_dict(current)
    return score if score is not None and math.isfinite(score) else None


def _resumed(record: RunRecord, model_config: ModelConfig, given: Given) -> TrainConfig:
    """The config of a run that goes on here, with its new length if one was given."""
    movable = {*LENGTHS, "device", "threads"}
    _refuse_contradictions(given.text, asdict(record.text.config))
    _refuse_contradictions(given.model, asdict(model_config))
    _refuse_contradictions({k: v for k, v in given.train.items() if k not in movable}, asdict(record.train_config))
    config = _moved(record.train_config, given.train)
    if any(name in given.train and given.train[name] != getattr(config, name) for name in LENGTHS):
        return TrainConfig(**{**asdict(config), **{name: given.train.get(name) for name in LENGTHS}})
    return config


def _refuse_contradictions(given: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value != recorded[name] and (name, value) != ("dtype", "auto"):
            raise InputError(f"{flag_of(name)} {value} contradicts the checkpoint's {recorded[name]}: leave it out")


def _moved(config: TrainConfig, given: Mapping[str, Any]) -> TrainConfig:
    """The config for this machine, with a warning where the rest of the run won't be bit for bit what it would be."""
    try:
        device = choose_device(given.get("device", config.device)).type
    except InputError:
        if "device" in given:
            raise
        device = choose_device("auto").type
    if device != config.device:
        _warn_of_move(f"on {config.device}", f"on {device}")
    threads = given.get("threads", config.threads)
    if threads != config.threads:
        _warn_of_move(f"with {config.threads} threads", f"with {threads}")
    if threads:
        _warn_of_crowd(threads, ", though not bit for bit what the run would have been")
    return replace(config, device=device, threads=threads)


def _warn_of_crowd(threads: int, but: str = "") -> None:
    if threads > (cores := os.cpu_count() or 1):
        notice(f"{threads} threads on {cores} processors: --threads {cores} is faster{but}")


def _warn_of_move(then: str, now: str) -> None:
    notice(f"the run began {then} and goes on {now}: not bit for bit as it would have")


def _trainer(model: CharLSTM, parts: Parts, config: TrainConfig, vocab: Vocab) -> Trainer:
    if CELLS[model.config.cell].lowest and model.config.num_layers == 1:
        notice(f"{model.config.cell} is more than an LSTM only in a second layer: give --num-layers 2, or more")
    trainer = Trainer(model.to(config.device), parts, config, vocab.end_id)
    if trainer.lanes.batch_size < config.batch_size:
        notice(
            f"the text has room for {trainer.lanes.batch_size} lanes of {config.seq_len} characters,"
            f" not {config.batch_size}"
        )
    return trainer
