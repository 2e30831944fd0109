from __future__ import annotations

import json
import math
import os
import pickle
import re
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import charlstm
from charlstm import sample
from charlstm.config import CELLS, ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.text.vocab import Vocab
from tests.scripts.memory import peak

README = Path(__file__).parent.parent.parent / "README.md"
HARD = "\n \"'\\abc\x7fé“雨\ufdd0\ufffd😀𝄞"
"""Characters that a format could get wrong: quotes, backslashes, control characters, and some beyond 16 bits."""

SHAPES: dict[str, dict[str, Any]] = {
    "one layer, tied": {"tie_weights": True, "hidden_size": 30, "embedding_dim": 30},
    "two layers": {"num_layers": 2},
    "two layers, two members": {"num_layers": 2, "ensemble_size": 2},
}


@pytest.fixture
def command(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("export")


def saved(name: str = "novel.pt", characters: str = HARD, **shape: Any) -> CharLSTM:
    """A model in a checkpoint. All its weights are of some size, the biases too.

    They are small enough for states that forget: a network that doesn't would make much of the last digit.
    """
    characters = "".join(sorted(characters))
    config = ModelConfig(**{"vocab_size": len(characters), "hidden_size": 10, "embedding_dim": 6, **shape})
    model = CharLSTM(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=config.hidden_size**-0.5, generator=generator)
    checkpoint.save(Path(name), Checkpoint(config, Vocab(characters), model.state_dict()))
    return model


def random_ids(model: CharLSTM, batch: int, length: int = 50) -> Tensor:
    return torch.randint(model.config.vocab_size, (batch, length), generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def logits_of(model: CharLSTM, ids: Tensor) -> Tensor:
    return model(ids, model.initial_state(len(ids)))[0]


def lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    captured = capfd.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def show(what: str, difference: float) -> None:
    print(f"\n{what}: largest difference {difference:.1e}")
    assert difference <= 1e-5


RECURRENT = {"LSTM", "GRU", "RNN", "Loop", "Scan", "If"}
"""Operators that many programs lack."""


def check_onnx(command: ModuleType, capfd: pytest.CaptureFixture[str], **shape: Any) -> None:
    import onnx
    import onnxruntime

    model = saved(**{"hidden_size": 40, **shape})
    assert command.main(["novel.pt", "--format", "onnx"]) == 0
    told = lines(capfd)
    assert len(told) == 2
    assert re.search(r"^novel\.onnx: [\d,]+ bytes; .* differ from the checkpoint's by \d\.\de-\d\d at most", told[0])
    assert sorted(file.name for file in Path().iterdir()) == ["novel.onnx", "novel.pt"]

    proto = onnx.load("novel.onnx")
    onnx.checker.check_model(proto, full_check=True)
    operators = {node.op_type for node in proto.graph.node}
    assert {node.domain for node in proto.graph.node} == {""}
    assert not operators & RECURRENT
    assert not proto.functions
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", 18)]
    floats = [math.prod(each.dims) for each in proto.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    parameters = sum(weight.numel() for weight in model.parameters())
    assert sum(size for size in floats if size > 1024) <= parameters  # the exporter may repeat the small ones
    assert b"charlstm/model" not in Path("novel.onnx").read_bytes()

    session = onnxruntime.InferenceSession("novel.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["format"] == "charlstm"
    assert json.loads(metadata["vocab"]) == "".join(sorted(HARD))
    assert ModelConfig(**json.loads(metadata["model_config"])) == model.config
    layers, _, units = session.get_inputs()[1].shape
    largest = 0.0
    for batch in (1, 3):
        ids, found = random_ids(model, batch), []
        h, c = np.zeros((2, layers, batch, units), np.float32)
        for each in ids.T.numpy():
            logits, h, c = session.run(["logits", "h_out", "c_out"], {"ids": each, "h": h, "c": c})
            found.append(torch.from_numpy(logits))
        largest = max(largest, float((torch.stack(found, 1) - logits_of(model, ids)).abs().max()))
    print(f"\n{' '.join(sorted(operators))}", end="")
    show(f"ONNX, {shape}", largest)


@pytest.mark.slow  # `test_the_lines_of_the_readme_write_text` exports one by default
def test_a_step_in_onnx_gives_the_models_logits(command: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    check_onnx(command, capfd, num_layers=2)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", ["one layer, tied", "two layers, two members"])
def test_a_step_in_onnx_gives_the_models_logits_for_every_cell(
    command: ModuleType, cell: str, shape: str, capfd: pytest.CaptureFixture[str]
) -> None:
    check_onnx(command, capfd, cell=cell, **SHAPES[shape])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", ["one layer, tied", pytest.param("two layers, two members", marks=pytest.mark.slow)])
def test_safetensors_hold_the_weights_and_what_is_known_of_them(
    command: ModuleType, cell: str, shape: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from safetensors import safe_open

    model = saved(cell=cell, **SHAPES[shape])
    assert command.main(["novel.pt", "--format", "safetensors"]) == 0
    assert "differ from the checkpoint's by 0." in lines(capfd)[0]
    with safe_open("novel.safetensors", "pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    assert metadata["format"] == "charlstm"
    assert json.loads(metadata["vocab"]) == "".join(sorted(HARD))
    config = ModelConfig(**json.loads(metadata["model_config"]))
    tied = json.loads(metadata["tied"])
    assert not weights.keys() & tied.keys()
    assert len(tied) == model.config.tie_weights
    weights |= {name: weights[equal] for name, equal in tied.items()}
    ids = random_ids(model, 3)
    difference = logits_of(CharLSTM.with_weights(config, weights).eval(), ids) - logits_of(model, ids)
    show(f"safetensors, {cell}, {shape}", float(difference.abs().max()))
    assert not difference.any()


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras

        return keras


OF_KERAS = {
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {}),
    "gru-reset-before": ("GRU", {"reset_after": False}),
    "rnn": ("SimpleRNN", {}),
}


def build_model(keras: Any, config: ModelConfig, batch: int, dropout: float) -> Any:
    """The tutorials' network."""
    kind, flags = OF_KERAS[config.cell]
    layers = [keras.layers.Embedding(config.vocab_size, config.embedding_dim)]
    for _ in range(config.num_layers):
        layers.append(getattr(keras.layers, kind)(config.hidden_size, return_sequences=True, stateful=True, **flags))
        layers += [keras.layers.Dropout(dropout)] if dropout else []
    network = keras.Sequential([*layers, keras.layers.Dense(config.vocab_size)])
    network.build((batch, None))
    return network


@pytest.mark.parametrize("dropout", [0, 0.2])
@pytest.mark.parametrize("shape", ["one layer, tied", "two layers"])
@pytest.mark.parametrize("cell", OF_KERAS)
def test_keras_loads_the_weights(
    command: ModuleType, keras: Any, cell: str, shape: str, dropout: float, capfd: pytest.CaptureFixture[str]
) -> None:
    model = saved(cell=cell, **SHAPES[shape])
    assert command.main(["novel.pt", "--format", "keras"]) == 0
    lines(capfd)
    ids = random_ids(model, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = build_model(keras, model.config, 3, dropout)
        network.load_weights("novel.weights.h5")
        found = [keras.ops.convert_to_numpy(network(part.numpy())) for part in (ids[:, :20], ids[:, 20:])]
    difference = torch.from_numpy(np.concatenate(found, 1)) - logits_of(model, ids)
    show(f"Keras, {cell}, {shape}", float(difference.abs().max()))


@pytest.mark.parametrize("cell", OF_KERAS)
def test_the_lines_that_are_told_make_the_network(
    command: ModuleType, keras: Any, cell: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = saved(cell=cell, num_layers=2)
    assert command.main(["novel.pt", "--format", "keras"]) == 0
    names = {"keras": keras}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec("\n".join(lines(capfd)[1:]), names)
        ids = random_ids(model, 1)
        found = torch.from_numpy(keras.ops.convert_to_numpy(names["model"](ids.numpy())))
    torch.testing.assert_close(found, logits_of(model, ids), rtol=0, atol=1e-5)


def test_a_keras_file_holds_the_vocabulary(command: ModuleType) -> None:
    import h5py

    characters = HARD + "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))  # more than HDF5 keeps beside a name
    saved(characters="".join(set(characters)), hidden_size=1, embedding_dim=1)
    assert command.main(["novel.pt", "--out", "all.weights.h5"]) == 0
    with h5py.File("all.weights.h5") as file:
        assert json.loads(file.attrs["vocab"]) == "".join(sorted(set(characters)))


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ({"cell": "mogrifier"}, "Keras has no mogrifier cell"),
        ({"cell": "lstm", "ensemble_size": 3}, "this is of 3"),
    ],
)
def test_keras_gets_only_what_it_has(
    command: ModuleType, shape: dict[str, Any], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    saved(**shape)
    assert command.main(["novel.pt", "--format", "keras"]) == 2
    (line,) = lines(capfd)
    assert why in line
    assert line.endswith("use --format onnx")


def test_a_file_is_named_as_its_run(command: ModuleType) -> None:
    Path("runs/tale").mkdir(parents=True)
    saved("runs/tale/best.pt")
    saved("mine.pt")
    for given in ("runs/tale", "runs/tale/best.pt", "mine.pt"):
        assert command.main([given, "--format", "keras"]) == 0
    assert command.main(["mine.pt", "--out", "new/other.safetensors"]) == 0
    found = {str(file) for file in Path().rglob("*") if file.suffix in (".h5", ".safetensors")}
    assert found == {"tale.weights.h5", "mine.weights.h5", str(Path("new/other.safetensors"))}


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([], "which format"),
        (["--out", "novel.bin"], "which format"),
        (["--out", "novel.onnx", "--format", "keras"], r"ends in \.weights\.h5"),
        (["--out", "novel.h5", "--format", "keras"], r"ends in \.weights\.h5"),
        (["--out", "there.onnx"], "a folder"),
        (["--format", "pickle"], "invalid choice"),
    ],
)
def test_wrong_flags_are_told_in_one_line(
    command: ModuleType, flags: list[str], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    saved()
    Path("there.onnx").mkdir()
    assert command.main(["novel.pt", *flags]) == 2
    (line,) = lines(capfd)
    assert re.search(why, line)
    assert {file.name for file in Path().iterdir()} == {"novel.pt", "there.onnx"}


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [
        ("onnx", "onnx", "export"),
        ("onnx", "onnxscript", "export"),
        ("onnx", "onnxruntime", "export"),
        ("safetensors", "safetensors", "export"),
        ("keras", "h5py", "keras"),
    ],
)
def test_a_missing_package_is_named(
    command: ModuleType,
    format: str,
    package: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    saved()
    monkeypatch.setitem(sys.modules, package, None)
    assert command.main(["novel.pt", "--format", format]) == 2
    assert lines(capfd) == [
        f'export: --format {format} needs {package}: python -m pip install -e ".[{extra}]"',
    ]


def test_nothing_is_written_that_differs_or_is_too_large(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from exporting import onnx_step, tensors

    saved()
    for ending in ("onnx", "safetensors"):
        Path(f"novel.{ending}").write_bytes(b"as before")
    load = tensors.load
    monkeypatch.setattr(tensors, "load", lambda content: {name: each + 1e-3 for name, each in load(content).items()})
    assert command.main(["novel.pt", "--format", "safetensors"]) == 1
    (line,) = lines(capfd)
    assert re.search(r"differs from its checkpoint by .*e-0\d: nothing is written", line)
    monkeypatch.setattr(onnx_step, "LARGEST", 4)
    assert command.main(["novel.pt", "--format", "onnx"]) == 2
    (line,) = lines(capfd)
    assert "use --format safetensors" in line
    for ending in ("onnx", "safetensors"):
        assert Path(f"novel.{ending}").read_bytes() == b"as before"


def test_what_can_not_be_told_or_computed_is_not_exported(
    command: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    saved("halves.pt", "ab\ud83d\ude00")
    model = saved("broken.pt")
    weights = {name: weight * math.nan for name, weight in model.state_dict().items()}
    checkpoint.save(Path("broken.pt"), Checkpoint(model.config, Vocab("".join(sorted(HARD))), weights))
    for name, why in (("halves.pt", "halves of characters"), ("broken.pt", "not finite numbers")):
        assert command.main([name, "--format", "safetensors"]) == 2
        (line,) = lines(capfd)
        assert why in line
    assert not list(Path().glob("*.safetensors"))


def test_differences_are_relative_to_large_numbers_alone(command: ModuleType) -> None:
    from exporting.agreement import OneStep, largest_difference

    model = saved()
    step = OneStep(model)

    def off(*by: float) -> float:
        """The largest difference from a step whose logits, h and c are off by these numbers."""
        return largest_difference(
            model, lambda *inputs: tuple(each + more for each, more in zip(step(*inputs), by, strict=True))
        )

    assert off(0, 0, 0) == 0
    assert off(0, 1e-3, 0) == pytest.approx(1e-3, rel=1e-3)  # h is below 1
    assert math.isnan(off(0, 0, math.nan))
    with torch.no_grad():
        model.each[0].head.weight *= 10_000
    assert 0 < off(1e-3, 0, 0) < 1e-5


class Opens:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("owned"),)


def hostile() -> dict[str, Path]:
    """Files that are called .onnx, and are no checkpoint."""
    import onnx

    files = {name: Path(f"{name}.onnx") for name in ("real", "empty", "noise", "pickle", "packed", "views")}
    weight = onnx.helper.make_tensor("weight", onnx.TensorProto.FLOAT, [100_000], [0.5] * 100_000)
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "graph", [], [], [weight])), files["real"])
    files["empty"].touch()
    files["noise"].write_bytes(os.urandom(4_000_000))
    files["pickle"].write_bytes(pickle.dumps(Opens()))
    with zipfile.ZipFile(files["packed"], "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("archive/data.pkl", bytes(50_000_000))
    torch.save({"format": 5, "model": {"weight": torch.zeros(1).expand(200_000_000)}}, files["views"])
    return files


def test_files_that_are_no_checkpoint_are_refused_and_take_little_memory(
    command: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, file in hostile().items():
        readers = [
            lambda: command.main([str(file), "--format", "onnx"]),  # noqa: B023
            lambda: sample.main([str(file)]),  # noqa: B023
        ]
        for read in readers:
            tracemalloc.start()
            assert read() == 2
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            (line,) = lines(capfd)
            assert f"{file}: " in line, name
            assert peak <= 2 * file.stat().st_size + 2**20
        with pytest.raises(charlstm.InputError, match=re.escape(str(file))):
            charlstm.load(str(file))
    assert not Path("owned").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_a_whole_command_takes_little_memory_for_them() -> None:
    files = hostile()

    def reading(file: Path) -> int:
        return peak(sys.executable, "-m", "charlstm.sample", str(file))

    little = reading(files["empty"])
    for file in (files["packed"], files["views"], files["noise"]):
        assert reading(file) <= little + 2 * file.stat().st_size + 2**23


def blocks(language: str) -> list[str]:
    section = README.read_text("utf-8").split("\n### To other programs\n")[1].split("\n#")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)


def test_the_lines_of_the_readme_write_text(command: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    saved(characters='\n abc"\\雨😀', num_layers=2, ensemble_size=2)
    assert command.main(["novel.pt", "--format", "onnx"]) == 0
    exec(blocks("python")[0], {})
    text = capfd.readouterr().out
    assert len(text) > 200
    assert set(text) <= set('\n abc"\\雨😀')


@pytest.mark.parametrize("count", [1, 30, 31, 32, 120, 130, 3000])
def test_the_javascript_of_the_readme_finds_the_vocabulary(count: int) -> None:
    """Its regular expression, at lengths with all kinds of bytes in front of the vocabulary."""
    import onnx

    (expression,) = re.findall(r"match\(/(.*)/\)", blocks("js")[0])
    characters = (HARD + "".join(map(chr, range(0x4E00, 0x4E00 + count))))[-count:] + "\\"
    proto = onnx.ModelProto()
    onnx.helper.set_model_props(proto, {"model_config": '{"vocab_size": 3}', "vocab": json.dumps(characters)})
    found = re.search(expression, proto.SerializeToString().decode("latin-1"))
    assert found
    assert json.loads(found[1]) == characters
