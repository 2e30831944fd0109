"""charlstm: give it text, and it learns to write more of it, one character at a time.

import charlstm

model = charlstm.fit("novel.txt", minutes=10, name="novel")  # later: charlstm.load("checkpoints/novel")
for piece in model.generate("It was", length=300):
    print(piece, end="", flush=True)
print(model.bits_per_char("It was a dark and stormy night."))
"""

from __future__ import annotations

import importlib
import signal
from typing import TYPE_CHECKING, Any

from charlstm.errors import InputError, RunError
from charlstm.interruption import raised

if TYPE_CHECKING:
    from charlstm.fitting import fit as fit
    from charlstm.generator import Generator as Generator
    from charlstm.generator import load as load
    from charlstm.training.report import Report as Report

__version__ = "0.1.0"
__all__ = ["Generator", "InputError", "Report", "RunError", "fit", "load"]

_HOMES = {"Generator": "generator", "Report": "training.report", "fit": "fitting", "load": "generator"}


def __dir__() -> list[str]:
    """All names, also of what isn't loaded yet: a notebook completes them."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """Load torch when a model is asked for, and not before: `--help` doesn't need it."""
    if name in _HOMES:
        with raised(signal.SIGINT):  # and not inside of an import: PyTorch can't be loaded a second time
            return getattr(importlib.import_module(f"charlstm.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
