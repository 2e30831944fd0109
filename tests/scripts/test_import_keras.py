from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.scripts.importing.compare import TEXT, difference, ids, logits, vocab
from tests.scripts.importing.networks import IDS, LSTM, SIZE, UNITS, Kind, filled, import_keras, network, save

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")  # its own, with newer versions of NumPy


@pytest.fixture(scope="module")
def keras() -> Any:
    return import_keras()


@pytest.fixture
def command(script: Callable[[str], ModuleType]) -> ModuleType:
    script("commands")
    return script("import_keras")


KINDS: dict[str, list[Kind]] = {
    "LSTM": [LSTM],
    "LSTM, two layers": [LSTM, ("LSTM", {"name": "upper"})],
    "LSTM without biases": [("LSTM", {"use_bias": False})],
    "GRU": [("GRU", {}), ("GRU", {})],
    "GRU, reset_after=False": [("GRU", {"reset_after": False})],
    "SimpleRNN": [("SimpleRNN", {})],
    "stateful GRU": [("GRU", {"stateful": True})],
}
ENDINGS = (".keras", ".h5", ".weights.h5")


def answers(model: Any, given: Any = None) -> Any:
    """What Keras makes of the text, [T, ids]."""
    found = model(ids() if given is None else given)
    return found.detach().cpu().numpy()[0]


