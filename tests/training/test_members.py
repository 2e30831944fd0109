from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.training.members import Members

CLIP = 0.5


@pytest.fixture(params=[1, 2, 4])
def threads(request: Any) -> Iterator[int]:
    """PyTorch's number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def ensemble(size: int, dropout: float = 0.0) -> CharLSTM:
    torch.manual_seed(7)
    shape = ModelConfig(vocab_size=7, hidden_size=6, dropout=dropout, recurrent_dropout=dropout, ensemble_size=size)
    return CharLSTM(shape).train()


def learned(model: CharLSTM, times: int = 1) -> tuple[torch.Tensor, torch.Tensor, State, list[torch.Tensor]]:
    """The losses of a batch, the gradients' norms, the state after it, and the clipped gradients."""
    members = Members(model, (3, 5), False)
    x, y = torch.arange(30).view(2, 3, 5) % 7
    state = model.initial_state(3)
    for step in range(times):
        losses, state = members.backward(x, y, state, seed=1, step=step)
        norms = members.clip(CLIP)
    return losses, norms, state, [weight.grad for weight in model.parameters() if weight.grad is not None]


def test_each_learns_as_it_would_alone(threads: int) -> None:
    model = ensemble(4)
    losses, norms, state, gradients = learned(model)
    alone = []
    x, y = torch.arange(30).view(2, 3, 5) % 7
    for member, before in zip(model.members, model.initial_state(3).split(4), strict=True):
        member.zero_grad()
        logits, after = member(x, before)
        F.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()  # type: ignore[no-untyped-call]
        alone.append((F.cross_entropy(logits.flatten(0, 1), y.flatten()), after))
        alone[-1] += (clip_grad_norm_(member.parameters(), CLIP),)
    torch.testing.assert_close(losses, torch.stack([loss for loss, _, _ in alone]))
    torch.testing.assert_close(norms, torch.stack([norm for _, _, norm in alone]))
    torch.testing.assert_close(state, State.joined([state for _, state, _ in alone]))
    torch.testing.assert_close(gradients, [weight.grad for weight in model.parameters()])
    assert not any(tensor.requires_grad for tensor in (losses, norms, *state))


def test_random_numbers_do_not_depend_on_which_thread_is_first() -> None:
    """Nor on how many there are; and no two members, and no two steps, have the same."""
    before = torch.get_num_threads()
    gradients = {}
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        gradients[threads] = [learned(ensemble(4, dropout=0.5), times=2)[-1] for _ in range(3)]
    torch.set_num_threads(before)
    (first, *others), *rest = gradients.values()
    for other in (*others, *(each for repeated in rest for each in repeated)):
        torch.testing.assert_close(other, first)


def test_no_thread_uses_what_another_has_cast(threads: int) -> None:
    model, cached = ensemble(2), []

    def forward(*given: Any) -> Any:
        cached.append(torch.is_autocast_cache_enabled())
        return model.members[0](*given)

    members = Members(model, (3, 5), True)
    members.forwards = [forward] * 2
    x, y = torch.arange(30).view(2, 3, 5) % 7
    members.backward(x, y, model.initial_state(3), seed=1, step=0)
    assert cached == [False, False]


@pytest.mark.parametrize(
    ("size", "at_once"), [(1, [1, 1, 1]), (2, [1, 2, 2]), (3, [1, 1, 3]), (4, [1, 2, 4]), (6, [1, 2, 3])]
)
def test_threads_are_shared_out(size: int, at_once: list[int], threads: int) -> None:
    """As many members at a time as go evenly, none with more threads than its share; PyTorch's own stay."""
    abreast = at_once[[1, 2, 4].index(threads)]
    model, seen, ready = ensemble(size), set(), threading.Barrier(abreast, timeout=20)

    def forward(*given: Any) -> Any:
        ready.wait()  # goes on when that many are here
        seen.add((threading.get_ident(), torch.get_num_threads()))
        return model.members[0](*given)

    members = Members(model, (3, 5), False)
    members.forwards = [forward] * size
    x, y = torch.arange(30).view(2, 3, 5) % 7
    members.backward(x, y, model.initial_state(3), seed=1, step=0)
    assert len(seen) == abreast
    assert {each for _, each in seen} == {threads // abreast}
    assert torch.get_num_threads() == threads


def test_masks_follow_from_the_seed_the_step_and_the_member() -> None:
    def gradient(seed: int, step: int) -> list[torch.Tensor]:
        model = ensemble(2, dropout=0.5)
        model.members[1].load_state_dict(model.members[0].state_dict())
        members = Members(model, (3, 5), False)
        x, y = torch.arange(30).view(2, 3, 5) % 7
        members.backward(x, y, model.initial_state(3), seed=seed, step=step)
        return [member.head.weight.grad.clone() for member in model.each]

    first, second = gradient(1, 0)
    again, _ = gradient(1, 0)
    assert torch.equal(first, again)
    for other in (second, gradient(2, 0)[0], gradient(1, 1)[0]):
        assert not torch.equal(first, other)


def test_threads_that_come_later_have_what_the_program_had(threads: int) -> None:
    """What one thread sets in PyTorch is what threads begin with that are started afterwards."""
    Members(ensemble(4), (3, 5), False)
    seen: list[int] = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [threads]
