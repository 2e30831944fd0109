from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from charlstm.config import SampleConfig
from charlstm.sampling import sampler
from charlstm.sampling.sampler import Context, Runs, draws, random_of, read, until

ANY = [random_of(0, 0)]


def counting(ids: Tensor, state: int) -> tuple[Tensor, int]:
    """A model that is sure that the id after n is n + 1 (of 10), and counts what it reads."""
    return 1000.0 * torch.nn.functional.one_hot((ids + 1) % 10, 10), state + ids.shape[1]


def test_each_draw_is_fed_back() -> None:
    rows = draws(counting, read(counting, 0, torch.tensor([3, 4])), SampleConfig(temperature=1.0), ANY)
    assert [draw.id for (draw,) in itertools.islice(rows, 8)] == [5, 6, 7, 8, 9, 0, 1, 2]


def test_texts_of_a_batch_are_drawn_as_each_would_be_alone() -> None:
    def undecided(ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.sin(state + ids)
        return state.unsqueeze(-1) * torch.arange(9.0), state

    config = SampleConfig(no_repeat=3, top_k=7)
    context = Context(torch.zeros(4, 9), torch.zeros(4, 1))
    rows = list(itertools.islice(draws(undecided, context, config, [random_of(1, n) for n in range(4)]), 30))
    for n in range(4):
        context = Context(torch.zeros(1, 9), torch.zeros(1, 1))
        alone = draws(undecided, context, config, [random_of(1, n)])
        assert [draw.id for (draw,) in itertools.islice(alone, 30)] == [row[n].id for row in rows]
    assert len({tuple(draw.id for draw in column) for column in zip(*rows, strict=True)}) == 4


def test_draws_are_as_frequent_as_they_are_probable() -> None:
    scores = torch.tensor([[0.0, 1.0, -2.0, 0.5, -torch.inf]])

    def same(ids: Tensor, state: int) -> tuple[Tensor, int]:
        return scores.unsqueeze(1), state

    rows = draws(same, Context(scores, 0), SampleConfig(temperature=2.0), ANY, scored=True)
    drawn = [draw for (draw,) in itertools.islice(rows, 20_000)]
    frequencies = torch.bincount(torch.tensor([draw.id for draw in drawn]), minlength=5) / len(drawn)
    torch.testing.assert_close(frequencies, (scores[0] / 2).softmax(0), atol=0.015, rtol=0)
    own = scores[0].softmax(0)
    assert all(draw.probability == pytest.approx(own[draw.id].item(), rel=1e-5) for draw in drawn[:50])


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


def test_a_probability_is_told_when_it_was_asked_for() -> None:
    (draw,) = next(draws(counting, read(counting, 0, torch.tensor([3])), SampleConfig(), ANY))
    assert math.isnan(draw.probability)


def test_no_run_of_so_many_comes_twice() -> None:
    """The counting model would go round for ever."""
    config = SampleConfig(temperature=0, no_repeat=3)
    history = [8, 9]
    rows = draws(counting, read(counting, 0, torch.tensor(history)), config, ANY, history=history)
    text = history + [draw.id for (draw,) in itertools.islice(rows, 150)]
    runs = list(zip(text, text[1:], text[2:], strict=False))
    assert len(set(runs)) == len(runs)
    assert text[2:10] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_where_everything_would_repeat_it_repeats() -> None:
    def always(ids: Tensor, state: int) -> tuple[Tensor, int]:
        return torch.zeros(1, ids.shape[1], 1), state

    rows = draws(always, read(always, 0, torch.tensor([0])), SampleConfig(no_repeat=2), ANY, history=[0])
    assert [draw.id for (draw,) in itertools.islice(rows, 5)] == [0] * 5


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(2, 5))
def test_runs_are_found_as_by_looking_through_the_text(ids: list[int], length: int) -> None:
    before = {tuple(ids[i : i + length]) for i in range(len(ids) - length + 1)}
    completing = {i for i in range(3) if tuple([*ids, i][-length:]) in before}
    assert set(Runs(length, ids).completed_by()) == completing


def test_samples_of_a_seed_are_the_same_and_differ_from_each_other() -> None:
    draws = [random_of(seed, n).random(4).tolist() for seed in (0, 1) for n in (0, 1)]
    assert draws[0] == random_of(0, 0).random(4).tolist() == pytest.approx([0.0] * 4, abs=1)
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
