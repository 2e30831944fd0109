from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from charlstm import device, sample, train
from charlstm.errors import InputError, RunError
from charlstm.loops import compiling
from charlstm.loops.team import Loop
from tests.conftest import TINY

numba = pytest.importorskip("numba")

Start = Callable[[], int]


def twice(dtype: str) -> Callable[[Any], None]:
    """A loop over one number, which is compiled in no time."""

    def doubled(p: Any) -> None:
        numbers = numba.carray(p[0], 1, np.int64)
        numbers[0] *= 2

    return doubled


def works(address: int) -> bool:
    numbers = np.array([21])
    Loop(address, numbers, threads=1)()
    return bool(numbers[0] == 42)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where code is kept in these tests: a cache without the other loops."""
    return tmp_path / "home" / "charlstm"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows when a loop is compiled."""
    done: list[object] = []
    compile_it = compiling._compiled

    def noted(body: Callable[[Any], None]) -> bytes:
        done.append(body)
        return compile_it(body)

    monkeypatch.setattr(compiling, "_compiled", noted)
    return done


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, place: Path, compiled: list[object]) -> Start:
    """Does what a new start of Python does: asks for the loop. Gives how many loops were compiled so far."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent))
    monkeypatch.setitem(sys.modules, "charlstm.loops.tiny", SimpleNamespace(twice=twice))
    monkeypatch.setattr(compiling, "notice", lambda message: None)

    def started() -> int:
        forget(monkeypatch)
        assert works(compiling.machine_code("tiny", "twice", "int64"))
        return len(compiled)

    return started


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been asked for yet."""
    for name in ("machine_code", "_folder", "_tell_that_it_takes_time"):
        monkeypatch.setattr(compiling, name, functools.cache(getattr(compiling, name).__wrapped__))


def kept(place: Path) -> Path:
    (file,) = place.glob("compiled/*/tiny.twice.int64.o")
    return file


def test_a_loop_is_compiled_once_and_kept_for_its_owner_alone(start: Start, place: Path) -> None:
    assert [start(), start()] == [1, 1]
    if sys.platform != "win32":
        assert kept(place).stat().st_mode & 0o777 == 0o600
        assert {folder.stat().st_mode & 0o777 for folder in (place, *kept(place).parents[:2])} == {0o700}


@pytest.mark.parametrize("damaged", [lambda whole: b"", lambda whole: whole[:-1], lambda whole: whole[:-1] + b"?"])
def test_a_damaged_file_is_made_again(damaged: Callable[[bytes], bytes], start: Start, place: Path) -> None:
    start()
    kept(place).write_bytes(damaged(kept(place).read_bytes()))
    assert [start(), start()] == [2, 2]


def test_the_code_of_another_loop_is_not_run(start: Start, place: Path) -> None:
    start()
    code = kept(place).read_bytes()[32:]
    kept(place).write_bytes(compiling._digest(Path("other.twice.int64.o"), code) + code)
    assert start() == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_in_the_files_place_is_not_waited_for(start: Start, place: Path) -> None:
    start()
    file = kept(place)
    file.unlink()
    os.mkfifo(file)
    assert start() == 2


@pytest.mark.parametrize("taken", ["home", "compiled", "file"])
def test_a_cache_that_cannot_be_written_costs_time_and_no_more(taken: str, start: Start, place: Path) -> None:
    start()
    taken_by = {"home": place, "compiled": place / "compiled", "file": kept(place)}[taken]
    taken_by.rename(place.parent / "away")
    taken_by.mkdir() if taken == "file" else taken_by.touch()
    assert [start(), start()] == [2, 3]


