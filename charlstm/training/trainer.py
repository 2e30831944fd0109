"""A training step: truncated back-propagation through time over lanes of text."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from charlstm.config import TrainConfig
from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.saved.checkpoint import Learning
from charlstm.saved.record import Plan, Progress
from charlstm.text.documents import Documents
from charlstm.text.lanes import Lanes
from charlstm.text.split import Parts
from charlstm.training.evaluation import characters_at_once, score_lanes
from charlstm.training.members import Members
from charlstm.training.optimizer import averages_of, learning_rate, make_optimizer, restore_averages, set_rates


class Trainer:
    """A model, its optimizer, and its place in a text. `train_step` goes one step on.

    Args:
        model: on the device that it is to be trained on.
        config: with `dtype` settled, so that what is recorded is what is done.
        end: the id that closes a document, in a text of documents.

    Attributes:
        state: what the model remembers of the text before the next batch, in every lane.
        progress: where the training stands.
    """

    def __init__(self, model: CharLSTM, parts: Parts, config: TrainConfig, end: int | None = None) -> None:
        self.model, self.parts, self.config, self.end = model, parts, config, end
        self.device = model.device
        self.lanes = Lanes(
            parts.train if end is None else Documents(parts.train, end, config.seed), config.batch_size, config.seq_len
        )
        rows = self.lanes.batch_size
        self.val_lanes = Lanes(parts.val, rows, characters_at_once(model, rows)) if len(parts.val) else None
        self.members = Members(model, (rows, self.lanes.seq_len), config.dtype == "bfloat16")
        self.optimizer = make_optimizer(model, config)
        self.state = model.initial_state(rows)
        self.progress = Progress()

    def train_step(self, plan: Plan) -> None:
        """One step: a batch, forward and backward pass, clip, update.

        If the loss or the gradient isn't finite, the weights stay, all lanes begin again with a zero state, and the
        step counts as a bad one.
        """
        config, done = self.config, self.progress
        x, y = (ids.to(self.device) for ids in self.lanes.batch(done.step))  # [B, T] each, y one character ahead
        state = self.state.forget(self._begins_afresh(x, plan))

        self.optimizer.zero_grad()
        losses, state = self.members.backward(x, y, state, seed=config.seed, step=done.step)
        norms = self.members.clip(config.grad_clip)

        # One transfer for both: each would wait until a GPU has finished its work.
        loss, norm = torch.stack([losses.mean(), norms.mean()]).tolist()
        if math.isfinite(loss) and math.isfinite(norm):
            set_rates(self.optimizer, self.rate(done.step, plan), (plan.beta1, plan.beta2))
            self.optimizer.step()
            self.state = state
            done.bad_steps = 0
            done.nats += loss * y.numel()
            done.characters += y.numel()
            done.norms += norm
            done.normed += 1
        else:
            self.state = self.model.initial_state(len(x))
            done.bad_steps += 1
        done.step += 1

    def rate(self, step: int, plan: Plan) -> float:
        """The learning rate of a step."""
        return learning_rate(step, plan.steps, self.config.learning_rate)

    def _begins_afresh(self, x: Tensor, plan: Plan) -> Tensor:
        """The lanes of a batch, as a mask [B], whose state becomes zero, as when sampling or scoring begins.

        A lane begins afresh (1) at the start of an epoch, (2) once every `fresh_every` steps, so that the model learns
        to start and not only to go on, and (3) if its batch starts with a new document.
        """
        step, lanes, every = self.progress.step, len(x), plan.fresh_every
        if step % self.lanes.batches == 0:
            return torch.ones(lanes, dtype=torch.bool, device=x.device)
        fresh = x[:, 0] == (-1 if self.end is None else self.end)  # no id is -1: no lane
        if every:
            # Lane b at the steps with step % every = b · every // lanes: with 4 lanes and 8 steps at 0, 2, 4 and 6.
            fresh |= torch.arange(lanes, device=x.device) * every // lanes == step % every
        return fresh

    def validate(self, characters: int) -> float | None:
        """Bits per character on about `characters` characters, spread over the validation text; None without one."""
        lanes = self.val_lanes
        if lanes is None:
            return None
        allowed = characters // (lanes.batch_size * lanes.seq_len)
        return score_lanes(self.model, lanes, max(1, min(lanes.batches, allowed))).bits_per_char

    def learning(self) -> Learning:
        """What it needs, besides the weights and the progress, to go on exactly."""
        return Learning(averages_of(self.optimizer), self.state)

    def restore(self, progress: Progress, learning: Learning) -> None:
        """Stand where a training of this model stood.

        Raises:
            InputError: when that one had another number of lanes.
        """
        lanes = learning.state.h.shape[1]
        if lanes != self.lanes.batch_size:
            raise InputError(f"its state has {lanes} lanes, and its text {self.lanes.batch_size}: use another one")
        self.progress = progress
        restore_averages(self.optimizer, learning.optimizer)
        self.state = type(self.state)(*(tensor.to(self.device) for tensor in learning.state))
