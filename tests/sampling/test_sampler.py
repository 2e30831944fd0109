from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from charlstm.errors import RunError
from charlstm.sampling import sampler
from charlstm.sampling.sampler import generate, next_probabilities, random_of, until

scores = st.lists(st.floats(-20, 20), min_size=1, max_size=12).map(torch.tensor)


def counting(ids: Tensor, state: int) -> tuple[Tensor, int]:
    """A model that is sure that the id after n is n + 1 (of 10), and counts what it reads."""
    return 100.0 * torch.nn.functional.one_hot((ids + 1) % 10, 10), state + ids.shape[1]


def test_each_draw_is_fed_back() -> None:
    drawn = generate(counting, 0, torch.tensor([3, 4]), temperature=1.0)
    assert list(itertools.islice(drawn, 8)) == [5, 6, 7, 8, 9, 0, 1, 2]


def test_a_long_prime_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "PRIME_AT_ONCE", 4)
    widths = []

    def step(ids: Tensor, state: int) -> tuple[Tensor, int]:
        widths.append(ids.shape[1])
        return counting(ids, state)

    assert next(generate(step, 0, torch.arange(10), temperature=1.0)) == 0
    assert widths == [4, 4, 2]


@given(scores)
def test_temperature_zero_is_the_likeliest(logits: Tensor) -> None:
    probabilities = next_probabilities(logits, 0)
    assert probabilities[logits.argmax()] == 1
    assert probabilities.sum() == 1


@given(scores, st.floats(1e-300, 1e3))
def test_any_temperature_gives_probabilities(logits: Tensor, temperature: float) -> None:
    probabilities = next_probabilities(logits, temperature)
    assert torch.isfinite(probabilities).all()
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0, dtype=torch.float64))


@given(scores, st.integers(1, 15))
def test_top_k_keeps_the_k_likeliest(logits: Tensor, k: int) -> None:
    plain, kept = next_probabilities(logits, 1.0), next_probabilities(logits, 1.0, top_k=k)
    chosen = kept > 0
    assert chosen.sum() == min(k, len(logits))
    if not chosen.all():
        assert plain[chosen].min() >= plain[~chosen].max()
    torch.testing.assert_close(kept[chosen], plain[chosen] / plain[chosen].sum())


@given(scores, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Tensor, p: float) -> None:
    plain, kept = next_probabilities(logits, 1.0), next_probabilities(logits, 1.0, top_p=p)
    chosen = plain[kept > 0]
    assert chosen.sum() >= p - 1e-9
    assert len(chosen) == 1 or chosen.sum() - chosen.min() < p + 1e-9


@given(scores, st.integers(1, 15), st.floats(0.01, 1))
def test_top_p_is_of_what_top_k_left(logits: Tensor, k: int, p: float) -> None:
    kept = next_probabilities(logits, 1.0, top_k=k)
    both = next_probabilities(logits, 1.0, top_k=k, top_p=p)
    again = next_probabilities(kept.log().clamp(min=-1e9), 1.0, top_p=p)
    torch.testing.assert_close(both, again)


@given(scores, st.floats(0.01, 1))
def test_min_p_keeps_what_is_nearly_as_likely_as_the_likeliest(logits: Tensor, p: float) -> None:
    plain, kept = next_probabilities(logits, 1.0), next_probabilities(logits, 1.0, min_p=p)
    assert torch.equal(kept > 0, (plain >= p * plain.max()) & (plain > 0))


def test_scores_that_are_not_finite_are_told() -> None:
    with pytest.raises(RunError, match="not finite numbers"):
        next_probabilities(torch.tensor([1.0, torch.nan]), 1.0)


def test_an_id_that_is_never_to_be_drawn_has_no_probability() -> None:
    probabilities = next_probabilities(torch.tensor([1.0, 50.0, 1.0]), 1.0, never=1)
    assert probabilities.tolist() == [0.5, 0.0, 0.5]


def test_samples_of_a_seed_are_the_same_and_differ_from_each_other() -> None:
    draws = [torch.rand(4, generator=random_of(seed, n)).tolist() for seed in (0, 1) for n in (0, 1)]
    assert draws[0] == torch.rand(4, generator=random_of(0, 0)).tolist()
    assert len({tuple(draw) for draw in draws}) == 4


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=4))
def test_a_stop_string_ends_the_text_before_it(text: str, stop: str) -> None:
    assert "".join(until(text, (stop,))) == text.partition(stop)[0]


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3).map(tuple))
def test_of_several_stop_strings_the_first_to_be_complete_counts(text: str, stops: tuple[str, ...]) -> None:
    ends = [(text.index(stop) + len(stop), -len(stop)) for stop in stops if stop in text]
    expected = text[: sum(min(ends))] if ends else text
    assert "".join(until(text, stops)) == expected


def test_only_what_may_be_the_stop_string_is_held_back() -> None:
    shown: list[tuple[str, str]] = []
    read = ""

    def characters() -> Iterator[str]:
        nonlocal read
        for c in "xy--z":
            read += c
            yield c

    for piece in until(characters(), ("---",)):
        shown.append((read, piece))
    assert shown == [("x", "x"), ("xy", "y"), ("xy--z", "-"), ("xy--z", "-"), ("xy--z", "z")]
