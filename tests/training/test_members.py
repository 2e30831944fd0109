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
    """So many threads for PyTorch."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def ensemble(size: int, dropout: float = 0.0) -> CharLSTM:
    torch.manual_seed(7)
    shape = ModelConfig(vocab_size=7, hidden_size=6, dropout=dropout, recurrent_dropout=dropout, ensemble_size=size)
    return CharLSTM(shape).train()


def learned(model: CharLSTM, times: int = 1) -> tuple[torch.Tensor, torch.Tensor, State, list[torch.Tensor]]:
    """What `learn` returns of a batch, and the gradients."""
    members = Members(model, (3, 5), False, CLIP)
    x, y = torch.arange(30).view(2, 3, 5) % 7
    state = model.initial_state(3)
    for _ in range(times):
        loss, norm, state = members.learn(x, y, state)
    return loss, norm, state, [weight.grad for weight in model.parameters() if weight.grad is not None]


def test_each_learns_as_it_would_alone(threads: int) -> None:
    model = ensemble(4)
    loss, norm, state, gradients = learned(model)
    alone = []
    x, y = torch.arange(30).view(2, 3, 5) % 7
    for member, before in zip(model.members, model.initial_state(3).parted(4), strict=True):
        member.zero_grad()
        logits, after = member(x, before)
        F.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()  # type: ignore[no-untyped-call]
        alone.append((F.cross_entropy(logits.flatten(0, 1), y.flatten()), after))
        alone[-1] += (clip_grad_norm_(member.parameters(), CLIP),)
    torch.testing.assert_close(loss, torch.stack([loss for loss, _, _ in alone]).mean())
    torch.testing.assert_close(norm, torch.stack([norm for _, _, norm in alone]).sum())
    torch.testing.assert_close(state, State.joined([state for _, state, _ in alone]))
    torch.testing.assert_close(gradients, [weight.grad for weight in model.parameters()])
    assert not any(tensor.requires_grad for tensor in (loss, norm, *state))


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

    members = Members(model, (3, 5), True, CLIP)
    members.forwards = [forward] * 2
    x, y = torch.arange(30).view(2, 3, 5) % 7
    members.learn(x, y, model.initial_state(3))
    assert cached == [False, False]


@pytest.mark.parametrize(
    ("size", "at_once"), [(1, [1, 1, 1]), (2, [1, 2, 2]), (3, [1, 1, 3]), (4, [1, 2, 4]), (6, [1, 2, 3])]
)
def test_threads_are_shared_out(size: int, at_once: list[int], threads: int) -> None:
    """As many members at a time as go evenly, none with more threads than its share; PyTorch's own stay."""
    abreast = at_once[[1, 2, 4].index(threads)]
    model, seen, ready = ensemble(size), set(), threading.Barrier(abreast, timeout=20)

    def forward(*given: Any) -> Any:
        ready.wait()  # goes on when so many are here
        seen.add((threading.get_ident(), torch.get_num_threads()))
        return model.members[0](*given)

    members = Members(model, (3, 5), False, CLIP)
    members.forwards = [forward] * size
    x, y = torch.arange(30).view(2, 3, 5) % 7
    members.learn(x, y, model.initial_state(3))
    assert len(seen) == abreast
    assert {each for _, each in seen} == {threads // abreast}
    assert torch.get_num_threads() == threads
