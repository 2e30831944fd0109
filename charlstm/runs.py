"""A training from its settings, or from its checkpoint."""

from __future__ import annotations

import math
import platform
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from charlstm.clock import Clock
from charlstm.config import LENGTHS, ModelConfig, TrainConfig
from charlstm.device import machine, processor
from charlstm.earlier import check_resumable, loaded, refuse_foreign, refuse_taken, run_of
from charlstm.errors import InputError, notice
from charlstm.given import Given, on_this_machine, refuse_contradictions
from charlstm.loops.compiling import has_loops, machine_code
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM
from charlstm.model.lstm_steps import LOOPS
from charlstm.model.transplant import transplant
from charlstm.sampling.compiled_layers import precisions_of_one
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import RunFolder, resolve
from charlstm.saved.record import RunRecord, versions
from charlstm.text.corpus import Corpus
from charlstm.text.opening import open_text, reopen_text
from charlstm.text.split import Parts
from charlstm.text.vocab import END, Vocab
from charlstm.training.plan import Choice
from charlstm.training.processes import ALONE, Processes
from charlstm.training.rehearsal import choose_here, plan_for
from charlstm.training.run import Run
from charlstm.training.trainer import Trainer
from charlstm.writer import Writer

DROPOUTS = {"dropout", "recurrent_dropout"}
"""Settings of a model that don't change its shape."""


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
    init_from: Path | Checkpoint | None = None,
    drop_unused: bool = False,
    command: str = "",
    show: Callable[[Made], object] = lambda made: None,
    processes: Processes = ALONE,
) -> Run:
    """A new run, planned, saved and ready to train.

    Args:
        texts: as for `open_text`.
        folder: the run's own, entered.
        clock: what it shows counts for the run's minutes.
        init_from: a checkpoint, or its file, whose model and weights to start with.
        drop_unused: forget its characters that the text lacks.
        command: what was typed, to be recorded.
        show: called with what was made, before planning takes its time.
        processes: those that train together. All call this; the folder is the first one's.

    Raises:
        InputError: when a setting, the text, the folder or the checkpoint won't do.
    """
    text_config, model_settings, config = given.begun()
    origin = _origin(init_from, given, processes) if init_from else None
    if processes.is_first:
        refuse_taken(folder)
    with clock.paused():  # how long a text takes to read says nothing of how long it should be learned
        also = origin.vocab.characters if origin and not drop_unused else ""
        corpus, text = open_text(texts, text_config, cache, also=also)
        config = on_this_machine(config, processes)
        _compile_ahead(config, origin.model_config.cell if origin else given.model.get("cell", "lstm"))
    _compare(corpus, processes)
    parts = corpus.parts(text_config, config.seq_len)
    model_settings, config, chosen = _chosen(model_settings, config, given, origin, corpus.vocab, parts, processes)
    model = CharLSTM.seeded(ModelConfig(**model_settings), config.seed)
    came_from = None
    if origin:
        name = "a model in memory" if isinstance(init_from, Checkpoint) else init_from
        came_from = f"{name}: {_planted(origin, model, corpus.vocab)}"
    trainer = _trainer(model, parts, config, corpus.vocab, processes)
    show(Made(trainer, corpus.vocab, came_from, chosen))

    preview = _preview(trainer, corpus.vocab)
    record = RunRecord(
        id=secrets.token_hex(8),
        text=text,
        train_config=config,
        plan=plan_for(trainer, corpus.vocab, folder, clock, preview, is_chosen=bool(chosen)),
        init_from=came_from,
        began=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        chosen=chosen,
        **_machinery(config.device),
    )
    trainer.progress.seconds = trainer.progress.reported = clock.seconds  # nothing was learned yet
    run = Run(trainer, corpus.vocab, record, folder, clock, preview)
    run.save(folder.last)  # from here on a run that is killed can be resumed, with this plan
    return run


def _machinery(device: str) -> dict[str, Any]:
    """What a run begins with: the fields of its record that tell of machine and programs."""
    return {
        "processor": processor() if device == "cpu" else "",
        "machine": machine(device),
        "versions": versions(),
    }


def resume(
    file: Path,
    texts: list[str],
    given: Given,
    folder: RunFolder,
    clock: Clock,
    *,
    cache: Path | None = None,
    processes: Processes = ALONE,
) -> Run:
    """A run as it stood at a checkpoint.

    Args:
        texts: where the run's text is now, if not where it was.
        given: length, device and threads may differ from the run's; any other setting must equal the recorded one.
        folder: where it goes on, entered: the checkpoint's.
        clock: counts the seconds of this sitting; those of the earlier ones are added.
        processes: those that train together, as many as one likes. All call this; the file is the first one's.

    Raises:
        InputError: when the checkpoint can't be read, a setting contradicts it, or its text is not there.
    """
    saved = loaded(file, processes)
    record, progress, learning = check_resumable(saved, file)
    if processes.is_first:
        refuse_foreign(folder, file, record)
    config = given.resumed(record, saved.model_config)
    with clock.paused():
        corpus, text = reopen_text(record.text, saved.vocab, texts, cache)
        _compile_ahead(config, saved.model_config.cell)
    _compare(corpus, processes)
    clock.advance(progress.seconds)
    processes.use_threads(config.threads)
    model = CharLSTM.with_weights(saved.model_config, saved.weights)
    trainer = _trainer(model, corpus.parts(record.text.config, config.seq_len), config, corpus.vocab, processes)
    try:
        trainer.restore(progress, learning)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    preview = _preview(trainer, corpus.vocab)
    run = Run(trainer, corpus.vocab, replace(record, train_config=config, text=text), folder, clock, preview)
    if any(getattr(config, name) != getattr(record.train_config, name) for name in LENGTHS):
        run.record = replace(run.record, plan=plan_for(trainer, corpus.vocab, folder, clock, preview))
        done = trainer.progress
        done.stale = 0  # who asks for more wants it, whatever patience said
        if done.best is not None and run.record.plan.val_characters != record.plan.val_characters:
            done.best = _score_of_best(run)
    if processes.of_first(run.record != record):
        run.save(folder.last)
    return run


