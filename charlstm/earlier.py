"""What an earlier training has left in a folder, and whether a new one may go on with it, or begin there."""

from __future__ import annotations

from pathlib import Path

from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint, Learning
from charlstm.saved.folder import RunFolder
from charlstm.saved.record import Progress, RunRecord
from charlstm.training.processes import ALONE, Processes


def loaded(file: Path | None, processes: Processes) -> Checkpoint:
    """A checkpoint, of which only the first process needs to have the file."""
    with processes.file_of_first(file) as path:
        return checkpoint.load(path)


def began_with(folder: RunFolder, command: str) -> bool:
    """Whether the run that is in a folder was begun by this command."""
    saved = run_of(folder.last) if folder.last.exists() else None
    return saved is not None and saved.run is not None and saved.run.command == command


def check_resumable(saved: Checkpoint, called: object) -> tuple[RunRecord, Progress, Learning]:
    """What a training goes on from.

    Args:
        called: how messages name the checkpoint.

    Raises:
        InputError: for a model without a run, or one that isn't whole.
    """
    record, progress = saved.trained()
    if saved.learning is None:
        raise InputError(
            f"{called}: has the weights, and not what a training needs to go on exactly (it was loaded, isn't where the"
            " run stands, or is of an earlier charlstm): begin a new run, with --init-from"
        )
    return record, progress, saved.learning


def refuse_taken(folder: RunFolder) -> None:
    """Raise InputError for a folder that has a run."""
    if folder.is_taken:
        raise InputError(
            f"{folder.path}: a run is here already: go on with --resume {folder.path}, or give another --name"
        )


def refuse_foreign(folder: RunFolder, file: Path, record: RunRecord) -> None:
    """Refuse to go on in a folder with files of another run, or of another program, which this one would write over."""
    if file == folder.last:
        return
    for place in (folder.last, folder.best):
        other = run_of(place)
        if other and other.run:
            if other.run.id != record.id:
                raise InputError(f"{place} is of another run: give {file} a folder of its own")
            return
    if folder.is_taken and file != folder.best:
        raise InputError(f"{folder.path}: has files that may be of another run: give {file} a folder of its own")


def run_of(file: Path, processes: Processes = ALONE) -> Checkpoint | None:
    """A checkpoint, or None when it can't be read."""
    try:
        return loaded(file, processes)
    except InputError:
        return None
