from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from charlstm.saved.folder import RunFolder


@pytest.fixture
def folder() -> Iterator[RunFolder]:
    """A run's folder, entered."""
    with RunFolder(Path("run")) as entered:
        yield entered
