"""Runs a function in several processes that find each other, as those do that `torchrun` starts."""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

import torch
from torch.distributed import TCPStore

from charlstm import evaluate, train
from charlstm.training.processes import Processes, joined

# A process that is forked from one that has imported everything already is there at once.
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.several", "charlstm.job", "torch._dynamo", "llvmlite.binding"])
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # as the commands do, before PyTorch is there


class Ended(NamedTuple):
    """What a command did in one of the processes."""

    status: int
    out: str
    err: str


def together(count: int, do: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `do(processes, *arguments)` returns in each of `count` processes, in order."""
    return _in_processes(count, _joined, do, arguments)


def commands(
    count: int, command: str, arguments: Sequence[str], before: Callable[[int], None] | None = None
) -> list[Ended]:
    """Run `train` or `evaluate` in `count` processes.

    A single one isn't told that there could be more.

    Args:
        before: is called with the number of the process before the command.
    """
    return _in_processes(count, _commanded, command, list(arguments), before)


def _in_processes(count: int, do: Callable[..., Any], *arguments: Any) -> list[Any]:
    # It is here that they meet, as those of `torchrun` do in that: so the store outlives each of them.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    cache, here = os.environ["XDG_CACHE_HOME"], os.getcwd()
    with ProcessPoolExecutor(count, _FORKED) as pool:
        running = [
            pool.submit(
                _as_one_of,
                {"XDG_CACHE_HOME": cache}
                if count == 1
                else {
                    "RANK": str(number),
                    "LOCAL_RANK": str(number),
                    "WORLD_SIZE": str(count),
                    "LOCAL_WORLD_SIZE": str(count),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(store.port),
                    "TORCHELASTIC_USE_AGENT_STORE": "True",
                    "OMP_NUM_THREADS": "1",
                    "XDG_CACHE_HOME": cache,
                },
                here,
                do,
                arguments,
            )
            for number in range(count)
        ]
        return [each.result() for each in running]


def _as_one_of(environment: dict[str, str], here: str, do: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    os.environ |= environment
    os.chdir(here)
    torch.set_num_threads(1)
    return do(*arguments)


def _joined(do: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    with joined(torch.device("cpu")) as processes:
        assert isinstance(processes, Processes)
        return do(processes, *arguments)


def _commanded(command: str, arguments: list[str], before: Callable[[int], None] | None) -> Ended:
    if before:
        before(int(os.environ["RANK"]))
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = {"train": train, "evaluate": evaluate}[command].main(arguments)
        except SystemExit as end:
            status = int(str(end.code))
    return Ended(status, out.getvalue(), err.getvalue())
