"""Files that are made to harm whoever reads them, or that are damaged."""

from __future__ import annotations

import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.scripts.conftest import SCRIPTS
from tests.scripts.importing.compare import vocab
from tests.scripts.importing.files import (
    CHAIN,
    HUGE,
    KERNEL,
    archive,
    layer,
    replaced,
    sequential,
    told,
    weights,
)
from tests.scripts.importing.networks import SIZE, UNITS
from tests.scripts.memory import peak

h5py = pytest.importorskip("h5py")


def described(text: str) -> Callable[[Any], None]:
    """What adds the description of a whole model."""

    def change(file: Any) -> None:
        file.attrs["model_config"] = text
        file.create_group("model_weights")

    return change


def linked(link: Any) -> bytes:
    """Weights with a link in the place of the kernel."""
    return weights(lambda file: file.__setitem__(KERNEL, link), without=KERNEL)


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((SIZE, 4 * UNITS), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (SIZE, 4 * UNITS))
    file.create_virtual_dataset(KERNEL, layout)


def shared(file: Any) -> None:
    """The same dataset under a thousand names."""
    for number in range(1000):
        file[f"more/vars/{number}"] = file[KERNEL]


def nested(file: Any) -> None:
    for _ in range(30):
        file = file.create_group("deeper")


KERNEL_SHAPE = (SIZE, 4 * UNITS)
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "8.88 PiB": (
        lambda: replaced(**HUGE),
        "layers/lstm/cell/vars/0 says that it has the shape [50000000, 50000000], more than the file has",
    ),
    "a chunk of 2 GB": (
        lambda: replaced(shape=KERNEL_SHAPE, maxshape=(None, None), dtype="f4", chunks=(5, 100_000_000)),
        "says that it has the shape [5, 100000000]",
    ),
    "many names": (lambda: weights(shared), "its datasets say that they are larger than the file"),
    "external link": (lambda: linked(h5py.ExternalLink("other.h5", "/x")), "0 is a link to elsewhere"),
    "soft link": (lambda: linked(h5py.SoftLink("/layers/lstm/cell/vars/1")), "0 is a link to elsewhere"),
    "external numbers": (
        lambda: replaced(shape=KERNEL_SHAPE, dtype="f4", external=[("/etc/passwd", 0, 560)]),
        "has its numbers in another file",
    ),
    "virtual": (lambda: weights(virtual, without=KERNEL), "has its numbers in another file"),
    "compressed": (
        lambda: replaced(data=np.zeros(KERNEL_SHAPE, "f4"), compression="gzip"),
        "is compressed: Keras itself keeps weights as they are",
    ),
    "integers": (lambda: replaced(data=np.zeros(KERNEL_SHAPE, "i4")), "vars/0 is of type int32"),
    "pickles in it": (
        lambda: replaced(data=[pickle.dumps(1).decode("latin-1")], dtype=h5py.string_dtype()),
        "vars/0 is of type object",
    ),
    "references": (
        lambda: weights(lambda file: file.create_dataset(KERNEL, data=file.ref, dtype=h5py.ref_dtype), without=KERNEL),
        "vars/0 is of type object",
    ),
    "not a number": (
        lambda: replaced(data=np.full(KERNEL_SHAPE, np.nan, "f4")),
        "layers/lstm/cell/vars/0 has numbers that aren't finite",
    ),
    "infinite in float32": (lambda: replaced(data=np.full(KERNEL_SHAPE, 1e300)), "aren't finite in float32"),
    "a group in itself": (
        lambda: weights(lambda file: file.__setitem__("layers/lstm/again", file["layers"])),
        "more groups and datasets than a model has",
    ),
    "deep": (lambda: weights(nested), "more groups and datasets than a model has"),
    "no weights": (lambda: weights(lambda file: file.__delitem__("layers")), "it has no weights"),
    "other weights": (
        lambda: weights(lambda file: file.create_dataset("odd/vars/x", data=[1.0])),
        "odd/vars/x is no weight",
    ),
    "numbers at the root": (
        lambda: weights(lambda file: file.create_dataset("odd", data=[1.0])),
        "odd is no weight of a layer",
    ),
    "numbers without a shape": (
        lambda: weights(lambda file: file.create_dataset("odd/vars/0", data=[[[1.0]]])),
        "odd has weights of the shapes [1, 1, 1]: that is no Dense or Embedding",
    ),
    "a kernel that is a number": (lambda: replaced(data=1.0), "lstm has weights of the shapes []"),
    "no kernel": (lambda: weights(without=KERNEL), "lstm has the weights [1, 2]: some are missing"),
    "a description of many texts": (
        lambda: weights(lambda file: file.attrs.__setitem__("model_config", ["x"] * 1000)),
        "its model_config isn't a text",
    ),
    "a description that is a number": (
        lambda: weights(lambda file: file.attrs.__setitem__("model_config", 3)),
        "its model_config is no text",
    ),
    "a nested description": (
        lambda: weights(described("[" * 30_000)),
        "what it says of its layers can't be read",
    ),
    "a layer without weights": (
        lambda: weights(described(sequential(*CHAIN[:2], layer("LSTM"), CHAIN[2]))),
        "it says that it has 2 of LSTM, and has weights of 1",
    ),
    "cut off": (lambda: weights()[:-1000], "damaged"),
    "the beginning alone": (lambda: weights()[:8], "damaged"),
    "nothing": (lambda: b"", "no model of Keras"),
    "a pickle": (lambda: pickle.dumps({"a": 1}), "no model of Keras"),
    "ONNX": (lambda: b"\x08\x07\x12\x07pytorch", "no model of Keras"),
    "a text": (lambda: b"To be, or not to be", "no model of Keras"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_hdf5(command: ModuleType, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, line = HOSTILE[what]
    Path("model.h5").write_bytes(make())
    assert line in told(command, "model.h5", capsys)


@pytest.mark.parametrize("what", ["8.88 PiB", "a pickle"])
def test_a_name_makes_no_difference(command: ModuleType, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, line = HOSTILE[what]
    Path("model.onnx").write_bytes(make())
    assert line in told(command, "model.onnx", capsys)


def test_the_same_file_without_harm_comes(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.h5").write_bytes(weights())
    assert "kept in out.pt" in told(command, "model.h5", capsys, status=0)


def test_what_is_no_file_or_no_place_is_told(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.h5").write_bytes(weights())
    os.mkfifo("pipe.h5")
    chars = str(vocab())
    for model, characters, out, line in [
        ("missing.h5", chars, "o.pt", "missing.h5: no such file"),
        (".", chars, "o.pt", "not a file"),
        ("/dev/zero", chars, "o.pt", "not a file"),
        ("pipe.h5", chars, "o.pt", "not a file"),
        ("model.h5", "pipe.h5", "o.pt", "not a file"),
        ("model.h5", "model.h5", "o.pt", "not UTF-8"),
        ("model.h5", chars, "model.h5", "exists already, and is no such model"),
        ("model.h5", chars, chars, "exists already, and is no such model"),
        ("model.h5", chars, ".", "a folder"),
        ("model.h5", chars, "/proc/o.pt", "can't write"),
    ]:
        capsys.readouterr()
        assert command.main([model, "--vocab", characters, "--out", out]) == 2
        (told_line,) = capsys.readouterr().err.splitlines()
        assert line in told_line
    assert Path("model.h5").read_bytes() == weights()


def test_without_h5py(command: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import importing.hdf5

    Path("model.h5").write_bytes(weights())
    monkeypatch.setattr(importing.hdf5, "find_spec", lambda name: None)
    assert 'python -m pip install -e ".[keras]"' in told(command, "model.h5", capsys)


def test_a_reader_that_ends_or_goes_on_for_ever_is_told(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importing.hdf5

    Path("model.h5").write_bytes(weights())
    Path("hdf5_reader.py").write_text("raise ImportError('no libhdf5')", "utf-8")
    monkeypatch.setattr(importing.hdf5, "__file__", str(Path("hdf5.py").absolute()))
    assert "h5py doesn't work (ImportError: no libhdf5)" in told(command, "model.h5", capsys)
    for instead in ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "import time; time.sleep(60)"):
        Path("hdf5_reader.py").write_text(instead, "utf-8")
        monkeypatch.setattr(importing.hdf5, "PATIENCE", 0.5)
        assert "damaged: HDF5 doesn't come to an end with it" in told(command, "model.h5", capsys)


@pytest.mark.slow
def test_files_with_a_few_other_bytes_come_or_are_told_in_a_line(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, random, chars = weights(), np.random.default_rng(1), str(vocab())
    statuses = []
    for _ in range(60):
        content = np.frombuffer(whole, np.uint8).copy()
        content[random.integers(0, 6000, 3)] = random.integers(0, 256, 3)
        Path("model.h5").write_bytes(content.tobytes())
        capsys.readouterr()
        statuses.append(command.main(["model.h5", "--vocab", chars, "--out", "out.pt"]))
        assert statuses[-1] in (0, 2)
        assert statuses[-1] == 0 or len(capsys.readouterr().err.splitlines()) == 1
    assert {*statuses} == {0, 2}


def reading(content: bytes) -> int:
    """The most memory, in bytes, of the process that reads HDF5."""
    Path("model.h5").write_bytes(content)
    return peak(sys.executable, str(SCRIPTS / "importing" / "hdf5_reader.py"), "model.h5", "arrays")


LARGE = 20_000_000


def large(**options: Any) -> bytes:
    """A file of 20 MB with a dataset that says that it is larger."""

    def change(file: Any) -> None:
        file["noise"] = np.zeros(LARGE, np.int8)
        file.create_dataset(KERNEL, **{"dtype": "f4", **options})

    return weights(change, without=KERNEL)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_the_memory_for_a_refused_file_is_bounded_by_twice_its_size() -> None:
    little = reading(weights())
    for content in (
        large(**HUGE),
        large(shape=(20, 10_000_000), chunks=(20, 100_000), compression="gzip"),
        large(shape=(5, 28), maxshape=(None, None), chunks=(5, 50_000_000)),
        large(shape=(4, 1_000_000), fillvalue=float("nan")),
    ):
        assert reading(content) < little + 2 * LARGE


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_so_is_that_of_the_whole_command() -> None:
    words = [sys.executable, str(SCRIPTS / "import_keras.py"), "model.h5", "--vocab", str(vocab()), "--out", "o.pt"]
    Path("model.h5").write_bytes(HOSTILE["a text"][0]())
    little = peak(*words)
    for content in (large(**HUGE), large(shape=(4, 1_000_000), fillvalue=float("nan"))):
        Path("model.h5").write_bytes(content)
        assert peak(*words) < little + 2 * LARGE
    Path("model.h5").write_bytes(archive(inner=bytes(100_000_000), packed=zipfile.ZIP_DEFLATED))
    assert peak(*words) < little + LARGE
