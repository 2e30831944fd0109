from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.scripts.importing.networks import import_keras


@pytest.fixture
def command(script: Callable[[str], ModuleType]) -> ModuleType:
    script("commands")
    return script("import_keras")


@pytest.fixture(scope="module")
def keras() -> Any:
    return import_keras()
