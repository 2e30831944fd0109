"""Several processes that train one model, and what they tell each other.

A program that wasn't started by `torchrun` is `ALONE`: it has all the work, and nobody to talk to. So the training has
one form for both. Every process calls the same methods in the same order; who doesn't is waited for.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch import distributed as dist

from charlstm.errors import InputError, RunError, told_by
from charlstm.interruption import Stopped
from charlstm.training.share import Share

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = 50.0
"""Seconds after which a process that takes no part in what all do is given up."""

POLLING = 0.01
"""Seconds between two looks at what the first process has said."""

STOP, SAVE = 0, 1
"""What a process may wish of all."""

FAILED = "failed"
"""Where the first process that fails says so, so that the others needn't."""


class Processes:
    """A process without others. `Together` says what the methods mean where there are some."""

    number, count, local_count = 0, 1, 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that reports and writes."""
        return self.number == 0

    def share(self, members: int, lanes: int) -> Share:
        """What this process learns, of so many members and lanes."""
        return Share(self.number, self.count, members, lanes)

    def use_threads(self, asked: int | None) -> int:
        """Compute on this many threads, shared by the processes of the machine. Returns how many that is in all.

        Args:
            asked: None for one for each core.
        """
        if asked:
            torch.set_num_threads(asked)
        return torch.get_num_threads()

    def summed(self, numbers: Tensor) -> Tensor:
        """The sums of the numbers of all processes."""
        return numbers

    def average(self, tensors: Sequence[Tensor], share: Share) -> None:
        """Put the mean over all lanes into the tensors, where each process of a group has that over its own."""

    def spread(self, tensors: Sequence[Tensor], source: int) -> None:
        """Put the values of process `source` into the tensors of all."""

    def heard(self, what: int, wish: bool) -> bool:
        """Whether a process wishes what all must do at once: `STOP` or `SAVE`."""
        return wish

    def of_first(self, value: Any) -> Any:
        """What the first process has, of plain values. The others wait, however long it takes."""
        return value

    @contextmanager
    def file_of_first(self, path: Path | None) -> Iterator[Path]:
        """A file that the first process has, where this process can read it."""
        assert path
        yield path


ALONE = Processes()


class Together(Processes):
    """One of several processes.

    Args:
        store: where they meet.
        number, count: of this process, and how many there are.
        local_count: how many of them are on this machine.
    """

    def __init__(self, store: Store, number: int, count: int, local_count: int) -> None:
        self.store, self.number, self.count, self.local_count = store, number, count, local_count
        self._groups: dict[int, dist.ProcessGroup] = {}
        self._wishes, self._heard = [False, False], [False, False]
        self._said = 0

    def use_threads(self, asked: int | None) -> int:
        """As of one process. What `torchrun` sets, one thread for each, isn't what anybody asked for."""
        total = asked or cores_here()
        torch.set_num_threads(max(1, total // self.local_count))
        return total

    def summed(self, numbers: Tensor) -> Tensor:
        """As of one process, on the CPU, and in the numbers' dtype. The wishes go with them: no message is as short."""
        numbers = numbers.detach().cpu()
        both = torch.cat([numbers.flatten(), torch.tensor(self._wishes, dtype=numbers.dtype)])
        with self._connected():
            dist.all_reduce(both)
        self._heard = [heard or bool(sum) for heard, sum in zip(self._heard, both[-2:].tolist(), strict=True)]
        return both[:-2].view_as(numbers)

    def average(self, tensors: Sequence[Tensor], share: Share) -> None:
        """As of one process: one message of all tensors."""
        if share.parts > 1:
            flat = _flat(tensors).mul_(share.of_lanes)
            with self._connected():
                dist.all_reduce(flat, group=self._group(share))
            _unflatten(flat, tensors)

    def spread(self, tensors: Sequence[Tensor], source: int) -> None:
        """As of one process: one message of all tensors."""
        flat = _flat(tensors)
        with self._connected():
            dist.broadcast(flat, source)
        if source != self.number:
            _unflatten(flat, tensors)

    def heard(self, what: int, wish: bool) -> bool:
        """As of one process. A wish is heard after the next sum, by all processes at once."""
        heard, self._heard[what] = self._heard[what], False
        self._wishes[what] = wish and not heard
        return heard

    def of_first(self, value: Any) -> Any:
        """As of one process. They wait at the store and not for a message, which they would give up soon."""
        key = f"said/{self._said}"
        self._said += 1
        with self._connected():
            if self.is_first:
                self.store.set(key, json.dumps(value))
                return value
            while not self.store.check([key]):
                if self.store.check([FAILED]):
                    raise RunError("another process failed")
                time.sleep(POLLING)
            return json.loads(self.store.get(key))

    @contextmanager
    def file_of_first(self, path: Path | None) -> Iterator[Path]:
        """As of one process. Other machines needn't see the first one's disk."""
        content = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8) if self.is_first and path else None
        size = self.of_first(len(content) if content is not None else 0)
        content = torch.empty(size, dtype=torch.uint8) if content is None else content
        self.spread([content], 0)
        if self.is_first and path:
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="charlstm-") as folder:
            copy = Path(folder) / "of-first.pt"
            copy.write_bytes(content.numpy().data)
            yield copy

    def leave(self) -> None:
        """Wait for the others before the process ends: a connection that closes is taken for a failure."""
        with self._connected():
            dist.barrier()

    def fail(self, error: BaseException) -> int | None:
        """Tell the others that this process fails, if it is the first one; else the exit status of the one that was."""
        try:
            number, status = self.store.compare_set(FAILED, "", f"{self.number} {_status(error)}").split()
        except RuntimeError:  # the store is gone, and so is who could have told
            return None
        return None if int(number) == self.number else int(status)

    def _group(self, share: Share) -> dist.ProcessGroup:
        """The processes with the same members. All processes must make all groups, in the same order."""
        if share.parts == self.count:
            assert dist.group.WORLD
            return dist.group.WORLD
        if share.parts not in self._groups:
            ranks = [list(range(first, first + share.parts)) for first in range(0, self.count, share.parts)]
            own, _ = dist.new_subgroups_by_enumeration(ranks, timeout=_patience())  # type: ignore[no-untyped-call]
            self._groups[share.parts] = own
        return self._groups[share.parts]

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Make one line of what a lost process causes, which PyTorch tells in many ways."""
        try:
            yield
        except RunError:
            raise
        except RuntimeError as error:
            why = str(error).strip().splitlines()[0].rpartition("] ")[2]
            raise RunError(
                f"process {self.number} of {self.count}, on {socket.gethostname()}, has lost another one ({why}):"
                " see what ended that one; the same command goes on from the last checkpoint"
            ) from None


def is_launched() -> bool:
    """Whether `torchrun`, or a program like it, started this process as one of several."""
    return dist.is_available() and {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()


def cores_here() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Inside the block, the processes that were started together work together; one that wasn't is alone.

    Whoever fails first says so. The others end with the same status, and without a word.

    Raises:
        RunError: when the others can't be reached.
    """
    if not is_launched():
        yield ALONE
        return
    together = _meet(device)
    try:
        if together.is_first:
            yield together
        else:
            with told_by(lambda message: None):
                yield together
        together.leave()
    except BaseException as error:
        status = together.fail(error)
        if status is not None and isinstance(error, InputError | RunError | Stopped | KeyboardInterrupt):
            raise SystemExit(status) from None
        raise
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _meet(device: torch.device) -> Together:
    """Find the others, and connect to them."""
    from torch.distributed.distributed_c10d import PrefixStore  # some builds of PyTorch have no such parts
    from torch.distributed.rendezvous import rendezvous

    local = int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"several processes can't train on {device.type} together: give --device cpu")
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise InputError(f"there are {torch.cuda.device_count()} GPUs here: --nproc-per-node must be no more")
        torch.cuda.set_device(local)
    try:
        store, number, count = next(iter(rendezvous("env://", timeout=_patience())))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=PrefixStore("group", store),
            rank=number,
            world_size=count,
            timeout=_patience(),
        )
    except (RuntimeError, ValueError) as error:
        why = str(error).strip().splitlines()[0].rpartition("] ")[2]
        raise RunError(
            f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}, on {socket.gethostname()}, can't reach the"
            f" others ({why}): are all of them started? Between machines, GLOO_SOCKET_IFNAME names the network to use"
        ) from None
    return Together(PrefixStore("charlstm", store), number, count, int(os.environ.get("LOCAL_WORLD_SIZE", count)))


def _status(error: BaseException) -> int:
    """The exit status of a failure, as `cli.run` has it."""
    if isinstance(error, Stopped | KeyboardInterrupt):
        return 128 + int(error.args[0] if error.args else signal.SIGINT)
    return 2 if isinstance(error, InputError) else 1


def _patience() -> timedelta:
    return timedelta(seconds=PATIENCE)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def _unflatten(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    sizes = [tensor.numel() for tensor in tensors]
    with torch.no_grad():
        for tensor, values in zip(tensors, torch.split(flat, sizes), strict=True):
            tensor.copy_(values.view_as(tensor))
