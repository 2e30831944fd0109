"""A training from its settings, or from its checkpoint: what `charlstm.train` does once the flags are read."""

from __future__ import annotations

import os
import secrets
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from charlstm import checkpoint
from charlstm.config import DEFAULT_MINUTES, LENGTHS, ModelConfig, TextConfig, TrainConfig, flag_of
from charlstm.device import choose_device, choose_dtype
from charlstm.errors import InputError, Notice
from charlstm.generator import Generator
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM
from charlstm.model.transplant import transplant
from charlstm.record import RunRecord, recorded, run_of
from charlstm.text.corpus import Corpus
from charlstm.text.record import open_text, reopen_text
from charlstm.text.split import Parts, split
from charlstm.text.vocab import END, Vocab
from charlstm.training.folder import RunFolder
from charlstm.training.plan import MOST_EPOCHS, Choice, plan_steps
from charlstm.training.rehearsal import choose_here, plan_seconds
from charlstm.training.trainer import Trainer

DROPOUTS = {"dropout", "recurrent_dropout"}
"""Settings of a model that aren't of its shape."""


@dataclass(frozen=True)
class Given:
    """The settings that were given, by name; those that weren't are the defaults' or the checkpoint's."""

    text: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]


def begin(
    texts: list[str],
    given: Given,
    folder: RunFolder,
    cache: Path | None = None,
    init_from: Path | None = None,
    drop_unused: bool = False,
    command: str = "",
) -> Trainer:
    """A new run; `set_length` then plans it.

    Args:
        texts: as for `open_text`.
        folder: the run's own, entered.
        init_from: a checkpoint whose model and weights to start with.
        drop_unused: forget its characters that the text lacks.
        command: what was typed, to be recorded.

    Raises:
        InputError: when a setting, the text, the folder or the checkpoint won't do.
    """
    text_config, config = TextConfig(**given.text), TrainConfig(**given.train)
    shape = dict(given.model)
    if shape.get("tie_weights") and shape.get("embedding_dim"):
        shape.setdefault("hidden_size", shape["embedding_dim"])
    ModelConfig(vocab_size=1, **shape)  # a mistake in it is better told before a long text is read
    if all(getattr(config, name) is None for name in LENGTHS):
        config = replace(config, minutes=DEFAULT_MINUTES)
    config = replace(config, device=choose_device(config.device).type)
    origin = checkpoint.load(checkpoint.resolve(init_from, prefer="best.pt")) if init_from else None
    if origin:
        fixed = {name: value for name, value in given.model.items() if name not in DROPOUTS}
        _refuse_contradictions(fixed, asdict(origin.model_config))
    if folder.is_taken:
        raise InputError(
            f"{folder.path}: a run is here already: go on with --resume {folder.path}, or give another --name"
        )

    also = origin.vocab.characters if origin and not drop_unused else ""
    corpus, text = open_text(texts, text_config, cache, also=also)
    if config.threads:
        torch.set_num_threads(config.threads)
    config = replace(
        config, threads=torch.get_num_threads(), dtype=choose_dtype(config.dtype, torch.device(config.device))
    )
    parts = _parts(corpus, text_config, config.seq_len)
    inherited = asdict(origin.model_config) if origin else {}
    shape = {**inherited, **shape, "vocab_size": len(corpus.vocab)}
    chosen: list[Choice] = []
    seconds = 0.0
    if config.minutes:
        began = time.monotonic()
        fixed = {**shape, **given.train}
        if origin:  # which read another text
            fixed = {name: value for name, value in fixed.items() if name not in DROPOUTS - given.model.keys()}
        chosen = choose_here(corpus.vocab, parts, config, folder, fixed)
        values: dict[str, Any] = {choice.setting: choice.value for choice in chosen}
        shape |= {name: values.pop(name) for name in values.keys() & ModelConfig.__dataclass_fields__.keys()}
        config = replace(config, **values)
        seconds = time.monotonic() - began
    torch.manual_seed(config.seed)
    model = CharLSTM(ModelConfig(**shape))
    if CELLS[model.config.cell].lowest and model.config.num_layers == 1:
        shown = f"{model.config.cell} is more than an LSTM only in a second layer: give --num-layers 2, or more"
        warnings.warn(shown, Notice, stacklevel=2)
    came_from = None
    if origin:
        Generator.from_checkpoint(origin)  # whose weights must fit
        moved = transplant(
            origin.weights, origin.vocab.characters, model, corpus.vocab.characters, {END: "\n", "\n": END}
        )
        came_from = f"{init_from}: {moved}"
        if END in origin.vocab and END not in corpus.vocab:
            warnings.warn(f"{init_from} learned documents; give --documents to go on with them", Notice, stacklevel=2)
    record = RunRecord(
        id=secrets.token_hex(8),
        text=text,
        text_config=text_config,
        init_from=came_from,
        began=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        chosen=[str(choice) for choice in chosen],
    )
    trainer = _trainer(model, corpus.vocab, parts, record, config, folder)
    trainer.progress.seconds = seconds  # what choosing took is of the run's time
    return trainer


