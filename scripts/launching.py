"""Starts several processes that find each other, on this machine or as if on machines of their own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BRIDGE = "charlstm0"
"""The switch between the networks."""


@dataclass(frozen=True)
class Place:
    """Where a process runs.

    Attributes:
        address: by which the others reach it.
        prefix: what stands before its command.
        counters: the folder with the counters of what it has sent, as seen by `prefix`.
    """

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    interface: str = "lo"
    more: dict[str, str] = field(default_factory=dict)

    def sent(self) -> int:
        """Bytes that have left through its interface so far."""
        file = f"/sys/class/net/{self.interface}/statistics/tx_bytes"
        return int(subprocess.run([*self.prefix, "cat", file], check=True, capture_output=True, text=True).stdout)


@contextmanager
def places(count: int, rate: str | None) -> Iterator[list[Place]]:
    """Places for so many processes: this machine, or with a rate (as of `tc`, such as 100mbit) a network for each.

    Networks need the rights of the system's administrator, and the commands `ip` and `tc`. They go when the block ends.
    """
    if rate is None:
        yield [Place()] * count
        return
    with ExitStack() as made:
        _made(made, f"ip link add {BRIDGE} type bridge", f"ip link del {BRIDGE}")
        _run(f"ip link set {BRIDGE} up")
        found = []
        for number in range(count):
            space, outside, address = f"charlstm{number}", f"charlstm-v{number}", f"10.77.0.{number + 1}"
            _made(made, f"ip netns add {space}", f"ip netns del {space}")
            # It would go with its namespace, but some time later.
            _made(made, f"ip link add {outside} type veth peer name eth0 netns {space}", f"ip link del {outside}")
            _run(f"ip link set {outside} master {BRIDGE} up")
            inside = f"ip netns exec {space}"
            for command in (f"ip addr add {address}/24 dev eth0", "ip link set eth0 up", "ip link set lo up"):
                _run(f"{inside} {command}")
            shaped = f"root tbf rate {rate} burst 64kb latency 200ms"
            _run(f"{inside} tc qdisc add dev eth0 {shaped}")
            found.append(Place(address, tuple(inside.split()), "eth0", {"GLOO_SOCKET_IFNAME": "eth0"}))
        yield found


def launch(commands: Sequence[str], at: Sequence[Place], folder: Path | None = None) -> list[subprocess.Popen[str]]:
    """Start the same command at each of these places, as `torchrun` does. The output is kept, to be read."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    started = []
    for number, place in enumerate(at):
        own = {
            "RANK": str(number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": str(len(at)),
            "LOCAL_WORLD_SIZE": str(len(at)),
            "MASTER_ADDR": at[0].address,
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        command = [*place.prefix, *commands]
        environment = {**os.environ, **own, **place.more}
        started.append(
            subprocess.Popen(
                command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    return started


def finished(started: Sequence[subprocess.Popen[str]]) -> str:
    """What the first of some processes printed, once all have ended.

    Raises:
        RuntimeError: when one of them failed.
    """
    told = [process.communicate() for process in started]
    for process, (_, errors) in zip(started, told, strict=True):
        if process.returncode:
            raise RuntimeError(f"a process ended with status {process.returncode}: {errors.strip()[-500:]}")
    return told[0][0]


def _made(stack: ExitStack, make: str, remove: str) -> None:
    subprocess.run(remove.split(), check=False, stderr=subprocess.DEVNULL)  # what an earlier program has left
    _run(make)
    stack.callback(subprocess.run, remove.split(), check=False)


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)
