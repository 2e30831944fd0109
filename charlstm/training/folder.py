"""A run's folder: its checkpoints, its metrics, and the lock that keeps a second training out."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from charlstm.errors import InputError
from charlstm.files import make_folder, replacing

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class RunFolder:
    """`checkpoints/NAME` with `last.pt`, `best.pt` and `metrics.jsonl`, held by one training at a time.

    Entering it makes the folder and locks it; leaving it lets others in, and removes the folder if nothing is in it.

    Raises:
        InputError: on entering, when the folder can't be made or another training holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.pt"
        self.best = path / "best.pt"
        self.metrics = path / "metrics.jsonl"
        self._lock_path = path / ".lock"
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> RunFolder:
        make_folder(self.path)
        lock = self._lock_path.open("wb")
        try:
            _lock(lock)
        except OSError:
            lock.close()
            raise InputError(f"{self.path}: another training is at work here: wait for it, or give --name") from None
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        assert self._lock, "it was entered"
        self._lock.close()
        if not self.is_taken:
            with suppress(OSError):
                self._lock_path.unlink()
                self.path.rmdir()

    @property
    def is_taken(self) -> bool:
        """Whether a run has already left something here."""
        return self.last.exists() or self.best.exists() or self.metrics.exists()

    def append_metrics(self, report: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(report) + "\n")

    def keep_metrics(self, step: int) -> None:
        """Drop the reports after `step`, which a run that goes on from there will make again."""
        if not self.metrics.exists():
            return
        kept = []
        for line in self.metrics.read_text("utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # a line that a kill cut short
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
        with replacing(self.metrics) as file:
            file.write("".join(kept).encode())


def _lock(file: IO[bytes]) -> None:
    """Lock a file until the process ends, however it ends; OSError when another process has it."""
    if sys.platform == "win32":
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
