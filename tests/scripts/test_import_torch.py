from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.scripts.importing.compare import CHARACTERS, difference, ids, logits, vocab

IDS, SIZE, UNITS = len(CHARACTERS), 5, 7


@pytest.fixture
def command(script: Callable[[str], ModuleType]) -> ModuleType:
    script("commands")
    return script("import_torch")


class Network(nn.Module):
    """The tutorials' network, with weights that are neither small nor zero, the biases too."""

    def __init__(
        self, kind: type[nn.RNNBase], *, one_hot: bool = False, size: int = SIZE, bias: bool = True, **options: Any
    ) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding = None if one_hot else nn.Embedding(IDS, size)
        self.rnn = kind(IDS if one_hot else size, UNITS, batch_first=True, **options)
        self.fc = nn.Linear(UNITS, IDS, bias=bias)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.4)  # more, and a simple RNN is chaotic

    def forward(self, given: Tensor) -> Tensor:
        x = nn.functional.one_hot(given, IDS).float() if self.embedding is None else self.embedding(given)
        return self.fc(self.rnn(x)[0])[0]  # type: ignore[no-any-return]


def bring(command: ModuleType, contents: Any, capsys: pytest.CaptureFixture[str], *, status: int = 0) -> list[str]:
    """Import what torch.save writes of some contents. Returns the lines that were told."""
    torch.save(contents, "model.pt")
    capsys.readouterr()
    assert command.main(["model.pt", "--vocab", str(vocab()), "--out", "out.pt"]) == status
    assert Path("out.pt").exists() == (status == 0)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("options", [{}, {"one_hot": True}, {"bias": False}])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_logits_are_those_of_pytorch(
    command: ModuleType,
    kind: type[nn.RNNBase],
    options: dict[str, bool],
    layers: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Network(kind, num_layers=layers, **options)
    lines = bring(command, model.state_dict(), capsys)
    assert any("tanh is taken" in line for line in lines) == (kind is nn.RNN)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(ids()))
    assert difference(theirs, logits(), f"{kind.__name__}, {options}, {layers} layers") < 1e-5


