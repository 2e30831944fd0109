from __future__ import annotations

from charlstm.errors import InputError, Notice, RunError


def test_callers_of_the_library_can_catch_them_by_their_usual_names() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(RunError, RuntimeError)
    assert issubclass(Notice, UserWarning)
