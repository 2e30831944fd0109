from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.scripts.importing.files import CHAIN, HUGE, KERNEL, archive, layer, replaced, sequential, told, weights


def damaged(content: bytes) -> bytes:
    """A file with another byte in its weights."""
    place = content.index(np.float32(0.1).tobytes() * 3)
    return content[:place] + b"\xff" + content[place + 1 :]


def encrypted(content: bytes) -> bytes:
    """A file whose directory says that its weights are encrypted."""
    place = content.rindex(b"PK\1\2")
    return content[: place + 8] + b"\1" + content[place + 9 :]


def before() -> bytes:
    """A file whose directory should be larger than what is in front of it."""
    content = archive()
    end = len(content) - 22
    return content[: end + 16] + b"\xff\xff\xff\0" + content[end + 20 :]


def torch_file() -> bytes:
    import torch

    made = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, made)
    return made.getvalue()


ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: archive(inner=bytes(10_000_000), packed=zipfile.ZIP_DEFLATED), "more than twice as large"),
    "a long description": (lambda: archive(config=" " * 300_000), "more than twice as large"),
    "damaged": (lambda: damaged(archive()), "Bad CRC-32"),
    "encrypted": (lambda: encrypted(archive()), "encrypted"),
    "a place before the file's beginning": (before, "damaged"),
    "cut off": (lambda: archive()[:-30], "its directory isn't where it should be"),
    "something behind it": (lambda: archive() + b"x", "its directory isn't where it should be"),
    "many parts": (
        lambda: archive(more={f"assets/{number:050}": b"" for number in range(1000)}),
        "its directory isn't one of Keras",
    ),
    "LZMA": (lambda: archive(packed=zipfile.ZIP_LZMA), "packed in a way"),
    "no HDF5 in it": (lambda: archive(inner=b"x" * 1000), "damaged"),
    "hostile HDF5 in it": (lambda: archive(inner=replaced(**HUGE)), "more than the file has"),
    "code": (lambda: archive(config=sequential(*CHAIN[:2], layer("Lambda"), CHAIN[2])), "layer lambda (Lambda)"),
    "PyTorch's": (torch_file, "import_torch.py reads models of PyTorch"),
    "not UTF-8": (lambda: archive(config=b"\xff\xfe"), "can't decode byte 0xff"),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_hostile_archives(command: ModuleType, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, line = ARCHIVES[what]
    Path("model.keras").write_bytes(make())
    assert line in told(command, "model.keras", capsys)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_parts_that_are_double(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.keras").write_bytes(archive(more={"config.json": b"{}"}))
    assert "it has parts that are double" in told(command, "model.keras", capsys)


@pytest.mark.parametrize("packed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_without_harm_come(command: ModuleType, packed: int, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = np.random.default_rng(1).normal(0, 1, (5, 28)).astype(np.float32)
    inner = weights(lambda file: file.create_dataset(KERNEL, data=numbers), without=KERNEL)
    big = {"assets/noise": np.random.default_rng(1).bytes(len(inner))}  # so that it isn't packed too well
    Path("model.keras").write_bytes(archive(inner=inner, packed=packed, more=big))
    assert "kept in out.pt" in told(command, "model.keras", capsys, status=0)