def bring(command: ModuleType, file: str, capsys: pytest.CaptureFixture[str], *, status: int = 0) -> list[str]:
    """Import a file. Returns the lines that were told."""
    capsys.readouterr()
    assert command.main([file, "--vocab", str(vocab()), "--out", "out.pt"]) == status
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("ending", [".keras", pytest.param(".h5", marks=pytest.mark.slow), ".weights.h5"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_keras(
    command: ModuleType, keras: Any, kind: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(keras, KINDS[kind])
    lines = bring(command, save(model, ending), capsys)
    layers = len(KINDS[kind])
    assert f"{layers} layer{'s' * (layers > 1)} of {UNITS} units, {IDS} characters" in lines[-2]
    assert ("weights alone" in lines[0]) == (ending == ".weights.h5")
    assert difference(answers(model), logits(), f"{kind}, {ending}") < 1e-5


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_model_of_one_hot_vectors_gets_an_identity(
    command: ModuleType, keras: Any, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(keras, [LSTM, LSTM], one_hot=True)
    lines = bring(command, save(model, ending), capsys)
    assert "an identity takes its place" in lines[-3]
    theirs = answers(model, np.eye(IDS, dtype=np.float32)[ids()])
    assert difference(theirs, logits(), f"one-hot, {ending}") < 1e-5


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_model_that_was_trained_comes_without_its_optimizer(
    command: ModuleType, keras: Any, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(keras, [("LSTM", {"dropout": 0.1, "recurrent_dropout": 0.1})], answer="softmax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(ids()[:, :-1], ids()[:, 1:], verbose=0)
    bring(command, save(model, ending), capsys)
    ours = logits().log_softmax(-1)
    assert difference(np.log(answers(model)), ours, f"softmax, {ending}") < 1e-5


class Tutorial:
    """The class of TensorFlow's tutorial of text generation, for one of its layers."""

    @staticmethod
    def made(keras: Any) -> Any:
        class MyModel(keras.Model):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.embedding = keras.layers.Embedding(IDS, SIZE)
                self.gru = keras.layers.GRU(UNITS, return_sequences=True, return_state=True)
                self.dense = keras.layers.Dense(IDS)

            def get_config(self) -> dict[str, Any]:
                return {}

            def call(self, x: Any) -> Any:
                return self.dense(self.gru(self.embedding(x))[0])

        model = MyModel()
        model(ids())
        return filled(model)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_the_class_of_tensorflows_tutorial(
    command: ModuleType, keras: Any, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Tutorial.made(keras)
    assert "weights alone" in bring(command, save(model, ending), capsys)[0]
    assert difference(answers(model), logits(), f"subclass, {ending}") < 1e-5


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_functional_model(command: ModuleType, keras: Any, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    layers = keras.layers
    x = keras.Input((None,))
    y = layers.LSTM(UNITS, return_sequences=True)(layers.Embedding(IDS, SIZE)(x))
    y = layers.SpatialDropout1D(0.1)(layers.LSTM(UNITS, return_sequences=True)(y))
    y = layers.Activation("softmax")(layers.TimeDistributed(layers.Dense(IDS))(y))
    model = filled(keras.Model(x, y))
    bring(command, save(model, ending), capsys)
    ours = logits().log_softmax(-1)
    assert difference(np.log(answers(model)), ours, f"functional, {ending}") < 1e-5


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_memory_that_is_read_in_place_of_the_output_is_refused(
    command: ModuleType, keras: Any, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = keras.layers
    x = keras.Input((None,))
    _, h, c = layers.LSTM(UNITS, return_state=True, name="low")(layers.Embedding(IDS, SIZE)(x))
    for state, status in ((h, 0), (c, 2)):
        model = filled(keras.Model(x, layers.Dense(IDS)(state)))
        told = bring(command, save(model, ending), capsys, status=status)
        assert any("the memory of layer low is read" in line for line in told) == (status == 2)


def test_weights_alone_are_told_apart_by_their_shapes(
    command: ModuleType, keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two layers with names that say nothing: the one that reads the embedding is the lower one."""
    model = network(keras, [("LSTM", {"use_bias": False}), ("LSTM", {"use_bias": False})], use_bias=False)
    weights = model.get_weights()
    with h5py.File("model.h5", "w") as file:
        for name, arrays in {"z": weights[1:3], "a": weights[3:5], "of": weights[:1], "to": weights[5:]}.items():
            for number, array in enumerate(arrays):
                file[f"{name}/cell/vars/{number}"] = array
    bring(command, "model.h5", capsys)
    assert difference(answers(model), logits(), "names that say nothing") < 1e-5


@pytest.mark.parametrize("kind", [LSTM, ("GRU", {}), ("SimpleRNN", {})])
def test_weights_of_keras_2_alone(
    command: ModuleType, keras: Any, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(keras, [kind, kind])
    with h5py.File("model.h5", "w") as file:
        for layer in model.layers:
            names = ["embeddings"] if "embedding" in layer.name else ["kernel", "recurrent_kernel", "bias"]
            names = ["kernel", "bias"] if "dense" in layer.name else names
            for name, array in zip(names, layer.get_weights(), strict=False):
                file[f"{layer.name}/{layer.name}/{name}:0"] = array
    bring(command, "model.h5", capsys)
    assert difference(answers(model), logits(), f"{kind[0]}, weights of Keras 2") < 1e-5


def test_ids_beyond_the_characters_are_left_out(
    command: ModuleType, keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = keras.layers
    rnn = layers.LSTM(UNITS, return_sequences=True)
    model = filled(keras.Sequential([keras.Input((None,)), layers.Embedding(40, SIZE), rnn, layers.Dense(IDS + 3)]))
    lines = bring(command, save(model, ".keras"), capsys)
    assert "3 of the model's 11 ids have no character in chars.json: they are left out" in lines[0]
    assert difference(answers(model)[:, :IDS], logits(), "unused ids") < 1e-5


def test_the_commands_take_what_came(command: ModuleType, keras: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from charlstm import evaluate, page, sample, train

    model = network(keras, [("GRU", {"reset_after": False})])
    bring(command, save(model, ".keras"), capsys)
    Path("text.txt").write_text(TEXT * 9, "utf-8")
    assert sample.main(["out.pt", "--prime", "a", "--length", "9", "--seed", "1"]) == 0
    assert len(capsys.readouterr().out) >= 9
    assert evaluate.main(["out.pt", "text.txt"]) == 0
    assert "bits per character" in capsys.readouterr().out
    assert page.main(["out.pt", "--text", "text.txt", "--out", "page.html"]) == 0
    assert train.main(["text.txt", "--init-from", "out.pt", "--steps", "1", "--batch-size", "2", "--name", "run"]) == 0