def _compare(corpus: Corpus, processes: Processes) -> None:
    """Wait until all processes have read the text. Raises InputError where it isn't the first one's."""
    processes.meet()
    if corpus.digest != processes.of_first(corpus.digest):
        raise InputError(f"the text on {platform.node()} isn't the first process's: put the same files on all machines")


def _compile_ahead(config: TrainConfig, cell: str) -> None:
    """Compile what the first steps and the first sample would wait for, if it isn't kept from an earlier start."""
    if has_loops() and config.device == "cpu" and cell == "lstm":
        for loop in LOOPS:
            machine_code("training", loop, config.dtype)
        for precision in precisions_of_one():
            machine_code("sampling", "layer", precision)


def _preview(trainer: Trainer, vocab: Vocab) -> Callable[[int], str]:
    """What writes the samples of reports: of several processes, the first one."""
    return Writer(trainer.model, vocab).preview if trainer.processes.is_first else lambda seed: ""


def _origin(init_from: Path | Checkpoint, given: Given, processes: Processes) -> Checkpoint:
    """The checkpoint to begin with, whose model is the one that was asked for."""
    origin = init_from
    if not isinstance(origin, Checkpoint):
        origin = loaded(resolve(origin, prefer="best.pt") if processes.is_first else None, processes)
    fixed = {name: value for name, value in given.model.items() if name not in DROPOUTS}
    refuse_contradictions(fixed, asdict(origin.model_config))
    return origin


def _chosen(
    settings: dict[str, Any],
    config: TrainConfig,
    given: Given,
    origin: Checkpoint | None,
    vocab: Vocab,
    parts: Parts,
    processes: Processes,
) -> tuple[dict[str, Any], TrainConfig, tuple[str, ...]]:
    """The settings of the model and of its training, with those that the minutes choose; and a line for each choice."""
    settings = {**(asdict(origin.model_config) if origin else {}), **settings, "vocab_size": len(vocab)}
    choices: list[Choice] = []
    if config.minutes:
        fixed = {**settings, **given.train}
        if origin:  # its dropouts were chosen for another text
            fixed = {name: value for name, value in fixed.items() if name not in DROPOUTS - given.model.keys()}
        choices = choose_here(vocab, parts, config, fixed, processes)
    values: dict[str, Any] = {choice.setting: choice.value for choice in choices}
    settings |= {name: values.pop(name) for name in values.keys() & ModelConfig.__dataclass_fields__.keys()}
    return settings, replace(config, **values), tuple(map(str, choices))


def _planted(origin: Checkpoint, model: CharLSTM, vocab: Vocab) -> object:
    """Put a checkpoint's weights into a new model. Returns what became of its characters."""
    if END in origin.vocab and END not in vocab:
        notice("the model of --init-from learned documents; give --documents to go on with them")
    return transplant(origin.weights, origin.vocab.characters, model, vocab.characters, {END: "\n", "\n": END})


def _score_of_best(run: Run) -> float | None:
    """The score of `best.pt` by the plan's own measure, so that later reports are compared with their like."""
    model, processes = run.trainer.model, run.trainer.processes
    best = run_of(run.folder.best, processes) if processes.of_first(run.folder.best.exists()) else None
    is_own = best is not None and best.run is not None and best.run.id == run.record.id
    if best is None or not is_own or (best.model_config, best.vocab) != (model.config, run.vocab):
        return None  # gone, damaged or put there from elsewhere: the next report is the best
    current = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best.weights)
    score = run.trainer.validate(run.record.plan.val_characters)
    model.load_state_dict(current)
    return score if score is not None and math.isfinite(score) else None


def _trainer(model: CharLSTM, parts: Parts, config: TrainConfig, vocab: Vocab, processes: Processes) -> Trainer:
    if CELLS[model.config.cell].lowest and model.config.num_layers == 1:
        notice(f"{model.config.cell} is more than an LSTM only in a second layer: give --num-layers 2, or more")
    trainer = Trainer(model.to(config.device), parts, config, vocab.end_id, processes)
    if trainer.lanes.batch_size < config.batch_size:
        notice(
            f"the text has room for {trainer.lanes.batch_size} lanes of {config.seq_len} characters,"
            f" not {config.batch_size}"
        )
    return trainer