@pytest.mark.parametrize("wrap", ["state_dict", "model_state_dict", "net"])
def test_a_state_dict_may_be_in_a_dictionary_and_of_a_module_in_a_module(
    command: ModuleType, wrap: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Network(nn.LSTM)
    of_module = {f"module.{name}": weight for name, weight in model.state_dict().items()}
    bring(command, {wrap: of_module, "epoch": 3, "optimizer": {"state": {0: {"step": 1}}}}, capsys)
    with torch.inference_mode():
        assert difference(model(torch.from_numpy(ids())), logits(), wrap) < 1e-5


@pytest.mark.parametrize("size", [5, UNITS])
def test_layers_may_be_modules_of_their_own(command: ModuleType, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Shapes tell which is the lower one, or else numbers."""
    one = Network(nn.GRU, num_layers=2, size=size)
    parts = one.state_dict()
    two = {name.replace("rnn.", f"rnn{int('_l1' in name) + 1}.").replace("_l1", "_l0"): parts[name] for name in parts}
    assert "rnn2.weight_ih_l0" in two
    bring(command, dict(reversed(two.items())), capsys)
    with torch.inference_mode():
        assert difference(one(torch.from_numpy(ids())), logits(), "two modules") < 1e-5


def tensors(**changes: Tensor | None) -> dict[str, Tensor]:
    """The state dict of an LSTM, with other tensors (`__` stands for a dot), or without some."""
    changed = {name.replace("__", "."): tensor for name, tensor in changes.items()}
    found = {**Network(nn.LSTM).state_dict(), **changed}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        (lambda: Network(nn.LSTM, bidirectional=True).state_dict(), "rnn has two directions (bidirectional)"),
        (lambda: Network(nn.LSTM, proj_size=3).state_dict(), "rnn has a projection (proj_size)"),
        (lambda: tensors(norm__weight=torch.ones(7), norm__bias=torch.ones(7)), "what norm.weight is for"),
        (lambda: tensors(extra__weight=torch.ones(7, 7)), "embedding.weight and fc.weight and extra.weight"),
        (lambda: tensors(rnn__weight_hh_l0=torch.ones(28, 8)), "rnn has weights of the shapes"),
        (lambda: tensors(rnn__weight_hh_l0=None), "rnn has weights of the shapes"),
        (lambda: tensors(rnn__weight_hh_l0=torch.ones(28)), "rnn has weights of the shapes"),
        (lambda: tensors(rnn__weight_hh_l0=torch.tensor(1.0)), "rnn has weights of the shapes"),
        (lambda: tensors(rnn__bias_hh_l0=None), "rnn has one bias, and nn.LSTM, nn.GRU and nn.RNN have two, or none"),
        (lambda: tensors(rnn__weight_ih_l2=torch.ones(28, 7)), "rnn has the layers 0, 2: some are missing"),
        (lambda: tensors(fc__weight=torch.ones(8, 6)), "can't be told"),
        (lambda: tensors(fc__bias=torch.ones(9)), "fc.weight has 8 outputs and biases of the shape [9]"),
        (lambda: tensors(fc__bias=torch.full((8,), torch.nan)), "aren't finite"),
        (lambda: tensors(fc__bias=torch.full((8,), 1e300, dtype=torch.float64)), "aren't finite"),
        (lambda: tensors(fc__bias=torch.ones(8, dtype=torch.int64)), "fc.bias is of type torch.int64"),
        (lambda: {"fc.weight": torch.ones(8, 7)}, "it has no nn.LSTM, nn.GRU or nn.RNN"),
        (lambda: {"a": tensors(), "b": tensors()}, "it has several models, a, b: save one alone"),
        (lambda: {"a": 1}, "no state dict of PyTorch"),
        (lambda: [1], "no state dict of PyTorch"),
        (dict, "no state dict of PyTorch"),
        (lambda: Network(nn.LSTM), "torch.save(model.state_dict(), FILE)"),
        (
            lambda: {**tensors(), **{name.replace("rnn", "top"): t for name, t in tensors().items() if "rnn" in name}},
            "which of rnn, top is the lowest can't be told",
        ),
    ],
)
def test_what_cant_come_is_told_in_a_line(
    command: ModuleType, contents: Callable[[], Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = bring(command, contents(), capsys, status=2)
    assert told in line


def test_a_file_of_something_else_is_told_in_a_line(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    Path("keras.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    Path("text.onnx").write_text("x" * 100, "utf-8")
    torch.save(tensors(), "model.pt")
    chars = str(vocab())
    for model, out, told in [
        ("keras.h5", "o.pt", "import_keras.py reads models of Keras"),
        ("text.onnx", "o.pt", "torch.save(model.state_dict(), FILE)"),
        ("missing.pt", "o.pt", "no such file"),
        (".", "o.pt", "not a file"),
        ("/dev/zero", "o.pt", "not a file"),
        ("model.pt", "model.pt", "exists already, and is no such model"),
        ("model.pt", ".", "a folder"),
    ]:
        capsys.readouterr()
        assert command.main([model, "--vocab", chars, "--out", out]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert told in line
        assert not Path("o.pt").exists()


def test_a_checkpoint_of_charlstm_needs_no_import(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(tensors(), "model.pt")
    assert command.main(["model.pt", "--vocab", str(vocab()), "--out", "out.pt"]) == 0
    assert command.main(["out.pt", "--vocab", str(vocab()), "--out", "again.pt"]) == 2
    assert "it is a checkpoint of charlstm" in capsys.readouterr().err.splitlines()[-1]


def test_what_was_trained_here_is_not_replaced(
    command: ModuleType, run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    best = run("--steps", "1") / "best.pt"
    before = best.read_bytes()
    torch.save(tensors(), "model.pt")
    capsys.readouterr()
    assert command.main(["model.pt", "--vocab", str(vocab()), "--out", str(best)]) == 2
    assert "exists already, and is no such model: choose another name" in capsys.readouterr().err
    assert best.read_bytes() == before
    for _ in range(2):  # what was brought in may be, by what is brought in again
        assert command.main(["model.pt", "--vocab", str(vocab()), "--out", "new.pt"]) == 0
