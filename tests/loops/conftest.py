from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _compiled_loops(loops: Path | None) -> None:
    """They are what is tested here."""
    if not loops:
        pytest.skip("there are no compiled loops")
