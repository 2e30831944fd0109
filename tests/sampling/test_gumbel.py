from __future__ import annotations

import itertools

import numpy as np
import pytest

from charlstm.errors import RunError
from charlstm.sampling import gumbel as module
from charlstm.sampling.gumbel import draw, gumbels, probabilities_of
from charlstm.sampling.sampler import random_of

SCORES = np.array([[0.0, 1.0, -2.0, 0.5, -np.inf], [3.0, 0.0, 0.0, 0.0, 0.0]], np.float32)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 1e300])
def test_draws_are_as_frequent_as_softmax_has_it(temperature: float) -> None:
    noise = gumbels([random_of(0, n) for n in range(2)], 5, temperature)
    drawn = np.array([draw(SCORES, each) for each in itertools.islice(noise, 20_000)])
    likely = np.exp(SCORES.astype(float) / temperature)
    likely /= likely.sum(-1, keepdims=True)
    for column, probabilities in zip(drawn.T, likely, strict=True):
        np.testing.assert_allclose(np.bincount(column, minlength=5) / len(column), probabilities, atol=0.015)


@pytest.mark.parametrize("temperature", [0.0, 1e-300])
def test_without_temperature_it_is_the_highest_and_of_equal_ones_the_first(temperature: float) -> None:
    scores = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, 0.0, 1e-3]], np.float32)
    for noise in itertools.islice(gumbels([random_of(0, n) for n in range(3)], 3, temperature), 100):
        assert draw(scores, noise) == [1, 0, 2]


def test_a_row_has_the_noise_that_it_would_have_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 21)
    together = list(itertools.islice(gumbels([random_of(7, n) for n in range(3)], 9, 0.8), 7))
    for n in range(3):
        alone = list(itertools.islice(gumbels([random_of(7, n)], 9, 0.8), 7))
        np.testing.assert_array_equal(np.stack(alone)[:, 0], np.stack(together)[:, n])
    assert len({noise.tobytes() for noise in together}) == 7


def test_more_ids_than_are_made_at_once() -> None:
    (noise,) = itertools.islice(gumbels([random_of(0, 0)], module.AT_ONCE + 1, 1.0), 1)
    assert noise.shape == (1, module.AT_ONCE + 1)
    assert noise.dtype == np.float32


def test_a_wait_of_nothing_gives_a_number() -> None:
    class Hasty(np.random.Generator):
        def standard_exponential(self, size: tuple[int, int]) -> np.ndarray:  # type: ignore[override, type-arg]
            return np.zeros(size)

    noise = next(gumbels([Hasty(np.random.PCG64(0))], 3, 1.0))
    assert np.isfinite(noise).all()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_told(temperature: float, bad: float) -> None:
    noise = next(gumbels([random_of(0, n) for n in range(2)], 2, temperature))
    for row in ([1.0, bad], [bad, 1.0], [-np.inf, -np.inf]):
        with pytest.raises(RunError, match="not finite numbers"):
            draw(np.array([[1.0, 2.0], row], np.float32), noise)


def test_the_probability_of_what_was_drawn_is_the_models_own() -> None:
    likely = np.exp(SCORES[0].astype(float))
    assert probabilities_of([1, 0], SCORES) == pytest.approx([likely[1] / likely.sum(), np.e**3 / (np.e**3 + 4)])
    assert probabilities_of([1], np.array([[3e38, -3e38]], np.float32)) == [0.0]
    for bad in (np.nan, np.inf):
        with pytest.raises(RunError, match="not finite numbers"):
            probabilities_of([0], np.array([[0.0, bad]], np.float32))
