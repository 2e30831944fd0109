"""Texts, models and runs that several test modules use."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from charlstm import train
from charlstm.config import ModelConfig
from charlstm.text.vocab import Vocab

if TYPE_CHECKING:
    from charlstm.model.charlstm import CharLSTM

HAS_TORCH = find_spec("torch") is not None
"""What needs no PyTorch is tested on Pythons that have none, too: see `.ci/run`."""

# Examples that are the same each time: a failure that comes and goes would teach people to run the tests again.
settings.register_profile("charlstm", deadline=None, derandomize=True)
settings.load_profile("charlstm")

TINY = ["--hidden-size", "16", "--embedding-dim", "8", "--batch-size", "4", "--seq-len", "16", "--dtype", "float32"]
"""Flags of a model that trains in no time."""

VERSE = "The rain is on the river and the river's on the rain; 雨在河上，河在雨中。\n"


LOOPS = [
    *(("training", loop, dtype) for loop in ("forward", "backward") for dtype in ("float32", "bfloat16")),
    *(("sampling", "layer", precision) for precision in ("float32", "bfloat16", "int8", "uint8")),
    ("drawing", "draw", "float32"),
]
"""All compiled loops: module, function and dtype, as for `machine_code`."""


@pytest.fixture(scope="session")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The folder of the compiled loops, made once for all tests; None where there are none."""
    if not HAS_TORCH:
        return None
    from charlstm.loops import compiling

    if not compiling.has_loops():
        return None
    # Each process begins with another loop, and finds those that others have compiled meanwhile.
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    first = int(worker[2:]) * len(LOOPS) // int(workers)
    cache = tmp_path_factory.getbasetemp().parent / "loops"  # of all processes that test
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("XDG_CACHE_HOME", str(cache))
        for each in LOOPS[first:] + LOOPS[:first]:
            compiling.machine_code(*each)
    return cache / "charlstm" / "compiled"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loops: Path | None) -> None:
    """Each test in an empty folder, with a cache of nothing but loops, and on one thread: tiny models lose by more."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if loops:
        (tmp_path / "cache" / "charlstm").mkdir(mode=0o700, parents=True)
        shutil.copytree(loops, tmp_path / "cache" / "charlstm" / "compiled")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if HAS_TORCH:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(params=["with loops", "without loops"])
def with_and_without_loops(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, loops: Path | None
) -> Iterator[None]:
    """Runs a test twice: with the compiled loops, where there are any, and without them."""
    from charlstm.loops import compiling

    if request.param == "with loops" and not loops:
        pytest.skip("there are no compiled loops")
    if request.param == "without loops":
        monkeypatch.setenv(compiling.SWITCH, "0")
    compiling.has_loops.cache_clear()
    yield
    compiling.has_loops.cache_clear()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A small text file of 40 lines, English and Chinese."""
    path = tmp_path / "verse.txt"
    path.write_text(VERSE * 40, encoding="utf-8")
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A file of 60 short lines, each its own document."""
    path = tmp_path / "names.txt"
    path.write_text("Anna\nBo\n\n李白\n" * 20, encoding="utf-8")
    return path


@pytest.fixture
def model() -> CharLSTM:
    """A model of two layers, untrained."""
    import torch

    from charlstm.model.charlstm import CharLSTM

    torch.manual_seed(0)
    config = ModelConfig(vocab_size=7, hidden_size=6, num_layers=2, embedding_dim=5, dropout=0.5)
    return CharLSTM(config).eval()


@pytest.fixture
def vocab() -> Vocab:
    """The seven characters of the model above."""
    return Vocab("\n abcde")


@pytest.fixture
def run(text: Path) -> Callable[..., Path]:
    """Trains a tiny model on the text with more flags; gives the run's folder."""

    def trained(*flags: str, name: str = "verse") -> Path:
        assert train.main([str(text), "--name", name, *TINY, *flags]) == 0
        return Path("checkpoints") / name

    return trained