def test_a_full_disk_costs_the_next_starts_time(start: Start, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("no space left")

    monkeypatch.setattr(compiling, "replacing", full)
    assert [start(), start()] == [1, 2]
    assert not list(place.rglob("*.o"))


def test_a_user_without_a_home_compiles_each_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "home_cache", lambda: None)
    assert [start(), start()] == [1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_what_others_may_write_is_neither_run_nor_written(depth: int, mode: int, start: Start, place: Path) -> None:
    start()
    before = kept(place).stat()
    kept(place).parents[depth].chmod(mode)
    assert start() == 2
    assert kept(place).stat() == before


@pytest.mark.skipif(sys.platform == "win32", reason="users are of POSIX")
def test_what_belongs_to_another_user_is_not_run_and_a_link_is_where_it_leads(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
        assert start() == 2
    place.rename(place.parent / "elsewhere")
    place.symlink_to(place.parent / "elsewhere")  # as on a machine with another disk for caches
    assert start() == 2


def test_code_is_for_one_processor_one_numba_and_one_charlstm(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start()
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "version", lambda package: "0.0")
        assert start() == 2
    with monkeypatch.context() as patch:
        patch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "abacus")
        assert start() == 3
    (tmp_path / "compiling.py").write_text("changed")
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
        assert start() == 4
    assert start() == 4
    assert len(list(place.glob("compiled/*/*.o"))) == 4


def test_that_it_takes_time_is_told_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(compiling, "notice", told.append)
    start()
    for dtype in ("int8", "int16"):
        compiling.machine_code("tiny", "twice", dtype)
    assert told == ["compiling the inner loops for this processor, once: some seconds"]
    forget(monkeypatch)
    compiling.machine_code("tiny", "twice", "int8")
    assert len(told) == 1


def test_where_nothing_can_be_kept_that_is_told(start: Start, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    told: list[str] = []
    monkeypatch.setattr(compiling, "notice", told.append)
    place.parent.mkdir(exist_ok=True)
    place.touch()
    start()
    assert told == ["compiling the inner loops for this processor, at each start, since it can't be kept: some seconds"]


def test_threads_that_need_the_same_code_at_once_wait_for_one_of_them(
    start: Start, compiled: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(compiling, "notice", told.append)
    forget(monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        for address in pool.map(lambda _: compiling.machine_code("tiny", "twice", "int64"), range(4)):
            assert works(address)
    assert (len(compiled), len(told)) == (1, 1)


@pytest.fixture
def asked_anew() -> Iterator[None]:
    """Whether there are loops."""
    compiling.has_loops.cache_clear()
    yield
    compiling.has_loops.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("lacking", ["numba", "llvmlite", None])
def test_without_numba_or_by_wish_everything_runs_without_loops(
    lacking: str | None, monkeypatch: pytest.MonkeyPatch, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if lacking:
        monkeypatch.setitem(sys.modules, lacking, None)
    else:
        monkeypatch.setenv("CHARLSTM_FAST", "0")
    monkeypatch.setattr(compiling, "_linked", lambda *code: pytest.fail("no code is to be run"))
    assert not compiling.has_loops()
    assert device.processor().endswith("and no compiled loops")
    assert train.main([str(text), "--name", "without", "--steps", "2", *TINY]) == 0
    assert sample.main(["checkpoints/without", "--length", "9", "--top-k", "3"]) == 0


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("value", ["0", " 0", "no", "OFF", "false"])
def test_the_switch_turns_them_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARLSTM_FAST", value)
    assert not compiling.has_loops()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_what_is_left_of_a_package_is_none(package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "left" / package).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "left")])
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    assert not compiling.has_loops()


@pytest.mark.usefixtures("asked_anew")
def test_a_broken_llvmlite_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite/__init__.py").write_text("raise OSError('no such library')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        InputError, match=r"^llvmlite can't be used \(no such library\): mend it, or set CHARLSTM_FAST=0"
    ):
        compiling.has_loops()


@pytest.mark.usefixtures("asked_anew")
def test_any_other_value_of_the_switch_leaves_them_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARLSTM_FAST", "1")
    assert compiling.has_loops()
    assert device.processor().endswith(f"and loops compiled by numba {numba.__version__}")


def test_a_numba_that_cannot_be_imported_is_told_in_a_line(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "charlstm.loops.tiny", None)
    with pytest.raises(InputError, match="numba can't be used .*: mend it, or set CHARLSTM_FAST=0 to do without it"):
        start()


def test_a_numba_that_fails_is_told_in_a_line(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "charlstm.loops.tiny", SimpleNamespace(twice=lambda dtype: lambda p: p.unknown()))
    with pytest.raises(InputError, match=r"^numba can't be used \(Failed in [^\n]*\): mend it, or set CHARLSTM_FAST=0"):
        start()


NEXT_START = """if True:
    import sys
    import torch
    from charlstm.config import ModelConfig
    from charlstm.model.charlstm import CharLSTM
    from charlstm.sampling.fast_step import FastStep
    model, ids = CharLSTM(ModelConfig(vocab_size=3, hidden_size=8)), torch.zeros(1, 1, dtype=torch.long)
    model(ids, model.initial_state(1))[0].sum().backward()
    FastStep(model, precision="int8")(ids, model.initial_state(1))
    print(*sorted({"numba", "llvmlite"} & sys.modules.keys()))
"""


def test_the_next_start_finds_the_code_and_leaves_numba_alone() -> None:
    command = [sys.executable, "-W", "error", "-c", NEXT_START]
    started = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (started.returncode, started.stdout, started.stderr) == (0, "llvmlite\n", "")
