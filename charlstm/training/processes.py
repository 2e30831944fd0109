"""Several processes that train one model, and what they tell each other.

A program that wasn't started by `torchrun` is `ALONE`: it has all the work, and nobody to talk to. So the training has
one form for both. Every process calls the same methods in the same order; who doesn't is waited for.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from charlstm.cli import explained
from charlstm.errors import InputError, RunError, told_by
from charlstm.training.board import PATIENCE, Board, fresh
from charlstm.training.share import Share

MESSAGE = 1 << 22
"""Numbers in one message of many."""

STOP, SAVE = 0, 1
"""What a process may wish of all."""


class Processes:
    """One process of some; here, of one. What the methods do for several is done by `Together`."""

    number, count, local_count = 0, 1, 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that reports and writes."""
        return self.number == 0

    def share(self, members: int, lanes: int) -> Share:
        """What this process learns, of so many members and lanes."""
        return Share(self.number, self.count, members, lanes)

    def refuse_stdin(self, texts: Sequence[str]) -> None:
        """Raise InputError where several processes would read the same standard input."""
        if self.count > 1 and "-" in texts:
            raise InputError("standard input is of one process, and these are several: put the text into a file")

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

    def meet(self) -> None:
        """Wait until all are here, however long it takes."""

    @contextmanager
    def file_of_first(self, path: Path | None) -> Iterator[Path]:
        """A file that the first process has, where this process can read it."""
        assert path
        yield path


ALONE = Processes()


class Together(Processes):
    """One of several processes.

    Args:
        board: where they meet.
        local_count: how many of them are on this machine.
    """

    def __init__(self, board: Board, local_count: int) -> None:
        self.board, self.number, self.count, self.local_count = board, board.number, board.count, local_count
        self._groups: dict[int, dist.ProcessGroup] = {}
        self._wishes, self._heard = [False, False], [False, False]

    def use_threads(self, asked: int | None) -> int:
        """What `torchrun` sets, one thread for each process, isn't what anybody asked for."""
        total = asked or cores_here()
        torch.set_num_threads(max(1, total // self.local_count))
        return total

    def summed(self, numbers: Tensor) -> Tensor:
        """They come on the CPU. The wishes go with them: so there is one short message in a step."""
        numbers = numbers.detach().cpu()
        both = torch.cat([numbers.flatten(), torch.tensor(self._wishes, dtype=numbers.dtype)])
        with self._connected():
            dist.all_reduce(both)
        wished = both[-2:].tolist()
        self._heard = [before or bool(now) for before, now in zip(self._heard, wished, strict=True)]
        return both[:-2].view_as(numbers)

    def average(self, tensors: Sequence[Tensor], share: Share) -> None:
        """In one message of all tensors."""
        if share.parts > 1:
            flat = _flat(tensors).mul_(share.of_lanes)
            with self._connected():
                dist.all_reduce(flat, group=self._group(share))
            _unflatten(flat, tensors)

    def spread(self, tensors: Sequence[Tensor], source: int) -> None:
        """In messages that a slow network can carry before they are given up."""
        flat = _flat(tensors)
        with self._connected():
            for part in torch.split(flat, MESSAGE):
                dist.broadcast(part, source)
        if source != self.number:
            _unflatten(flat, tensors)

    def heard(self, what: int, wish: bool) -> bool:
        """A wish is heard after the next sum, by all processes at once."""
        heard, self._heard[what] = self._heard[what], False
        self._wishes[what] = wish and not heard
        return heard

    def of_first(self, value: Any) -> Any:
        """They wait at the board, and not for a message, which they would give up soon."""
        with self._connected():
            return self.board.of_first(value)

    def meet(self) -> None:
        """At the board, too."""
        with self._connected():
            self.board.meet()

    @contextmanager
    def file_of_first(self, path: Path | None) -> Iterator[Path]:
        """Other machines needn't see the first one's disk."""
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

    def _group(self, share: Share) -> dist.ProcessGroup:
        """The processes with the same members. All processes must make all groups, in the same order."""
        if share.parts == self.count:
            assert dist.group.WORLD
            return dist.group.WORLD
        if share.parts not in self._groups:
            ranks = [list(range(first, first + share.parts)) for first in range(0, self.count, share.parts)]
            own, _ = dist.new_subgroups_by_enumeration(ranks, timeout=PATIENCE)  # type: ignore[no-untyped-call]
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
            raise RunError(
                f"process {self.number} of {self.count}, on {socket.gethostname()}, has lost another ({_said(error)}):"
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
        with nullcontext() if together.is_first else told_by(lambda message: None):
            yield together
        together.meet()  # a connection that closes is taken for a failure
    except BaseException as error:
        known = explained(error)
        status = together.board.fail(known[0] if known else 1)
        if status is not None and known:
            raise SystemExit(status) from None
        raise
    finally:
        together.board.end()
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
            raise InputError(f"there are {torch.cuda.device_count()} GPUs here: start no more, or give --device cpu")
        torch.cuda.set_device(local)
    try:
        store, number, count = next(iter(rendezvous("env://", timeout=PATIENCE)))
        store = fresh(store, number, count)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=PrefixStore("group", store),
            rank=number,
            world_size=count,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}, on {socket.gethostname()}, can't reach the"
            f" others ({_said(error)}): are all of them started? Between machines, GLOO_SOCKET_IFNAME names the network"
        ) from None
    return Together(Board(store, number, count), int(os.environ.get("LOCAL_WORLD_SIZE", count)))


def _said(error: BaseException) -> str:
    """What PyTorch says of a connection: one sentence, without the place in its source."""
    line, _, _ = str(error).strip().partition("\n")
    return re.sub(r"^\[\S+\] ", "", line).partition(". ")[0]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def _unflatten(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    sizes = [tensor.numel() for tensor in tensors]
    with torch.no_grad():
        for tensor, values in zip(tensors, torch.split(flat, sizes), strict=True):
            tensor.copy_(values.view_as(tensor))
