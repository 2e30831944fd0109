"""A run's folder: its checkpoints, its metrics, and the lock that keeps a second training out; and where runs are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from charlstm.errors import InputError, RunError, notice
from charlstm.files import locked, make_folder, remove_drafts, replacing

CHECKPOINTS = ("last.pt", "best.pt")
"""The checkpoints in a run's folder."""


class RunFolder:
    """`checkpoints/NAME` with `last.pt`, `best.pt`, `metrics.jsonl` and perhaps a page, held by one training at a time.

    Entering it makes the folder and locks it; leaving it lets others in, and removes the folder if nothing is in it.

    Raises:
        InputError: on entering, when the folder can't be made or another training holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.pt"
        self.best = path / "best.pt"
        self.metrics = path / "metrics.jsonl"
        self.page = path / "page.html"
        self._lock = path / ".lock"
        self._held = ExitStack()

    def __enter__(self) -> RunFolder:
        make_folder(self.path)
        try:
            self._held.enter_context(locked(self._lock, wait=False))
        except BlockingIOError:
            raise InputError(f"{self.path}: another training is at work here: wait for it, or give --name") from None
        except OSError as error:  # such as of a link or a pipe
            raise InputError(f"{self._lock}: can't be locked ({error.strerror}): remove it") from None
        remove_drafts(
            self.path,
            ".last.pt.part",
            ".best.pt.part",
            ".metrics.jsonl.part",
            ".page.html.part",
            ".rehearsal.part",
            "..rehearsal.part.part",
        )
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_taken:
            with suppress(OSError):  # Windows doesn't remove an open file; an empty folder stays there
                self._lock.unlink()
                self.path.rmdir()
        self._held.close()

    @property
    def is_taken(self) -> bool:
        """Whether a run has already left something here."""
        return self.last.exists() or self.best.exists() or self.metrics.exists()

    def append_metrics(self, report: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`, which replaces those of its step and of later ones.

        What else is in the file stays as it is. If it can't be read or written there is a warning: a checkpoint can.
        """
        try:
            lines = _lines(self.metrics)
            kept = [line for line in lines if not (found := _report_in(line)) or found["step"] < report["step"]]
            with replacing(self.metrics) as file:
                file.write(b"\n".join([*kept, json.dumps(report).encode(), b""]))
        except (OSError, RunError) as error:
            notice(f"{self.metrics}: no report is kept ({error})")


def read_metrics(path: Path, last_step: int) -> list[dict[str, Any]]:
    """The reports in a `metrics.jsonl` up to a step, oldest first. None where there is no such file to be read."""
    try:
        reports = map(_report_in, _lines(path))
    except OSError:
        return []
    return [report for report in reports if report and report["step"] <= last_step]


MOST_METRICS = 1 << 26
"""The largest `metrics.jsonl` in bytes: a report has a few hundred, and a long run some thousands of reports."""


def _lines(path: Path) -> list[bytes]:
    """Those of a file; none where there is no file."""
    if not path.exists():
        return []
    if not path.is_file() or path.stat().st_size > MOST_METRICS:
        raise OSError(f"{path.name} is no file of reports")
    content = path.read_bytes()
    return content.removesuffix(b"\n").split(b"\n") if content else []


def _report_in(line: bytes) -> dict[str, Any] | None:
    """The report in a line of `metrics.jsonl`: None for anything else, such as a line that a kill cut short."""
    try:
        report = json.loads(line)
        step, score = report["step"], report["val_bits_per_char"]
        return report if type(step) is int and (score is None or math.isfinite(score)) else None
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None


def folder_named(name: str, checkpoints: Path | None = None) -> Path:
    """The folder of the run of this name.

    Args:
        checkpoints: where runs are kept; None for `checkpoints`.

    Raises:
        InputError: for a name that can't be a folder's.
    """
    if name in ("", ".", "..") or not name.isprintable() or any(separator in name for separator in "/\\"):
        raise InputError(f"--name {name!r}: a name is needed, not a path; --checkpoints DIR says where runs are kept")
    return (checkpoints or Path("checkpoints")) / name


def check_place(folder: Path, name: str | None, checkpoints: Path | None) -> None:
    """Refuse a name, or a place where runs are kept, that isn't a resumed run's."""
    folder = folder.resolve()
    if name not in (None, folder.name):
        raise InputError(f"--name {name} contradicts the run's {folder.name}: leave it out")
    if checkpoints and checkpoints.resolve() != folder.parent:
        raise InputError(f"--checkpoints {checkpoints} contradicts the run's {folder.parent}: leave it out")


def check_model_place(path: Path, load: Callable[[Path], object]) -> None:
    """Raise InputError for a file that can't be written there, or holds anything but a model that `load` reads.

    So a slip of the hand replaces no text and no table. Missing folders are made.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder: give a file in it")
    make_folder(path.parent)
    if path.exists():
        try:
            load(path)
        except InputError:
            raise InputError(f"{path}: exists already, and is no such model: choose another name") from None


def resolve(path: Path, *, prefer: str) -> Path:
    """The checkpoint file that a path means: itself, or in a run's folder the preferred one of `last.pt`, `best.pt`.

    Raises:
        InputError: when there is none.
    """
    if not path.is_dir():
        if not path.is_file():
            likely = Path("checkpoints") / path
            hint = f": is it {likely}?" if likely.is_dir() else ""
            raise InputError(f"{path}: no such checkpoint or run's folder{hint}")
        return path
    for name in (prefer, "best.pt", "last.pt"):
        if (path / name).is_file():
            return path / name
    raise InputError(f"{path}: a folder without last.pt or best.pt: name a run's folder or a checkpoint")


def newest_run(checkpoints: Path) -> Path:
    """The folder of the run that saved last.

    Raises:
        InputError: when there is no run.
    """
    runs = runs_in(checkpoints)
    if not runs:
        raise InputError(
            f"{checkpoints}: no run here yet: train one with python -m charlstm.train, or name a checkpoint"
        )
    return runs[0]


def runs_in(checkpoints: Path) -> list[Path]:
    """The folders of the runs in a folder, the one that saved last first."""
    files = sorted(checkpoints.glob("*/last.pt"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [file.parent for file in files]
