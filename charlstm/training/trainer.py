"""The training loop: truncated back-propagation through time over lanes of text."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from charlstm import checkpoint
from charlstm.checkpoint import Checkpoint
from charlstm.config import TrainConfig
from charlstm.device import random_state, set_random_state
from charlstm.errors import RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.text.lanes import Lanes
from charlstm.text.shuffled import Documents
from charlstm.text.split import Parts
from charlstm.text.vocab import Vocab
from charlstm.training.evaluation import characters_at_once, score_lanes
from charlstm.training.folder import RunFolder
from charlstm.training.members import Members
from charlstm.training.optimizer import learning_rate, make_optimizer, prepare, restore_optimizer
from charlstm.training.plan import Plan

SAVE_SECONDS = 60
"""How often to save when `checkpoint_every` doesn't say. When a run saves has no influence on what it learns."""

MOST_BAD_STEPS = 20
"""Steps in a row without a finite gradient after which a run gives up."""


@dataclass
class Progress:
    """Where a run stands, in plain numbers.

    Attributes:
        step: steps done. It is the place in the text too: every epoch has as many batches, in an order that follows
            from its number.
        seconds: time spent on training, over all of the run's sittings.
        best: the lowest validation so far, in bits per character.
        stale: reports since then.
        bad_steps: steps in a row, up to now, that were skipped because their gradient wasn't finite.
        nats: loss summed over what was learned since the last report.
        characters: how much that was.
        reported: `seconds` at the last report's end.
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    stale: int = 0
    bad_steps: int = 0
    nats: float = 0.0
    characters: int = 0
    reported: float = 0.0

    @property
    def bits_per_char(self) -> float:
        """The training loss since the last report."""
        return self.nats / self.characters / math.log(2) if self.characters else math.nan

    @property
    def chars_per_second(self) -> float:
        """Characters learned in a second since the last report."""
        return self.characters / max(self.seconds - self.reported, 1e-9)


class Trainer:
    """Trains a model on a text, reports, and keeps checkpoints.

    Args:
        model: on the device that it is to be trained on.
        config: with `dtype` settled, so that what is recorded is what is done.
        run: what the checkpoints are to say of the run besides its settings and its plan.
        preview: writes a short sample from a seed; it must leave the model and the random states as they are.
        stopped: asked before each step whether to stop there.
    """

    def __init__(
        self,
        model: CharLSTM,
        vocab: Vocab,
        parts: Parts,
        config: TrainConfig,
        folder: RunFolder,
        run: dict[str, Any],
        preview: Callable[[int], str] = lambda seed: "",
        stopped: Callable[[], object] = lambda: False,
    ) -> None:
        self.model, self.vocab, self.parts, self.config = model, vocab, parts, config
        self.folder, self.run, self.preview, self.stopped = folder, run, preview, stopped
        self.device = model.device
        self.end = vocab.end_id
        text = parts.train if self.end is None else Documents(parts.train, self.end, config.seed)
        self.lanes = Lanes(text, config.batch_size, config.seq_len)
        rows = self.lanes.batch_size
        self.val_lanes = Lanes(parts.val, rows, characters_at_once(model, rows)) if len(parts.val) else None
        self.members = Members(model, (rows, self.lanes.seq_len), config.dtype == "bfloat16", config.grad_clip)
        self.optimizer = make_optimizer(model, config)
        self.state: State = model.initial_state(rows)
        self.progress = Progress()
        self.plan = Plan(steps=1, report_every=1, val_characters=1)

    @property
    def is_finished(self) -> bool:
        """Whether the planned steps are done, or patience is at its end."""
        patience = self.config.patience
        return self.progress.step >= self.plan.steps or (patience is not None and self.progress.stale >= patience)

    def train(self) -> None:
        """Go on from where the run stands to its end, or to where `stopped` says so.

        Raises:
            RunError: when a row of steps had no finite gradient; the checkpoints are from before them.
            BrokenPipeError: when nobody reads the reports any more.
        """
        done, every = self.progress, self.config.checkpoint_every
        began, saved, saved_step = time.monotonic() - done.seconds, time.monotonic(), done.step
        self.folder.keep_metrics(done.step)
        self.model.train()
        with tqdm(total=self.plan.steps, initial=done.step, disable=None, unit="step", dynamic_ncols=True) as bar:
            while not self.is_finished and not self.stopped():
                self.train_step()
                done.seconds = time.monotonic() - began
                bar.set_postfix_str(f"{done.bits_per_char:.3f} bits/char, {done.chars_per_second:,.0f} chars/s", False)
                bar.update()

                report_is_due = done.step % self.plan.report_every == 0 or done.step == self.plan.steps
                if report_is_due:
                    shown = self.report()
                    done.reported = done.seconds = time.monotonic() - began

                save_is_due = report_is_due or time.monotonic() - saved > SAVE_SECONDS
                if every:
                    save_is_due = done.step % every == 0
                if done.bad_steps >= MOST_BAD_STEPS:
                    raise RunError(self._gave_up())
                if save_is_due and not done.bad_steps:
                    self.save(self.folder.last)
                    saved, saved_step = time.monotonic(), done.step
                if report_is_due:
                    bar.write(shown, file=sys.stderr)
        if saved_step != done.step:
            self.save(self.folder.last)

    def _gave_up(self) -> str:
        rate, clip = self.config.learning_rate, self.config.grad_clip
        return (
            f"no finite gradient for {MOST_BAD_STEPS} steps: {self.folder.path} keeps the checkpoints from before;"
            " begin a new run, or go on from one of them with --init-from, with a lower --learning-rate than"
            f" {rate} or a lower --grad-clip than {clip}"
        )

    def train_step(self) -> None:
        """One batch: forward, backward, clip, update."""
        done = self.progress
        rate = learning_rate(done.step, self.plan.steps, self.config.learning_rate)
        prepare(self.optimizer, rate, self.plan.betas)
        x, y = (tensor.to(self.device) for tensor in self.lanes.batch(done.step))  # [B, T]

        self.state = self.state.forget(self._fresh(x))
        self.optimizer.zero_grad()
        loss, norm, state = self.members.learn(x, y, self.state)

        # Both are asked for at once, since a device has to finish its work before it answers.
        nats, length = torch.stack([loss, norm]).tolist()
        if math.isfinite(nats) and math.isfinite(length):
            self.optimizer.step()
            self.state = state
            done.bad_steps = 0
            done.nats += nats * y.numel()
            done.characters += y.numel()
        else:
            self.state = self.model.initial_state(self.lanes.batch_size)
            done.bad_steps += 1
        done.step += 1

    def _fresh(self, x: Tensor) -> Tensor:
        """Which lanes of a batch, [B], go on as sampling and scoring begin: with nothing read before.

        All where an epoch begins, and each now and then, so that the model learns to start and not only to go on; of
        documents also the lanes that come to the beginning of one just here.
        """
        step, lanes, every = self.progress.step, len(x), self.plan.fresh_every
        if step % self.lanes.batches == 0:
            return torch.ones(lanes, dtype=torch.bool, device=x.device)
        fresh = x[:, 0] == (-1 if self.end is None else self.end)
        if every:
            fresh |= torch.arange(lanes, device=x.device) * every // lanes == step % every
        return fresh

    def report(self) -> str:
        """Validate, keep the best, add a line of metrics. Returns what to show, with a sample of the model's."""
        done = self.progress
        val, train, speed = self.validate(), done.bits_per_char, done.chars_per_second
        is_best = val is not None and math.isfinite(val) and (done.best is None or val < done.best)
        if is_best:
            done.best, done.stale = val, 0
        elif val is not None:
            done.stale += 1
        done.nats, done.characters, done.reported = 0.0, 0, done.seconds
        epoch = done.step / self.lanes.batches
        self.folder.append_metrics(
            {
                "step": done.step,
                "epoch": round(epoch, 4),
                "seconds": round(done.seconds, 2),
                "learning_rate": learning_rate(done.step - 1, self.plan.steps, self.config.learning_rate),
                "train_bits_per_char": train if math.isfinite(train) else None,
                "val_bits_per_char": val if val is not None and math.isfinite(val) else None,
                "chars_per_second": round(speed),
            }
        )
        if is_best:
            self.save(self.folder.best)
        shown = f"step {done.step:,}/{self.plan.steps:,}, epoch {epoch:.2f}: {train:.3f} bits/char in training"
        if val is not None:
            shown += f", {val:.3f} in validation{' (the best)' if is_best else ''}"
        return f"\n{shown}, {speed:,.0f} chars/s\n{self._sample()}"

    def _sample(self) -> str:
        """A preview, set in from the margin."""
        try:
            return "\n".join(f"    {line}" for line in self.preview(self.progress.step).split("\n"))
        except RunError as error:  # steps that go wrong are counted where they are made
            return f"    ({error})"

    def validate(self) -> float | None:
        """Bits per character on as much of the validation text as the plan allows, taken from all over it."""
        lanes = self.val_lanes
        if lanes is None:
            return None
        allowed = self.plan.val_characters // (lanes.batch_size * lanes.seq_len)
        return score_lanes(self.model, lanes, max(1, min(lanes.batches, allowed))).bits_per_char

    def checkpoint(self) -> Checkpoint:
        """All that the run needs to go on from here."""
        run = {**self.run, "train_config": asdict(self.config), "plan": asdict(self.plan)}
        progress = {
            **asdict(self.progress),
            "optimizer": self.optimizer.state_dict(),
            "state": list(self.state),
            "random": torch.get_rng_state(),
            "device": self.device.type,
            "device_random": random_state(self.device),
        }
        return Checkpoint(self.model.config, self.vocab, self.model.state_dict(), run, progress)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Stand where the run stood when the checkpoint was made."""
        saved = checkpoint.progress
        self.model.load_state_dict(checkpoint.weights)
        restore_optimizer(self.optimizer, saved["optimizer"]["state"])
        self.state = State(*(tensor.to(self.device) for tensor in saved["state"]))
        self.progress = Progress(**{field.name: saved[field.name] for field in fields(Progress)})
        self.plan = Plan(**checkpoint.run["plan"])
        torch.set_rng_state(saved["random"])
        if saved["device"] == self.device.type:
            set_random_state(self.device, saved["device_random"])

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        checkpoint.save(path, self.checkpoint())
