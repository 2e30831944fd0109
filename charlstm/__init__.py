"""charlstm: give it text, and it learns to write more of it, one character at a time.

import charlstm

model = charlstm.load("checkpoints/shakespeare")
for piece in model.generate("ROMEO:", length=300):
    print(piece, end="", flush=True)
print(model.bits_per_char("To be, or not to be: that is the question."))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from charlstm.errors import InputError

if TYPE_CHECKING:
    from charlstm.generator import Generator as Generator
    from charlstm.generator import load as load

__version__ = "0.1.0"
__all__ = ["Generator", "InputError", "load"]


def __getattr__(name: str) -> Any:
    """Load torch when a model is asked for, and not before: `--help` doesn't need it."""
    if name in ("Generator", "load"):
        from charlstm import generator

        return getattr(generator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
