from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from charlstm.config import SampleConfig
from charlstm.errors import RunError
from charlstm.loops.compiling import has_loops
from charlstm.sampling.choosing import _CompiledDraw, chooser
from charlstm.sampling.filters import Scores, filtered
from charlstm.sampling.gumbel import draw

with_loops = pytest.mark.skipif(not has_loops(), reason="there are no compiled loops")


@with_loops
def test_the_compiled_draw_is_the_other_one() -> None:
    """With ties, more ids to keep than there are, some that are excluded, and settings like 1 for 1.0."""
    random = np.random.default_rng(0)
    for _ in range(400):
        texts, ids = random.integers(1, 4).item(), random.integers(1, 40).item()
        scores = random.normal(size=(texts, ids)).astype(np.float32) * random.choice([0.1, 1, 10])
        if random.random() < 0.3:
            scores = scores.round()
        some: dict[str, Any] = {
            "top_k": int(random.integers(1, ids + 3)),
            "top_p": float(random.choice([0.1, 0.5, 0.9, 1.0])),
            "min_p": float(random.choice([0.01, 0.1, 0.5, 1.0])),
        }
        some |= {name: 1 for name in some if some[name] == 1}
        names = random.choice(list(some), random.integers(1, 4), replace=False)
        temperature = random.choice([0.1, 0.5, 1.0, 2.0]).item()
        temperature = 1 if temperature == 1 else temperature
        config = SampleConfig(temperature=temperature, **{name: some[name] for name in names})
        noise = (random.gumbel(size=scores.shape) * temperature).astype(np.float32)
        never = [set(random.choice(ids, random.integers(0, ids), replace=False).tolist()) for _ in range(texts)]
        never = never if random.random() < 0.4 else []
        choose = chooser(config, texts, ids)
        assert isinstance(choose, _CompiledDraw)
        assert choose(scores, noise, never) == draw(filtered(scores, config, never), noise)


def rows(*scores: list[float]) -> Scores:
    return np.array(scores, np.float32)


@pytest.mark.usefixtures("with_and_without_loops")
def test_what_is_excluded_may_change_from_draw_to_draw() -> None:
    scores, none = rows([1, 2, 3], [3, 2, 1]), np.zeros((2, 3), np.float32)
    choose = chooser(SampleConfig(top_k=2), 2, 3)
    for never, drawn in (([], [2, 0]), ([{2}, {0, 1}], [1, 2]), ([(), {0}], [2, 1]), ([{1}, ()], [2, 0]), ([], [2, 0])):
        assert choose(scores, none, never) == drawn
    with pytest.raises(ValueError, match="zip"):
        choose(scores, none, [{1}])


@pytest.mark.usefixtures("with_and_without_loops")
@pytest.mark.parametrize("settings", [{}, {"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.5}, {"temperature": 0}])
@pytest.mark.parametrize("bad", [[1, np.nan], [np.nan, 1], [1, np.inf], [-np.inf, -np.inf]])
def test_scores_that_are_not_finite_are_told(settings: dict[str, Any], bad: list[float]) -> None:
    choose = chooser(SampleConfig(**settings), 2, 2)
    with pytest.raises(RunError, match="not finite numbers"):
        choose(rows([1, 2], bad), np.zeros((2, 2), np.float32), [])


@pytest.mark.usefixtures("with_and_without_loops")
def test_the_scores_stay_as_they_are() -> None:
    scores = rows([1, 2, 3])
    assert chooser(SampleConfig(top_k=1), 1, 3)(scores, rows([0, 5, 0]), [{2}]) == [1]
    assert scores.tolist() == [[1, 2, 3]]


@with_loops
def test_without_filters_numpy_draws() -> None:
    """The noise of many draws is made at once, and then there is little left to do."""
    for settings in ({}, {"temperature": 0.0, "top_k": 3}):
        assert not isinstance(chooser(SampleConfig(**settings), 1, 9), _CompiledDraw)  # type: ignore[arg-type]
