"""A run's folder: its checkpoints, its metrics, and the lock that keeps a second training out."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from charlstm.errors import InputError
from charlstm.files import locked, make_folder, replacing


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
        self._lock = path / ".lock"
        self._held = ExitStack()

    def __enter__(self) -> RunFolder:
        make_folder(self.path)
        try:
            self._held.enter_context(locked(self._lock, wait=False))
        except BlockingIOError:
            raise InputError(f"{self.path}: another training is at work here: wait for it, or give --name") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
        if not self.is_taken:
            with suppress(OSError):
                self._lock.unlink()
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
