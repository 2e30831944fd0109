from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.scripts.importing.compare import vocab
from tests.scripts.importing.files import CHAIN, layer, sequential
from tests.scripts.importing.networks import IDS, SIZE, save

pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")  # its own, with newer versions of NumPy


@pytest.fixture
def config(command: ModuleType) -> ModuleType:
    return importlib.import_module("importing.keras_config")


def refused(command: ModuleType, model: Any, ending: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that is told of a model that can't come."""
    file = save(model, ending)
    capsys.readouterr()
    assert command.main([file, "--vocab", str(vocab()), "--out", "out.pt"]) == 2
    assert not Path("out.pt").exists()
    (line,) = capsys.readouterr().err.splitlines()
    return line


INSIDE: dict[str, Callable[[Any], list[Any]]] = {
    "layer low has activation=relu: only tanh": lambda of: [of.LSTM(7, activation="relu", name="low")],
    "recurrent_activation=hard_sigmoid": lambda of: [of.GRU(7, recurrent_activation="hard_sigmoid")],
    "has go_backwards=True": lambda of: [of.LSTM(7, go_backwards=True)],
    "layer both (Bidirectional)": lambda of: [of.Bidirectional(of.LSTM(7), name="both")],
    "layer conv (Conv1D)": lambda of: [of.Conv1D(4, 3, name="conv"), of.LSTM(7)],
    "(LayerNormalization)": lambda of: [of.LSTM(7), of.LayerNormalization()],
    "(Lambda)": lambda of: [of.LSTM(7), of.Lambda(lambda x: x * 2)],
    "(RNN)": lambda of: [of.RNN(of.LSTMCell(7))],
    "its layers are Embedding, LSTM, Dense, Dense": lambda of: [of.LSTM(7), of.Dense(7)],
    "its layers are Embedding, LSTM, Softmax, Dense": lambda of: [of.LSTM(7), of.Activation("softmax")],
    "its layers are Embedding, Dense": lambda of: [of.Dropout(0.5)],
    "low has 8 units, and high 7": lambda of: [
        of.LSTM(8, return_sequences=True, name="low"),
        of.LSTM(7, name="high"),
    ],
    "low (LSTM) and high (GRU)": lambda of: [of.LSTM(7, return_sequences=True, name="low"), of.GRU(7, name="high")],
}


@pytest.mark.parametrize("told", INSIDE)
def test_a_layer_that_cant_come_is_named(
    command: ModuleType, keras: Any, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ending = ".h5" if "Bidirectional" in told else ".keras"
    of = keras.layers
    layers = [keras.Input((None,)), of.Embedding(IDS, SIZE), *INSIDE[told](of), of.Dense(IDS)]
    assert told in refused(command, keras.Sequential(layers), ending, capsys)


ALONE: dict[str, Callable[[Any], list[Any]]] = {
    "layer layers/bidirectional": lambda of: [of.Bidirectional(of.LSTM(7))],
    "layer layers/conv1d": lambda of: [of.Conv1D(4, 3), of.LSTM(7)],
    "layer layers/lambda": lambda of: [of.LSTM(7), of.Lambda(lambda x: x * 2)],
    "it has no recurrent layer": lambda of: [],
    "dense and dense_1 and embedding": lambda of: [of.LSTM(7), of.Dense(7)],
    "lstm has 8 units, and lstm_1 7": lambda of: [of.LSTM(8, return_sequences=True), of.LSTM(7)],
}


@pytest.mark.parametrize("told", ALONE)
def test_so_it_is_where_there_are_weights_alone(
    command: ModuleType, keras: Any, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of = keras.layers
    layers = [keras.Input((None,)), of.Embedding(IDS, SIZE), *ALONE[told](of), of.Dense(IDS)]
    assert told in refused(command, keras.Sequential(layers), ".weights.h5", capsys)


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5"])
@pytest.mark.parametrize("kind", ["Attention", "Add"])
def test_a_model_must_be_a_chain(
    command: ModuleType, keras: Any, kind: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of = keras.layers
    given = keras.Input((None,))
    x = of.Embedding(IDS, SIZE)(given)
    y = of.LSTM(SIZE, return_sequences=True)(x)
    model = keras.Model(given, of.Dense(IDS)(getattr(of, kind)(name="two")([x, y])))
    told = f"layer layers/{kind.lower()}" if ending == ".weights.h5" else f"layer two ({kind}) reads "
    assert told in refused(command, model, ending, capsys)


@pytest.mark.parametrize(
    "text",
    [
        sequential(*CHAIN),
        json.dumps({"class_name": "Sequential", "config": CHAIN}),  # of Keras 2.0
        sequential(layer("InputLayer"), *CHAIN, layer("Activation", activation="softmax")),
        sequential(layer("Embedding", mask_zero=False), layer("LSTM", activation="tanh"), layer("Dense")),
        sequential(*CHAIN[:2], layer("Dense", activation={"class_name": "function", "config": "softmax"})),
        sequential({**CHAIN[0], "module": "keras.layers", "registered_name": None}, *CHAIN[1:]),
    ],
)
def test_descriptions_of_all_versions(config: ModuleType, text: str) -> None:
    assert [each.kind for each in config.layers_of(text, Path("model"))] == ["Embedding", "LSTM", "Dense"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "can't be read"),
        ("{}", "can't be read"),
        ("[]", "can't be read"),
        ("1", "can't be read"),
        ("{", "can't be read"),
        (sequential({"class_name": "LSTM"}), "can't be read"),
        (json.dumps({"class_name": "Functional", "config": {"layers": 3}}), "can't be read"),
        (json.dumps({"class_name": "Odd", "config": {"layers": []}}), "a model of the class Odd"),
        (" " * 300_000, "longer than a model's"),
        (sequential({**layer("LSTM"), "registered_name": "mine>LSTM"}), "a class of its own, LSTM"),
        (sequential({**layer("LSTM"), "module": "mine"}), "a class of its own, LSTM"),
        (sequential(layer("LSTM", time_major=True)), "time_major=True"),
        (sequential(layer("Embedding", mask_zero=True)), "mask_zero=True"),
        (sequential(*CHAIN, layer("Softmax"), layer("Softmax")), "Dense, Softmax, Softmax"),
        (sequential(*CHAIN[:2], layer("Dense", activation="softmax"), layer("Softmax")), "are a softmax each"),
        (sequential(*CHAIN, layer("Softmax", axis=1)), "axis=1"),
        (sequential(layer("TimeDistributed", layer=layer("LSTM"))), "(TimeDistributed of LSTM)"),
        (sequential(), "its layers are none"),
    ],
)
def test_what_is_said_of_layers_is_refused_in_a_line(config: ModuleType, text: str, told: str) -> None:
    with pytest.raises(ValueError, match="^model: ") as raised:
        config.layers_of(text, Path("model"))
    assert told in str(raised.value)


def test_a_class_of_its_own_says_nothing_of_its_layers(config: ModuleType) -> None:
    assert config.layers_of(json.dumps({"class_name": "MyModel", "config": {}}), Path("model")) is None
