from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from charlstm.config import ModelConfig, SampleConfig, TextConfig, TrainConfig
from charlstm.errors import InputError


@pytest.mark.parametrize(
    ("config", "wrong", "message"),
    [
        (ModelConfig, {"vocab_size": 5, "hidden_size": 0}, "hidden_size must be at least 1, not 0"),
        (ModelConfig, {"vocab_size": 5, "hidden_size": 2.5}, "hidden_size must be of type int, not 2.5"),
        (ModelConfig, {"vocab_size": 5, "dropout": 1.0}, "dropout must be below 1, not 1.0"),
        (ModelConfig, {"vocab_size": 5, "tie_weights": 1}, "tie_weights must be of type bool, not 1"),
        (ModelConfig, {"vocab_size": 5, "tie_weights": True, "embedding_dim": 3}, "tie_weights needs embedding_dim"),
        (TrainConfig, {"learning_rate": 0.0}, "learning_rate must be above 0, not 0.0"),
        (TrainConfig, {"learning_rate": float("nan")}, "learning_rate must be a finite number, not nan"),
        (TrainConfig, {"minutes": float("inf")}, "minutes must be a finite number, not inf"),
        (TrainConfig, {"steps": True}, "steps must be of type int, not True"),
        (TrainConfig, {"dtype": "int4"}, "dtype must be one of auto, float32, bfloat16, not 'int4'"),
        (TrainConfig, {"steps": 1, "minutes": 1.0}, "steps and minutes contradict each other"),
        (TextConfig, {"encoding": "klingon"}, "encoding 'klingon' can't be read: try utf-8"),
        (TextConfig, {"encoding": "rot13"}, "encoding 'rot13' can't be read"),
        (TextConfig, {"encoding": "undefined"}, "encoding 'undefined' can't be read"),
        (TrainConfig, {"minutes": 1e308}, "minutes must be at most"),
        (TextConfig, {"val_fraction": 0.6, "test_fraction": 0.4}, "leave nothing to train on"),
        (SampleConfig, {"top_p": 1.5}, "top_p must be at most 1, not 1.5"),
        (SampleConfig, {"temperature": -0.1}, "temperature must be at least 0, not -0.1"),
        (SampleConfig, {"stop": ("a", "")}, "stop must not be empty"),
        (SampleConfig, {"stop": "a"}, "stop must be of type tuple"),
        (SampleConfig, {"min_p": 0.0}, "min_p must be above 0"),
    ],
)
def test_nonsense_is_refused_by_name(config: type, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**wrong)


def test_whole_numbers_serve_as_fractions() -> None:
    assert TrainConfig(minutes=2, learning_rate=1).minutes == 2


def test_the_embedding_is_as_wide_as_the_layers_when_tied() -> None:
    assert ModelConfig(vocab_size=5).embedding_dim == 128
    assert ModelConfig(vocab_size=5, tie_weights=True, hidden_size=77).embedding_dim == 77


def test_importing_it_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, charlstm.config, charlstm.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
