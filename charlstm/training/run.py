"""A training at work: when to report, when to save, when to stop."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from charlstm.clock import Clock
from charlstm.errors import RunError
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.folder import RunFolder
from charlstm.saved.record import RunRecord
from charlstm.screen import STDERR, Screen
from charlstm.text.vocab import Vocab
from charlstm.training.processes import SAVE, STOP
from charlstm.training.report import Report
from charlstm.training.trainer import Trainer

SAVE_SECONDS = 60
"""How often to save when `checkpoint_every` doesn't say. When a run saves has no influence on what it learns."""

FAR = 1.0
"""Bits per character above those of guessing, which the first steps may cost, and good training doesn't."""

MOST_BAD_STEPS = 20
"""Steps in a row without a finite gradient after which a run gives up."""


class Run:
    """A trainer in a run's folder. It follows the record's plan, reports, and keeps checkpoints.

    Args:
        clock: counts the run's seconds.
        preview: writes a short sample from a seed; it must leave the model as it is.

    Attributes:
        on_report: called with each report, once it was shown. Its time counts for the run, and not for its speed.
    """

    def __init__(
        self,
        trainer: Trainer,
        vocab: Vocab,
        record: RunRecord,
        folder: RunFolder,
        clock: Clock,
        preview: Callable[[int], str] = lambda seed: "",
    ) -> None:
        self.trainer, self.vocab, self.record, self.folder = trainer, vocab, record, folder
        self.clock, self.preview = clock, preview
        self.on_report: Callable[[Report], object] = lambda report: None
        self.latest: float | None = None  # the training loss in bits per character, at the last report of this sitting

    @property
    def is_finished(self) -> bool:
        """Whether the planned steps are done, or patience is at its end."""
        done, patience = self.trainer.progress, self.trainer.config.patience
        return done.step >= self.record.plan.steps or (patience is not None and done.stale >= patience)

    @property
    def went_wrong(self) -> str:
        """How its training went wrong, if it did: it knows less than nothing, or its last steps couldn't be made."""
        done, guessing = self.trainer.progress, math.log2(len(self.vocab))
        if done.bad_steps:
            return f"its last {done.bad_steps} steps had no finite gradient"
        if self.latest is not None and not self.latest <= guessing + FAR:
            return f"its loss is {self.latest:,.1f} bits per character, and guessing has {guessing:.1f}"
        return ""

    def train(self, stopped: Callable[[], object] = lambda: False, screen: Screen = STDERR) -> None:
        """Train to the end, or until `stopped()`, which is called before each step, returns true.

        Several processes train together: what one of them is told to stop, all do, a step later.

        Args:
            screen: where reports and a progress bar are shown.

        Raises:
            RunError: after too many steps in a row without a finite gradient; the checkpoints are from before them.
            BrokenPipeError: when nobody reads the reports any more.
        """
        trainer, plan, done = self.trainer, self.record.plan, self.trainer.progress
        done.reported += self.clock.seconds - done.seconds  # the time since the checkpoint isn't one of learning
        saved_at, saved_step = self.clock.seconds, done.step
        trainer.model.train()
        with screen.bar(plan.steps, done.step, "step") as bar, self._saved_if_unread():
            while not self.is_finished and not self._is_heard(STOP, bool(stopped())):
                trainer.train_step(plan)
                done.seconds = self.clock.seconds
                bar.set_postfix_str(f"{done.bits_per_char:.3f} bits/char, {done.chars_per_second:,.0f} chars/s", False)
                bar.update()
                if done.bad_steps >= MOST_BAD_STEPS and trainer.syncing.is_synced:
                    raise RunError(self._gave_up())

                report_is_due = done.step % plan.report_every == 0 or done.step == plan.steps
                report = self.report() if report_is_due else None
                if self._save_is_due(report_is_due, saved_at) and not done.bad_steps:
                    self.save(self.folder.last)
                    saved_at, saved_step = self.clock.seconds, done.step
                if report:
                    with bar.external_write_mode(file=sys.stderr):
                        screen.say(str(report))
                    self._tell(report)
        if saved_step != done.step:
            self.save(self.folder.last)

    def _tell(self, report: Report) -> None:
        """Tell who listens. If that fails, the run is saved as it is."""
        try:
            self.on_report(report)
        except BaseException:
            self._save_alone()
            raise
        self.trainer.progress.reported = self.trainer.progress.seconds = self.clock.seconds

    @contextmanager
    def _saved_if_unread(self) -> Iterator[None]:
        """Save the run when the block ends because nobody reads its messages any more."""
        try:
            yield
        except BrokenPipeError:
            self._save_alone()
            raise

    def _save_alone(self) -> None:
        """Save when this process is about to fail. Of several, none can without the others."""
        if self.trainer.processes.count == 1:
            self.save(self.folder.last)

    def _save_is_due(self, report_is_due: bool, saved_at: float) -> bool:
        """At the steps that `checkpoint_every` names; without it at each report, and each minute."""
        every = self.trainer.config.checkpoint_every
        if every:
            return self.trainer.progress.step % every == 0
        return report_is_due or self._is_heard(SAVE, self.clock.seconds - saved_at > SAVE_SECONDS)

    def _is_heard(self, what: int, wish: bool) -> bool:
        """Whether it is time to do what this process, or another one, wishes."""
        return self.trainer.processes.heard(what, wish) and self.trainer.syncing.is_synced

    def _gave_up(self) -> str:
        rate, clip = self.trainer.config.learning_rate, self.trainer.config.grad_clip
        return (
            f"no finite gradient for {MOST_BAD_STEPS} steps: {self.folder.path} keeps the checkpoints from before;"
            " begin a new run, or go on from one of them with --init-from, with a lower --learning-rate than"
            f" {rate} or a lower --grad-clip than {clip}"
        )

    def report(self) -> Report:
        """Validate, keep the best, and add a line of metrics."""
        trainer, plan, done = self.trainer, self.record.plan, self.trainer.progress
        train, speed, norm = done.bits_per_char, done.chars_per_second, done.grad_norm
        val = trainer.validate(plan.val_characters)
        self.latest = train
        is_best = val is not None and math.isfinite(val) and (done.best is None or val < done.best)
        if is_best:
            done.best, done.stale = val, 0
        elif val is not None:
            done.stale += 1
        trainer.bring_weights()
        sample, why_none = self._sample()
        report = Report(
            step=done.step,
            steps=plan.steps,
            epoch=done.step / trainer.lanes.batches,
            seconds=done.seconds,
            learning_rate=trainer.rate(done.step - 1, plan),
            train_bits_per_char=train,
            val_bits_per_char=val,
            is_best=is_best,
            chars_per_second=speed,
            grad_norm=norm,
            sample=sample,
            why_no_sample=why_none,
        )
        if trainer.processes.is_first:
            self.folder.append_metrics(report.metrics())
        done.nats, done.characters, done.norms, done.normed, done.reported = 0.0, 0, 0.0, 0, done.seconds
        if is_best:
            self.save(self.folder.best)
        trainer.processes.of_first(None)  # the others wait
        done.reported = done.seconds = self.clock.seconds
        return report

    def _sample(self) -> tuple[str | None, str]:
        """A preview; or None, and why there is none."""
        try:
            return self.preview(self.trainer.progress.step), ""
        except RunError as error:  # steps that go wrong are counted where they are made
            return None, str(error)

    def save(self, path: Path) -> None:
        """Write a checkpoint: all that the run needs to go on from here."""
        contents, processes = self.now(), self.trainer.processes
        if processes.is_first:
            checkpoint.save(path, contents)
        processes.of_first(None)  # the others wait

    def now(self) -> Checkpoint:
        """What the run is, and where it stands; all that it needs to go on. All processes call this together."""
        self.trainer.bring_weights()
        return dataclasses.replace(self.facts(), learning=self.trainer.learning())

    def facts(self) -> Checkpoint:
        """What the run is, and where it stands. Of several processes, the weights are those of the last save."""
        model, progress = self.trainer.model, dataclasses.replace(self.trainer.progress)
        return Checkpoint(model.config, self.vocab, model.state_dict(), self.record, progress)
