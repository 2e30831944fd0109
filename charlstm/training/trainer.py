"""A training step: truncated back-propagation through time over lanes of text."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from charlstm.config import TrainConfig
from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.saved.checkpoint import Learning
from charlstm.saved.record import Plan, Progress
from charlstm.text.documents import Documents
from charlstm.text.lanes import Lanes
from charlstm.text.split import Parts
from charlstm.training.evaluation import characters_at_once, score_lanes
from charlstm.training.gathering import Averages, all_averages, part_of_state, spread_weights, whole_state
from charlstm.training.members import Members
from charlstm.training.optimizer import averages_of, learning_rate, make_optimizer, restore_averages, set_rates
from charlstm.training.processes import ALONE, Processes
from charlstm.training.syncing import syncing


class Trainer:
    """A model, its optimizer, and its place in a text. `train_step` goes one step on.

    Args:
        model: on the device that it is to be trained on.
        config: with `dtype` settled, so that what is recorded is what is done.
        end: the id that closes a document, in a text of documents.
        processes: those that train this model together, each with its share of members and lanes.

    Attributes:
        state: what the members that learn here remember of the text before the next batch, in each lane that is read
            here.
        progress: where the training stands.

    Raises:
        InputError: when there are more processes than there is work for.
    """

    def __init__(
        self,
        model: CharLSTM,
        parts: Parts,
        config: TrainConfig,
        end: int | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.model, self.parts, self.config, self.end, self.processes = model, parts, config, end, processes
        self.device = model.device
        self.lanes = Lanes(
            parts.train if end is None else Documents(parts.train, end, config.seed), config.batch_size, config.seq_len
        )
        rows = self.lanes.batch_size
        self.val_lanes = Lanes(parts.val, rows, characters_at_once(model, rows)) if len(parts.val) else None
        self.share = processes.share(model.config.ensemble_size, rows)
        if self.share.parts > rows:
            least = self.share.parts
            raise InputError(
                f"{processes.count} processes can't share a batch of {rows}: start fewer, or give --batch-size {least}"
            )
        self.members = Members(model, (rows, self.lanes.seq_len), config.dtype == "bfloat16", self.share)
        self.optimizer = make_optimizer(model, config)
        self.syncing = syncing(self.members, processes, config.sync_every, self.optimizer)
        self.state = self.members.initial_state()
        self.progress = Progress()

    def train_step(self, plan: Plan) -> None:
        """One step: a batch, forward and backward pass, clip, update.

        If the loss or the gradient isn't finite, the weights stay, all lanes begin again with a zero state, and the
        step counts as a bad one.
        """
        config, done = self.config, self.progress
        batch = self.lanes.batch(done.step, self.share.lanes)
        x, y = (ids.to(self.device) for ids in batch)  # [B, T] each, y one character ahead
        state = self.state.forget(self._begins_afresh(x, plan))

        self.optimizer.zero_grad()
        losses, state = self.members.backward(x, y, state, seed=config.seed, step=done.step)
        self.syncing.gradients()
        norms = self.members.clip(config.grad_clip)

        # One transfer for both: each would wait until a GPU has finished its work.
        loss, norm = self.syncing.means(torch.stack([losses.mean(), norms.mean()])).tolist()
        if math.isfinite(loss) and math.isfinite(norm):
            set_rates(self.optimizer, self.rate(done.step, plan), (plan.beta1, plan.beta2))
            self.optimizer.step()
            self.state = state
            done.bad_steps = 0
            characters = self.lanes.batch_size * y.shape[1]
            done.nats += loss * characters
            done.characters += characters
            done.norms += norm
            done.normed += 1
        else:
            self.state = self.members.initial_state()
            done.bad_steps += 1
        done.step += 1
        self.syncing.step_done(done, plan.steps)

    def rate(self, step: int, plan: Plan) -> float:
        """The learning rate of a step."""
        return learning_rate(step, plan.steps, self.config.learning_rate)

    def _begins_afresh(self, x: Tensor, plan: Plan) -> Tensor:
        """The lanes of a batch, as a mask [B], whose state becomes zero, as when sampling or scoring begins.

        A lane begins afresh (1) at the start of an epoch, (2) once every `fresh_every` steps, so that the model learns
        to start and not only to go on, and (3) if its batch starts with a new document.
        """
        step, every, share = self.progress.step, plan.fresh_every, self.share
        if step % self.lanes.batches == 0:
            return torch.ones(len(x), dtype=torch.bool, device=x.device)
        fresh = x[:, 0] == (-1 if self.end is None else self.end)  # no id is -1: no lane
        if every:
            # Lane b at the steps with step % every = b · every // lanes: with 4 lanes and 8 steps at 0, 2, 4 and 6.
            lanes = torch.arange(share.lanes.start, share.lanes.stop, device=x.device)
            fresh |= lanes * every // share.all_lanes == step % every
        return fresh

    def validate(self, characters: int) -> float | None:
        """Bits per character on about `characters` characters, spread over the validation text; None without one."""
        lanes = self.val_lanes
        if lanes is None:
            return None
        allowed = characters // (lanes.batch_size * lanes.seq_len)
        batches = max(1, min(lanes.batches, allowed))
        return score_lanes(self.model, lanes, batches, processes=self.processes).bits_per_char

    def bring_weights(self) -> None:
        """Bring the weights of each member from where it learns to the models of all processes."""
        spread_weights(self.model, self.share, self.processes)

    def learning(self) -> Learning:
        """What it needs, besides the weights and the progress, to go on exactly; of all processes."""
        averages = all_averages(self.model, self.optimizer, self.share, self.processes)
        return Learning(averages, whole_state(self.state, self.share, self.processes))

    def restore(self, progress: Progress, learning: Learning) -> None:
        """Stand where a training of this model stood.

        Raises:
            InputError: when that one had another number of lanes.
        """
        lanes = learning.state.h.shape[1]
        if lanes != self.lanes.batch_size:
            raise InputError(f"its state has {lanes} lanes, and its text {self.lanes.batch_size}: use another one")
        own = tuple(f"members.{number}." for number in self.share.members)
        averages = {name: kept for name, kept in learning.optimizer.items() if name.startswith(own)}
        self._stand(progress, averages, part_of_state(learning.state, self.share))

    @contextmanager
    def left_as_it_was(self) -> Iterator[None]:
        """After the block it stands where it stood before: the weights, the optimizer, and its place in the text."""
        weights = copy.deepcopy(self.model.state_dict())
        before = copy.deepcopy((self.progress, averages_of(self.optimizer), self.state))
        yield
        self.model.load_state_dict(weights)
        self._stand(*before)

    def _stand(self, progress: Progress, averages: Averages, state: State) -> None:
        """Go on from these; the weights are there already."""
        self.progress = progress
        restore_averages(self.optimizer, averages)
        self.state = State(*(tensor.to(self.device) for tensor in state))
        self.syncing.begin()