def resume(file: Path, texts: list[str], given: Given, folder: RunFolder, cache: Path | None = None) -> Trainer:
    """A run as it stood at a checkpoint.

    Args:
        texts: where the run's text is now, if not where it was.
        folder: where it goes on, entered: the checkpoint's.
        given: nothing but what the run has already, besides its length, the device and the threads.

    Raises:
        InputError: when the checkpoint can't be read, a setting contradicts it, or its text is not there.
    """
    saved = checkpoint.load(file)
    record, config = recorded(saved)
    if file != folder.last and (other := run_of(folder.last)) and other[0].id != record.id:
        raise InputError(f"{folder.last} is of another run: give {file} a folder of its own")
    movable = {*LENGTHS, "device", "threads"}
    _refuse_contradictions(given.text, asdict(record.text_config))
    _refuse_contradictions(given.model, asdict(saved.model_config))
    _refuse_contradictions({k: v for k, v in given.train.items() if k not in movable}, asdict(config))
    config = _moved(config, given.train)
    new_length = any(name in given.train and given.train[name] != getattr(config, name) for name in LENGTHS)
    if new_length:
        config = TrainConfig(**{**asdict(config), **{name: given.train.get(name) for name in LENGTHS}})

    corpus = reopen_text(record.text, saved.vocab, texts, cache)
    assert config.threads, "settled when the run began"
    torch.set_num_threads(config.threads)
    parts = _parts(corpus, record.text_config, config.seq_len)
    trainer = _trainer(CharLSTM(saved.model_config), corpus.vocab, parts, record, config, folder)
    try:
        trainer.restore(saved)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{file}: an incomplete checkpoint ({why}): use another one of the run") from None
    if new_length:
        set_length(trainer)
    return trainer


def set_length(trainer: Trainer, seconds_gone: float = 0.0) -> None:
    """Plan and record a run's steps from the `steps`, `epochs` or `minutes` of its config, counted from its beginning.

    Args:
        seconds_gone: what of the minutes was spent before the run began.

    Raises:
        InputError: when it is there already.
    """
    config, done, lanes, before = trainer.config, trainer.progress, trainer.lanes, trainer.plan
    is_new = not done.step
    if config.steps is None and config.epochs is None:
        assert config.minutes, "one of the three is always set"
        left = 60 * config.minutes - done.seconds - seconds_gone
        if done.step and left <= 0:
            raise InputError(f"the run has trained {done.seconds / 60:.3g} minutes: --minutes must be more")
        trainer.plan = plan_seconds(trainer, left)
        enough = MOST_EPOCHS * lanes.batches
        if is_new and trainer.run["chosen"] and trainer.plan.steps > enough:
            trainer.plan = plan_steps(enough, lanes.batch_size * lanes.seq_len)
            shown = f"so short a text is learned after {MOST_EPOCHS} epochs, before the time is over"
            warnings.warn(shown, Notice, stacklevel=2)
        if trainer.plan.steps == trainer.progress.step + 1:
            warnings.warn("the minutes are over before training begins: one step is left", Notice, stacklevel=2)
    else:
        steps = config.steps or max(1, round((config.epochs or 0) * lanes.batches))
        if steps <= done.step:
            raise InputError(f"the run is at step {done.step}, epoch {done.step / lanes.batches:.2f}: ask for more")
        trainer.plan = plan_steps(steps, lanes.batch_size * lanes.seq_len)
    trainer.progress.stale = 0  # who asks for more wants it, whatever patience said
    if trainer.progress.best is not None and trainer.plan.val_characters != before.val_characters:
        trainer.progress.best = _score_of_best(trainer)
    trainer.save(trainer.folder.last)  # from here on a run that is killed can be resumed, with this plan


def _score_of_best(trainer: Trainer) -> float | None:
    """What `best.pt` scores by the plan's own measure, so that later reports are compared with their like."""
    found = run_of(trainer.folder.best)
    if found is None or found[0].id != trainer.run["id"]:
        return None  # gone, damaged or put there from elsewhere: the next report is the best
    current = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.model.load_state_dict(found[1].weights)
    best = trainer.validate()
    trainer.model.load_state_dict(current)
    return best


def _trainer(
    model: CharLSTM, vocab: Vocab, parts: Parts, record: RunRecord, config: TrainConfig, folder: RunFolder
) -> Trainer:
    model.to(config.device)
    trainer = Trainer(model, vocab, parts, config, folder, asdict(record), Generator(model, vocab).preview)
    lanes = trainer.lanes.batch_size
    if lanes < config.batch_size:
        shown = f"the text has room for {lanes} lanes of {config.seq_len} characters, not {config.batch_size}"
        warnings.warn(shown, Notice, stacklevel=3)
    return trainer


def _parts(corpus: Corpus, text: TextConfig, seq_len: int) -> Parts:
    return split(corpus.ids, text.val_fraction, text.test_fraction, seq_len, corpus.vocab.end_id)


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
    threads, cores = given.get("threads", config.threads), os.cpu_count() or 1
    if threads != config.threads:
        _warn_of_move(f"with {config.threads} threads", f"with {threads}")
    elif threads > cores:
        warnings.warn(
            f"{threads} threads on {cores} processors: --threads {cores} is faster, though not bit for bit"
            " what the run would have been",
            Notice,
            stacklevel=3,
        )
    return replace(config, device=device, threads=threads)


def _warn_of_move(then: str, now: str) -> None:
    warnings.warn(f"the run began {then} and goes on {now}: not bit for bit as it would have", Notice, stacklevel=4)
