"""From minutes to settings and steps: try out what training costs on this machine, and leave no trace of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from charlstm.config import ModelConfig, TrainConfig
from charlstm.errors import RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.text.split import Parts
from charlstm.text.vocab import Vocab
from charlstm.training.folder import RunFolder
from charlstm.training.plan import (
    LONGEST_INTERVAL,
    PROBE_BATCH,
    PROBE_LEN,
    PROBE_SIZE,
    REPORTS,
    Choice,
    Plan,
    choose,
    plan_steps,
)
from charlstm.training.trainer import Trainer

SHARE = 0.02
"""How much of the time measuring a step may take. It is done twice: of the probe, and of what was chosen."""

REPORTING = 0.1
"""How much of the time reports may take; where they take long, there are fewer, down to one each thousand steps."""

FEWEST_REPORTS = 2

ENOUGH_SECONDS = 10.0
"""A step isn't measured for longer than this, however long the run."""


def choose_here(
    vocab: Vocab, parts: Parts, config: TrainConfig, folder: RunFolder, given: Mapping[str, Any]
) -> list[Choice]:
    """What to train in the config's minutes, as `choose` has it, from how fast this machine learns this text."""
    assert config.minutes
    chosen = {field.name for known in (ModelConfig, TrainConfig) for field in fields(known) if field.metadata["chosen"]}
    if chosen <= given.keys():
        return []
    seconds = 60 * config.minutes
    shape = ModelConfig(vocab_size=len(vocab), hidden_size=PROBE_SIZE, cell=given.get("cell", "lstm"))
    model = CharLSTM(shape).to(config.device)
    probe = Trainer(model, vocab, parts, replace(config, batch_size=PROBE_BATCH, seq_len=PROBE_LEN), folder, {})
    step = _step_seconds(probe, seconds)
    characters = probe.progress.characters / probe.progress.step  # fewer where the text is short
    return choose(len(parts.train), len(vocab), seconds, characters / step, given)


def plan_seconds(trainer: Trainer, seconds: float) -> Plan:
    """The plan that ends about `seconds` from now, if the machine stays as fast as in these first moments.

    The trainer is left as it was: the weights, the optimizer, the random states and the place in the text.
    """
    deadline = time.monotonic() + seconds
    per_step = trainer.lanes.batch_size * trainer.lanes.seq_len
    before = copy.deepcopy(trainer.checkpoint())
    step = _step_seconds(trainer, seconds)
    reports, steps = REPORTS, max(1, int(seconds / step))
    for _ in range(2):  # the first report, too, finds nothing ready; it is good enough to say how many there can be
        trainer.plan = plan_steps(steps, per_step, reports)
        report = _seconds_each(lambda: _report_in_secret(trainer), 0.0)
        reports = min(reports, max(FEWEST_REPORTS, int(REPORTING * seconds / report)))
    trainer.restore(before)

    left = deadline - time.monotonic()
    spent = report * max(reports, left / step / LONGEST_INTERVAL)
    return plan_steps(trainer.progress.step + max(1, int((left - spent) / step)), per_step, reports)


def _step_seconds(trainer: Trainer, seconds: float) -> float:
    """How long a step takes, found out in a small share of the time that there is."""
    enough = min(ENOUGH_SECONDS, SHARE * seconds)
    trainer.plan = plan_steps(1_000_000, trainer.lanes.batch_size * trainer.lanes.seq_len)
    trainer.model.train()
    _seconds_each(trainer.train_step, enough / 4)  # the first ones find nothing ready
    return _seconds_each(trainer.train_step, enough)


def _seconds_each(do: Callable[[], object], seconds: float) -> float:
    """How long a thing takes, from doing it for so many seconds."""
    began, times = time.monotonic(), 0
    while not times or time.monotonic() - began < seconds:
        do()
        times += 1
    return (time.monotonic() - began) / times


def _report_in_secret(trainer: Trainer) -> None:
    """What a report does and writes, without its traces."""
    draft = trainer.folder.path / ".rehearsal.pt"
    trainer.validate()
    with suppress(RunError):  # of weights that went wrong already: it is told when the run begins in earnest
        trainer.preview(0)
    try:
        for _ in ("best.pt", "last.pt"):
            trainer.save(draft)
    finally:
        draft.unlink(missing_ok=True)
