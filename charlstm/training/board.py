"""Where several processes meet, and what they tell each other when there is no hurry: a store of keys and values.

`torchrun` has such a store; else the first process has. Messages between processes (`processes.py`) are faster, and are
given up soon. Here they wait for each other as long as it takes, and as all of them live.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from charlstm.errors import RunError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = timedelta(seconds=50)
"""After this a process that gives no sign of life is lost."""

BEAT = 5.0
"""Seconds from one sign of life to the next."""

FAILED = "failed"
"""Where the first process that fails says so, so that the others needn't."""


def fresh(store: Store, number: int, count: int) -> Store:
    """A part of the store that only these processes use, and none that `torchrun` had started and that have ended.

    Those may have left anything in the store. So each process writes a number that nobody else knows. The first one
    answers with all of them and with a name, until all have found their own number in its answer, and so know the name.
    """
    from torch.distributed.distributed_c10d import PrefixStore

    mine, name, until = secrets.token_hex(8), secrets.token_hex(8), time.monotonic() + PATIENCE.total_seconds()
    hellos = [f"hello/{each}" for each in range(count)]
    store.set(hellos[number], mine)
    while time.monotonic() < until:
        if number:
            answer = json.loads(store.get("answer")) if store.check(["answer"]) else {"hellos": {}}
            if answer["hellos"].get(hellos[number]) == mine:
                name = answer["name"]
                store.set(f"{name}/known/{number}", "")
                return PrefixStore(name, store)
        else:
            here = [hello for hello in hellos if store.check([hello])]
            found = {hello: store.get(hello).decode() for hello in here}
            store.set("answer", json.dumps({"name": name, "hellos": found}))
            if all(store.check([f"{name}/known/{other}"]) for other in range(1, count)):
                return PrefixStore(name, store)
        time.sleep(0.05)
    raise RuntimeError(f"only some of {count} processes have come")


class Board:
    """What the processes of one start tell each other.

    Args:
        store: their own, as of `fresh`.
        number, count: of this process, and how many there are.
    """

    def __init__(self, store: Store, number: int, count: int) -> None:
        self.store, self.number, self.count = store, number, count
        self._said = self._met = 0
        self._ended = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def of_first(self, value: Any) -> Any:
        """What the first process has, of plain values. The others wait for it."""
        key = f"said/{self._said}"
        self._said += 1
        if self.number == 0:
            self.store.set(key, json.dumps(value))
            return value
        self._wait([key], [0])
        return json.loads(self.store.get(key))

    def meet(self) -> None:
        """Wait until all are here."""
        self._met += 1
        keys = [f"met/{self._met}/{each}" for each in range(self.count)]
        self.store.set(keys[self.number], "")
        self._wait(keys, range(self.count))

    def fail(self, status: int) -> int | None:
        """Tell the others that this process fails, if it is the first one; else the exit status of the one that was."""
        try:
            number, first = self.store.compare_set(FAILED, "", f"{self.number} {status}").split()
        except RuntimeError:  # the store is gone, and so is who could have told
            return None
        return None if int(number) == self.number else int(first)

    def end(self) -> None:
        """Give no more signs of life."""
        self._ended.set()

    def _wait(self, keys: Sequence[str], of: Sequence[int]) -> None:
        """Wait for keys of some processes, while these live.

        Raises:
            RunError: when one of them is lost, or any has failed.
        """
        seen: dict[int, tuple[bytes, float]] = {}
        while True:
            with suppress(RuntimeError):
                self.store.wait(list(keys), timedelta(seconds=1))
                return
            if self.store.check([FAILED]):
                raise RunError("another process has failed")
            now = time.monotonic()
            for each in of:
                beat = self.store.get(f"beat/{each}") if self.store.check([f"beat/{each}"]) else b""
                if each not in seen or seen[each][0] != beat:
                    seen[each] = beat, now
                elif now - seen[each][1] > PATIENCE.total_seconds():
                    raise RuntimeError(f"process {each} gives no sign of life")

    def _beat(self) -> None:
        with suppress(RuntimeError):  # the store is gone: so is the run
            while not self._ended.wait(BEAT):
                self.store.add(f"beat/{self.number}", 1)
