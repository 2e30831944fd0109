from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.config import ModelConfig, TrainConfig
from charlstm.model.cells import CELLS
from charlstm.training.plan import _members, choose, plan_steps


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (9, 1), (25, 3), (4000, 400), (10_000, 1000), (10**7, 1000)])
def test_ten_reports_and_one_every_thousand_steps(steps: int, every: int) -> None:
    plan = plan_steps(steps, characters_per_step=512)
    assert plan.steps == steps
    assert plan.report_every == every
    assert plan.val_characters == every * 512 // 16


def test_reports_can_be_fewer() -> None:
    assert plan_steps(100, 512, reports=2).report_every == 50


def chosen(characters: int, vocab_size: int, seconds: float, speed: float, **fixed: Any) -> dict[str, Any]:
    return {choice.setting: choice.value for choice in choose(characters, vocab_size, seconds, speed, fixed)}


@given(
    characters=st.integers(66, 10**10),
    vocab_size=st.integers(1, 50_000),
    seconds=st.floats(0.5, 10**6),
    speed=st.floats(10, 10**8),
)
def test_every_choice_is_a_setting_within_its_limits(
    characters: int, vocab_size: int, seconds: float, speed: float
) -> None:
    values = chosen(characters, vocab_size, seconds, speed)
    assert values.keys() == {
        field.name for config in (ModelConfig, TrainConfig) for field in fields(config) if field.metadata["chosen"]
    }
    model = {
        name: values.pop(name)
        for name in ("hidden_size", "num_layers", "ensemble_size", "dropout", "recurrent_dropout")
    }
    assert ModelConfig(vocab_size=vocab_size, **model).hidden_size == model["hidden_size"]
    assert TrainConfig(minutes=1, **values).learning_rate > 0


def test_what_is_given_is_not_chosen_and_the_rest_follows_it() -> None:
    free = chosen(10**6, 65, 600.0, 28_000.0)
    fixed = {"hidden_size": 1536, "batch_size": 64}
    rest = chosen(10**6, 65, 600.0, 28_000.0, **fixed)
    assert not rest.keys() & fixed.keys()
    assert rest.keys() | fixed.keys() == free.keys()
    assert rest["ensemble_size"] < free["ensemble_size"]  # a larger model leaves time for fewer of them
    assert chosen(10**6, 65, 600.0, 28_000.0, **free) == {}


def test_members_that_are_given_are_as_small_as_each_can_be_fed() -> None:
    sizes = [chosen(10**6, 65, 600.0, 28_000.0, ensemble_size=members)["hidden_size"] for members in (1, 2, 4)]
    assert sizes == sorted(set(sizes), reverse=True)


def test_the_reason_for_the_lanes_is_what_decided() -> None:
    def reason(characters: int, vocab_size: int, seconds: float) -> str:
        choices = choose(characters, vocab_size, seconds, 28_000.0, {})
        return next(choice.reason for choice in choices if choice.setting == "batch_size")

    assert reason(10**6, 65, 600.0).startswith("the more time, the more")
    assert reason(500, 65, 600.0) == "as many as the text has room for"
    assert reason(10**9, 50_000, 10**6) == "as many as fit into memory"


def test_more_time_makes_more_of_it() -> None:
    """A short text is read by more and more models, with more dropout; a long one by a larger and larger one."""
    for characters, grows in ((10**6, "ensemble_size"), (10**9, "hidden_size")):
        sizes = [chosen(characters, 65, 60.0 * minutes, 28_000.0)[grows] for minutes in (1, 3, 30, 300)]
        assert sizes == sorted(set(sizes))
    assert chosen(10**6, 65, 60.0, 28_000.0)["dropout"] < 0.1 < chosen(10**6, 65, 6000.0, 28_000.0)["dropout"]


def test_a_large_vocabulary_takes_few_lanes() -> None:
    lanes = [chosen(10**9, size, 86_400.0, 28_000.0)["batch_size"] for size in (65, 5_000, 20_000, 100_000)]
    assert lanes == sorted(lanes, reverse=True)
    assert lanes[0] > lanes[-1] == 16


def test_a_machine_that_is_slow_or_a_vocabulary_that_makes_it_so_takes_a_smaller_model() -> None:
    small, large = (chosen(10**8, 65_000, 600.0, speed)["hidden_size"] for speed in (1_500.0, 28_000.0))
    assert small < large


@pytest.mark.parametrize(
    ("steps", "betas"), [(1, (0.8, 0.95)), (1500, (0.8, 0.95)), (2121, (0.85, 0.97)), (3000, (0.9, 0.99))]
)
def test_adam_remembers_less_in_a_short_run(steps: int, betas: tuple[float, float]) -> None:
    plan = plan_steps(steps, 512)
    assert (plan.beta1, plan.beta2) == pytest.approx(betas, abs=1e-4)


def test_a_tiny_text_is_not_asked_for_lanes_that_it_has_not() -> None:
    assert chosen(300, 20, 60.0, 28_000.0)["batch_size"] == 4
    assert chosen(66, 20, 60.0, 28_000.0)["batch_size"] == 1


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_has_layers_and_a_rate_that_suit_it(cell: str) -> None:
    kind, fixed = CELLS[cell], {"hidden_size": 256, "num_layers": 2, "batch_size": 32}
    rates = [chosen(10**6, 65, 60.0, 28_000.0, cell=name, **fixed)["learning_rate"] for name in (cell, "lstm")]
    assert rates[0] / rates[1] == pytest.approx(kind.learning_rate, rel=0.05)  # they are rounded
    assert chosen(10**6, 65, 60.0, 28_000.0, cell=cell)["num_layers"] == (2 if kind.lowest else 1)


def test_two_models_share_the_time_from_three_epochs_on() -> None:
    assert [_members(epochs) for epochs in (0.1, 2.8, 3.0, 8.0, 40.0, 1000.0)] == [1, 1, 2, 2, 4, 10]
