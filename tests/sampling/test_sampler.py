from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.errors import RunError
from charlstm.sampling import sampler
from charlstm.sampling.sampler import Draw, Runs, generate, next_probabilities, random_of, read, until

scores = st.lists(st.floats(-20, 20), min_size=1, max_size=12).map(torch.tensor)


def counting(ids: Tensor, state: int) -> tuple[Tensor, int]:
    """A model that is sure that the id after n is n + 1 (of 10), and counts what it reads."""
    return 100.0 * torch.nn.functional.one_hot((ids + 1) % 10, 10), state + ids.shape[1]


def test_each_draw_is_fed_back() -> None:
    drawn = generate(counting, read(counting, 0, torch.tensor([3, 4])), SampleConfig(temperature=1.0))
    assert [draw.id for draw in itertools.islice(drawn, 8)] == [5, 6, 7, 8, 9, 0, 1, 2]


def test_a_long_text_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "READ_AT_ONCE", 4)
    widths = []

    def step(ids: Tensor, state: int) -> tuple[Tensor, int]:
        widths.append(ids.shape[1])
        return counting(ids, state)

    context = read(step, 5, torch.arange(10))
    assert widths == [4, 4, 2]
    assert context.state == 15
    assert context.scores.argmax() == 0


def test_a_draw_knows_the_probability_that_the_model_gave_it() -> None:
    assert Draw(1, torch.tensor([0.0, math.log(3.0)])).probability == pytest.approx(0.75)


def test_no_run_of_so_many_comes_twice() -> None:
    """The counting model would go round for ever."""
    config = SampleConfig(temperature=0, no_repeat=3)
    history = [8, 9]
    drawn = generate(counting, read(counting, 0, torch.tensor(history)), config, history=history)
    text = history + [draw.id for draw in itertools.islice(drawn, 150)]
    runs = list(zip(text, text[1:], text[2:], strict=False))
    assert len(set(runs)) == len(runs)
    assert text[2:10] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_where_everything_would_repeat_it_repeats() -> None:
    def always(ids: Tensor, state: int) -> tuple[Tensor, int]:
        return torch.zeros(1, ids.shape[1], 1), state

    drawn = generate(always, read(always, 0, torch.tensor([0])), SampleConfig(no_repeat=2), history=[0])
    assert [draw.id for draw in itertools.islice(drawn, 5)] == [0] * 5


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(2, 5))
def test_runs_are_found_as_by_looking_through_the_text(ids: list[int], length: int) -> None:
    before = {tuple(ids[i : i + length]) for i in range(len(ids) - length + 1)}
    completing = {i for i in range(3) if tuple([*ids, i][-length:]) in before}
    assert set(Runs(length, ids).completed_by()) == completing


def filtered(logits: Tensor, **settings: Any) -> Tensor:
    """The probabilities by some settings, at temperature 1 where none is given."""
    return next_probabilities(logits, SampleConfig(**{"temperature": 1.0, **settings}))


@given(scores)
def test_temperature_zero_is_the_likeliest(logits: Tensor) -> None:
    probabilities = filtered(logits, temperature=0)
    assert probabilities[logits.argmax()] == 1
    assert probabilities.sum() == 1


@given(scores, st.floats(1e-300, 1e3))
def test_any_temperature_gives_probabilities(logits: Tensor, temperature: float) -> None:
    probabilities = filtered(logits, temperature=temperature)
    assert torch.isfinite(probabilities).all()
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0, dtype=torch.float64))


@given(scores, st.integers(1, 15))
def test_top_k_keeps_the_k_likeliest(logits: Tensor, k: int) -> None:
    plain, kept = (
        filtered(logits),
        filtered(logits, top_k=k),
    )
    chosen = kept > 0
    assert chosen.sum() == min(k, len(logits))
    if not chosen.all():
        assert plain[chosen].min() >= plain[~chosen].max()
    torch.testing.assert_close(kept[chosen], plain[chosen] / plain[chosen].sum())


@given(scores, st.floats(0.01, 1))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Tensor, p: float) -> None:
    plain, kept = (
        filtered(logits),
        filtered(logits, top_p=p),
    )
    chosen = plain[kept > 0]
    assert chosen.sum() >= p - 1e-9
    assert len(chosen) == 1 or chosen.sum() - chosen.min() < p + 1e-9


@given(scores, st.integers(1, 15), st.floats(0.01, 1))
def test_top_p_is_of_what_top_k_left(logits: Tensor, k: int, p: float) -> None:
    kept = filtered(logits, top_k=k)
    both = filtered(logits, top_k=k, top_p=p)
    again = filtered(kept.log().clamp(min=-1e9), top_p=p)
    torch.testing.assert_close(both, again)


@given(scores, st.floats(0.01, 1))
def test_min_p_keeps_what_is_nearly_as_likely_as_the_likeliest(logits: Tensor, p: float) -> None:
    plain, kept = (
        filtered(logits),
        filtered(logits, min_p=p),
    )
    assert torch.equal(kept > 0, (plain >= p * plain.max()) & (plain > 0))


def test_scores_that_are_not_finite_are_told() -> None:
    with pytest.raises(RunError, match="not finite numbers"):
        next_probabilities(torch.tensor([1.0, torch.nan]), SampleConfig())


def test_an_id_that_is_never_to_be_drawn_has_no_probability() -> None:
    probabilities = next_probabilities(torch.tensor([1.0, 50.0, 1.0]), SampleConfig(), never=[1])
    assert probabilities.tolist() == [0.5, 0.0, 0.5]


def test_samples_of_a_seed_are_the_same_and_differ_from_each_other() -> None:
    draws = [torch.rand(4, generator=random_of(seed, n)).tolist() for seed in (0, 1) for n in (0, 1)]
    assert draws[0] == torch.rand(4, generator=random_of(0, 0)).tolist()
    assert len({tuple(draw) for draw in draws}) == 4


def cut(text: str, stops: tuple[str, ...]) -> tuple[str, str]:
    """What `until` gives out, and what it says ended it."""
    pieces, written = until([(c, i) for i, c in enumerate(text)], stops), []
    while True:
        try:
            written.append(next(pieces))
        except StopIteration as over:
            assert [i for _, i in written] == list(range(len(written)))
            return "".join(c for c, _ in written), over.value


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=4))
def test_a_stop_string_ends_the_text_before_it(text: str, stop: str) -> None:
    assert cut(text, (stop,))[0] == text.partition(stop)[0]


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3).map(tuple))
def test_of_several_stop_strings_the_first_to_be_complete_counts(text: str, stops: tuple[str, ...]) -> None:
    ends = [(text.index(stop) + len(stop), -len(stop)) for stop in stops if stop in text]
    expected = text[: sum(min(ends))] if ends else text
    assert cut(text, stops) == (expected, text[len(expected) : min(ends)[0]] if ends else "")


def test_only_what_may_be_the_stop_string_is_held_back() -> None:
    shown: list[tuple[str, str]] = []
    read = ""

    def characters() -> Iterator[tuple[str, None]]:
        nonlocal read
        for c in "xy--z":
            read += c
            yield c, None

    for piece, _ in until(characters(), ("---",)):
        shown.append((read, piece))
    assert shown == [("x", "x"), ("xy", "y"), ("xy--z", "-"), ("xy--z", "-"), ("xy--z", "z")]
