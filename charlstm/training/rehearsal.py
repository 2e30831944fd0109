"""From minutes to settings and steps: try out what training costs on this machine, and leave no trace of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from charlstm.clock import Clock
from charlstm.config import ModelConfig, TrainConfig
from charlstm.errors import InputError, RunError, notice
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import RunFolder
from charlstm.saved.record import Plan
from charlstm.text.split import Parts
from charlstm.text.vocab import Vocab
from charlstm.training.plan import (
    LONGEST_INTERVAL,
    MOST_EPOCHS,
    PROBE_BATCH,
    PROBE_LEN,
    PROBE_SIZE,
    REPORTS,
    Choice,
    choose,
    plan_steps,
)
from charlstm.training.processes import ALONE, STOP, Processes
from charlstm.training.trainer import Trainer

SHARE = 0.01
"""The largest share of the time for measuring a step. That is done twice: for the probe, and for what was chosen."""

REPORTING = 0.1
"""The largest share of the time for reports; where one takes long there are fewer, down to one each thousand steps."""

FEWEST_REPORTS = 2
"""However long a report takes."""

ENOUGH_SECONDS = 10.0
"""A step isn't measured for longer than this, however long the run."""


def choose_here(
    vocab: Vocab, parts: Parts, config: TrainConfig, given: Mapping[str, Any], processes: Processes = ALONE
) -> list[Choice]:
    """The settings for the config's minutes, as of `choose`, from how fast this machine learns this text.

    Several processes each learn a probe of their own, at the same time: what they can do is the sum of their speeds.
    """
    assert config.minutes
    chosen = {field.name for known in (ModelConfig, TrainConfig) for field in fields(known) if field.metadata["chosen"]}
    if chosen <= given.keys():
        return []
    seconds = 60 * config.minutes
    shape = ModelConfig(vocab_size=len(vocab), hidden_size=PROBE_SIZE, cell=given.get("cell", "lstm"))
    model = CharLSTM.seeded(shape, config.seed).to(config.device)
    probe = Trainer(model, parts, replace(config, batch_size=PROBE_BATCH, seq_len=PROBE_LEN), vocab.end_id)
    step = _step_seconds(probe, seconds)
    characters = probe.progress.characters / probe.progress.step  # fewer where the text is short
    speed = processes.summed(torch.tensor([characters / step], dtype=torch.float64)).item()
    return choose(len(parts.train), len(vocab), seconds, speed, given)


def plan_for(
    trainer: Trainer,
    vocab: Vocab,
    folder: RunFolder,
    clock: Clock,
    preview: Callable[[int], object],
    is_chosen: bool = False,
) -> Plan:
    """The plan for the `steps`, `epochs` or `minutes` of the trainer's config, counted from the run's beginning.

    Args:
        is_chosen: whether the settings were chosen for the minutes. Such a run ends when it has read enough.

    Raises:
        InputError: when the run is there already.
    """
    config, done, lanes, planned = trainer.config, trainer.progress, trainer.lanes, _planner(trainer)
    if config.minutes is None:
        steps = config.steps or max(1, round((config.epochs or 0) * lanes.batches))
        if steps <= done.step:
            raise InputError(f"the run is at step {done.step}, epoch {done.step / lanes.batches:.2f}: ask for more")
        return planned(steps)
    end = 60 * config.minutes
    if done.step and trainer.processes.of_first(clock.seconds) >= end:
        raise InputError(f"the run has trained {done.seconds / 60:.3g} minutes: --minutes must be more")
    plan = plan_until(trainer, clock, end, vocab, folder.path, preview)
    enough = MOST_EPOCHS * lanes.batches
    if is_chosen and plan.steps > enough:
        notice(f"so short a text is learned after {MOST_EPOCHS} epochs, before the time is over")
        plan = planned(enough)
    if plan.steps == done.step + 1:
        notice("the minutes are over before training begins: one step is left")
    return plan


def plan_until(
    trainer: Trainer, clock: Clock, end: float, vocab: Vocab, folder: Path, preview: Callable[[int], object]
) -> Plan:
    """The plan that ends when the clock shows about `end`, if the machine stays as fast as in these first moments.

    The trainer is left as it was. Several processes rehearse together, and go by the first one's clock.

    Args:
        folder: where the checkpoints of a report are tried out.
        preview: writes the sample of a report.
    """
    processes, planned = trainer.processes, _planner(trainer)
    seconds = processes.of_first(end - clock.seconds)
    with trainer.left_as_it_was():
        step = _step_seconds(trainer, seconds)
        steps = max(1, int(seconds / step))
        # How much a report validates depends on how many reports there are, and how many there can be on what one
        # takes. Two rounds settle it; the first one also has the warm-up.
        reports = REPORTS
        for _ in range(2):
            report = _report_seconds(trainer, planned(steps, reports=reports), vocab, folder, preview)
            reports = min(reports, max(FEWEST_REPORTS, int(REPORTING * seconds / report)))

    left = processes.of_first(end - clock.seconds)
    spent = report * max(reports, left / step / LONGEST_INTERVAL)  # a long run has more reports than were asked for
    return planned(trainer.progress.step + max(1, int((left - spent) / step)), reports=reports)


def _planner(trainer: Trainer) -> Callable[..., Plan]:
    """`plan_steps` for what the trainer reads in a step; the steps are to be given, and perhaps the reports."""
    lanes, every = trainer.lanes, trainer.config.sync_every
    return partial(plan_steps, characters_per_step=lanes.batch_size * lanes.seq_len, sync_every=every)


def _step_seconds(trainer: Trainer, seconds: float) -> float:
    """The time of a step, measured in a small share of the time that there is."""
    enough = min(ENOUGH_SECONDS, SHARE * seconds)
    plan = plan_steps(1_000_000, trainer.lanes.batch_size * trainer.lanes.seq_len)
    trainer.model.train()
    _seconds_each(trainer, plan, enough / 4)  # the first ones are slower
    return _seconds_each(trainer, plan, enough)


def _seconds_each(trainer: Trainer, plan: Plan, seconds: float) -> float:
    """The time of a step, from repeating it for this long, once at least."""
    began, times, is_over = time.monotonic(), 0, False
    while not is_over:
        trainer.train_step(plan)
        times += 1
        if not trainer.syncing.is_synced:  # nobody was heard in this step
            trainer.processes.summed(torch.zeros(1))
        is_over = trainer.processes.heard(STOP, time.monotonic() - began >= seconds)
    each: float = trainer.processes.of_first((time.monotonic() - began) / times)
    return each


def _report_seconds(
    trainer: Trainer, plan: Plan, vocab: Vocab, folder: Path, preview: Callable[[int], object]
) -> float:
    """The time of what a report does. What it writes is thrown away."""
    began = time.monotonic()
    draft, model = folder / ".rehearsal.part", trainer.model
    trainer.validate(plan.val_characters)
    with suppress(RunError):  # if the weights went wrong already, the run itself reports it
        preview(0)
    trainer.bring_weights()
    contents = Checkpoint(model.config, vocab, model.state_dict(), learning=trainer.learning())
    if trainer.processes.is_first:
        try:
            for _ in ("best.pt", "last.pt"):
                checkpoint.save(draft, contents)
        finally:
            draft.unlink(missing_ok=True)
    took: float = trainer.processes.of_first(time.monotonic() - began)
    return took
