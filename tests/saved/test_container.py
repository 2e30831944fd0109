from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from charlstm.errors import InputError, RunError
from charlstm.saved import container

CONTENTS = {"name": "model", "sizes": [2, 3], "weights": {"a": torch.ones(2, 3), "b": torch.zeros(40)}}


@pytest.fixture
def saved() -> Path:
    path = Path("model.pt")
    container.save(path, CONTENTS)
    return path


def rewritten(path: Path, **changes: object) -> Path:
    torch.save({**CONTENTS, **changes}, path)
    return path


def test_what_is_saved_is_loaded(saved: Path) -> None:
    loaded = container.load(saved)
    assert loaded.keys() == CONTENTS.keys()
    assert (loaded["name"], loaded["sizes"]) == ("model", [2, 3])
    assert torch.equal(loaded["weights"]["a"], torch.ones(2, 3))


def test_a_file_that_is_none_is_told() -> None:
    Path("text.pt").write_text("text")
    with pytest.raises(InputError, match="text.pt: not a checkpoint of charlstm"):
        container.load(Path("text.pt"))
    with pytest.raises(InputError, match="missing.pt: can't be read"):
        container.load(Path("missing.pt"))


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {info.filename: file.read(info) for info in file.infolist()}


def written(path: Path, entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries:
            file.writestr(name, content)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"model.pt: (damaged|not a checkpoint)"):
        container.load(saved)


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


def test_a_pickle_that_would_run_code_is_refused_unrun(saved: Path) -> None:
    torch.save({"format": 1, "model": Malice()}, saved)
    with pytest.raises(InputError, match="holds more than tensors and plain values"):
        container.load(saved)
    saved.write_bytes(pickle.dumps(Malice()))
    with pytest.raises(InputError, match="not a checkpoint"):
        container.load(saved)
    assert not Path("owned").exists()


def test_a_part_that_one_flipped_bit_makes_a_folder_is_refused(saved: Path) -> None:
    """PyTorch leaves such a part out, and its tensor is whatever the memory held; the checksums are right."""
    content = bytearray(saved.read_bytes())
    place, marked = content.find(b"PK\1\2"), 0
    while place >= 0:
        content[place + 38] ^= 0x10
        saved.write_bytes(content)
        with pytest.raises(InputError, match="damaged .it has packed parts, or folders"):
            container.load(saved)
        content[place + 38] ^= 0x10
        place, marked = content.find(b"PK\1\2", place + 1), marked + 1
    assert marked > 5


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_container_that_nobody_saved_so_is_refused(saved: Path) -> None:
    """A packed part of zeros may be a thousand times as large in memory as in the file."""
    entries = list(entries_of(saved).items())
    written(saved, entries, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="damaged .it has packed parts"):
        container.load(saved)
    written(saved, [*entries, entries[-1]])
    with pytest.raises(InputError, match="damaged .it has parts that are double"):
        container.load(saved)
    written(saved, entries)
    assert container.load(saved)


@pytest.mark.parametrize(
    ("failure", "raised", "words"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), RuntimeError, "can't allocate memory"),
        (MemoryError("of Python"), MemoryError, "of Python"),
        (OSError(5, "Input/output error"), InputError, "model.pt: can't be read .Input/output error"),
        (pickle.UnpicklingError("Unsupported global"), InputError, "more than tensors and plain values"),
    ],
)
def test_a_failure_to_read_is_called_what_it_is(
    failure: Exception, raised: type[Exception], words: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(raised, match=words):
        container.load(saved)


def test_a_file_with_two_directories_is_refused(saved: Path) -> None:
    """What is verified must be what PyTorch reads: it takes the first, and Python's zipfile the last."""
    content = saved.read_bytes()
    (offset,) = struct.unpack("<L", content[-6:-2])
    saved.write_bytes(content[:-22] + content[offset:])
    with pytest.raises(InputError, match="damaged .its directory isn't where it should be"):
        container.load(saved)
    saved.write_bytes(b"prefix" + content)
    with pytest.raises(InputError, match="damaged|not a checkpoint"):
        container.load(saved)


@pytest.mark.parametrize("odd", [bytearray(9), torch.zeros(2).to_sparse(), torch.ones(3, device="meta")])
def test_only_plain_tensors_and_values_are_built(saved: Path, odd: object) -> None:
    """PyTorch would build more, such as six gigabytes of nothing from a few bytes."""
    with pytest.raises(InputError, match="it holds more than tensors and plain values"):
        container.load(rewritten(saved, more=odd))


@pytest.mark.parametrize(
    ("ended", "told", "words"),
    [
        (KeyboardInterrupt("Ctrl-C"), KeyboardInterrupt, "Ctrl-C"),
        (OSError(28, "No space left on device"), RunError, "No space left on device.: make room on the disk"),
    ],
)
def test_what_ended_a_save_is_told_and_not_what_pytorch_makes_of_it(
    saved: Path, ended: BaseException, told: type[BaseException], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(contents: object, file: object) -> None:
        try:
            raise ended
        finally:
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    before = saved.read_bytes()
    loaded = container.load(saved)
    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(told, match=words):
        container.save(saved, loaded)
    assert saved.read_bytes() == before


@pytest.mark.parametrize("name", ["DATA.PKL", "Data.pkl", "data.pkl"])
def test_the_case_of_a_name_hides_nothing(saved: Path, name: str) -> None:
    """PyTorch finds a part whatever the case of its name."""
    rewritten(saved, more=bytearray(9))
    entries = [(part.replace("data.pkl", name), content) for part, content in entries_of(saved).items()]
    written(saved, entries)
    with pytest.raises(InputError, match="more than tensors and plain values"):
        container.load(saved)
