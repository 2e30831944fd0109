"""The folder where encoded texts are kept, and copies of streams: what can be made again. It is its owner's alone."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from charlstm.errors import InputError, notice
from charlstm.files import home_cache, make_folder, remove_drafts


class Cache:
    """A folder that may not be there, or may only be read.

    Args:
        folder: the one that was asked for; None for the user's own.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._asked = folder
        self.folder = folder or home_cache() or _passing("there is no home folder")

    @cached_property
    def writable(self) -> Path:
        """The folder, ready to be written in. If it can't be and nobody asked for it, one that is removed at the end.

        Raises:
            InputError: when the folder that was asked for can't be written.
        """
        try:
            make_folder(self.folder, private=True)
            if not self._asked:
                with suppress(OSError):  # of somebody else, who lets us write in it
                    self.folder.chmod(0o700)  # earlier versions let others read it
        except InputError as error:
            if self._asked:
                raise
            self.folder = _passing(str(error).removesuffix(": choose another"))
        # Keys and digests are hexadecimal.
        remove_drafts(self.folder, ".stdin.*.part", f".{'[0-9a-f]' * 24}*.part")
        return self.folder


@functools.cache
def _passing(why: str) -> Path:
    """A folder that is removed when Python ends."""
    notice(f"{why}, so texts are encoded again each time: --cache DIR or XDG_CACHE_HOME names a folder for them")
    folder = tempfile.mkdtemp(prefix="charlstm-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
