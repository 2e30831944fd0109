"""From a Python function to machine code: when that is possible, and where the code is kept for the next start.

numba turns a function into LLVM's language, which takes seconds. What LLVM makes of it, the machine code, is kept in a
file. The next start loads that file with llvmlite, numba's binding to LLVM, in a twentieth of a second, and without
numba, whose import alone takes ten times as long.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from charlstm.errors import InputError, RunError, notice
from charlstm.files import home_cache, make_folder, open_itself, replacing
from charlstm.loops.team import calls_of_a_team

SWITCH = "CHARLSTM_FAST"
"""The environment variable that, set to 0, does without compiled loops."""

OFF = ("0", "no", "off", "false")
"""Its values that do so."""


@functools.cache
def has_loops() -> bool:
    """Whether loops can be compiled here. What an interrupted installation has left of the packages counts as nothing.

    Raises:
        InputError: when llvmlite is there, and can't be used.
    """
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return False
    try:
        import llvmlite.binding  # noqa: F401

        numba = importlib.util.find_spec("numba")
        return bool(numba and numba.origin and version("numba"))
    except ImportError:
        return False
    except OSError as error:
        raise _broken("llvmlite", error) from error


def loops_in_words() -> str:
    """Which loops there are."""
    return f"loops compiled by numba {version('numba')}" if has_loops() else "no compiled loops"


_MAKING = Lock()


@functools.cache
def machine_code(module: str, loop: str, dtype: str) -> int:
    """The address of a loop's machine code.

    Args:
        module, loop: a function of `charlstm.loops`. For a dtype it gives the function of a table of pointers, which
            `Loop` makes. Its module imports numba. It is imported only if the code isn't kept from an earlier start.

    Raises:
        InputError: when numba and llvmlite are there, and one of them can't be used.
    """
    with _MAKING:  # of several threads that need the same code, one makes it, and the others find it
        file = folder / f"{module}.{loop}.{dtype}.o" if (folder := _folder()) else None
        kept = _read(file) if file else None
        if kept is None:
            _tell_that_it_takes_time("once" if file else "at each start, since it can't be kept")
            kept = _made(module, loop, dtype)
            if file:
                # A full disk costs the next start's time, and no more. Two processes may write at a time, without a
                # lock: what they spoil doesn't have its digest.
                with suppress(RunError), replacing(file, private=True) as into:
                    into.write(_digest(file, kept) + kept)
    symbol, _, code = kept.partition(b"\n")
    return _linked(symbol.decode(), code)


def _made(module: str, loop: str, dtype: str) -> bytes:
    try:
        return _compiled(getattr(importlib.import_module(f"charlstm.loops.{module}"), loop)(dtype))
    except InputError:
        raise
    except Exception as error:  # of numba: it wants another NumPy, say, or isn't the version that this was written for
        said = str(error).strip().partition("\n")[0]
        raise _broken("numba", said) from error


def _broken(what: str, why: object) -> InputError:
    return InputError(f"{what} can't be used ({why}): mend it, or set {SWITCH}=0 to do without it")


def _compiled(body: Callable[[Any], None]) -> bytes:
    """The name of the function in the machine code, a line end, and the code, as an object file."""
    import llvmlite.binding as llvm
    import numba
    from numba import types

    # Sums may be reordered, and products fused with sums. But infinity and NaN must stay what they are.
    math = {"contract", "reassoc", "arcp", "nsz"}
    by_numbers = {"fastmath": math, "error_model": "numpy"}  # so that a division by zero is no exception
    target = _target()
    made = numba.cfunc(types.void(types.CPointer(types.voidptr)), **by_numbers)(body)
    name: str = made.native_name
    module = llvm.parse_assembly(made.inspect_llvm())
    for function in module.functions:
        if not function.is_declaration and function.name != name:
            function.linkage = "internal"
    passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    calls = {function.name for function in module.functions if function.is_declaration}
    if unknown := {call for call in calls - {*calls_of_a_team(), "exp"} if not call.startswith("llvm.")}:
        # As with Intel's library of vectors: no later start could find them without numba.
        raise InputError(f"numba's code needs {', '.join(sorted(unknown))}: set {SWITCH}=0 to do without it")
    return name.encode() + b"\n" + bytes(target.emit_object(module))


@functools.cache
def _target() -> Any:
    """This processor, for LLVM, which then also knows the functions that a loop may call."""
    import llvmlite.binding as llvm

    for call, address in calls_of_a_team().items():
        llvm.add_symbol(call, address)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    has = llvm.get_host_cpu_features().flatten()
    of_host = llvm.Target.from_triple(llvm.get_process_triple())
    return of_host.create_target_machine(llvm.get_host_cpu_name(), has, opt=3, codemodel="jitdefault", jit=True)


def _linked(symbol: str, code: bytes) -> int:
    """Where an object file's function is in memory."""
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(symbol)
    return address


_engines: list[object] = []
"""They hold the code, and must live as long as it may run."""


@functools.cache
def _tell_that_it_takes_time(how_often: str) -> None:
    notice(f"compiling the inner loops for this processor, {how_often}: some seconds")


@functools.cache
def _folder() -> Path | None:
    """Where the code is kept: beside the encoded texts, by all that it depends on; None if nowhere.

    What is loaded is run. So the folder must be the user's own, and nobody else may write in it.
    """
    home = home_cache()
    if home is None:
        return None
    import llvmlite.binding as llvm

    made_by = version("numba"), version("llvmlite"), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    digest = hashlib.sha256(repr(made_by).encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    try:
        folder = make_folder(home / "compiled" / digest.hexdigest()[:24], private=True)
    except InputError:
        return None
    return folder if all(_is_ours(each) for each in (home, folder.parent, folder)) else None


def _is_ours(folder: Path) -> bool:
    if not hasattr(os, "getuid"):  # Windows: a user's cache is in the user's profile
        return True
    seen = folder.stat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not seen.st_mode & 0o022


def _read(file: Path) -> bytes | None:
    """What a file holds, if it is whole."""
    try:
        with open(file, "rb", opener=open_itself) as opened:
            digest, kept = opened.read(32), opened.read()
    except OSError:
        return None
    return kept if digest == _digest(file, kept) else None


def _digest(file: Path, code: bytes) -> bytes:
    """Of a loop's name, too: the code of another loop would be run with arguments that it doesn't expect."""
    return hashlib.sha256(file.name.encode() + b"\n" + code).digest()
