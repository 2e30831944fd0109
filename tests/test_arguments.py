from __future__ import annotations

from pathlib import Path

import pytest

from charlstm import arguments
from charlstm.errors import InputError


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("give --init-from, or --name", "give init_from, or name"),
        ("begin with a lower --learning-rate than 3", "begin with a lower learning_rate than 3"),
        ("--tie-weights True contradicts", "tie_weights True contradicts"),
        ("a--steps b--name: 'he said--steps'", "a--steps b--name: 'he said--steps'"),
        ("--steps-and-more and --nonsense", "--steps-and-more and --nonsense"),
    ],
)
def test_a_message_of_flags_becomes_one_of_arguments(message: str, expected: str) -> None:
    assert arguments.in_python(message) == expected


def test_settings_are_sorted_and_none_leaves_the_default() -> None:
    given = arguments.given_in({"documents": "lines", "hidden_size": 3, "steps": 1, "minutes": None, "dropout": 0.0})
    assert given.text == {"documents": "lines"}
    assert given.model == {"hidden_size": 3, "dropout": 0.0}
    assert given.train == {"steps": 1}


def test_a_call_is_told_in_short() -> None:
    called = arguments.call("fit", "x" * 1000, steps=3, name=None)
    assert called.startswith("fit('xxx")
    assert called.endswith("xxx', steps=3)")
    assert len(called) < 100
    assert arguments.call("fit", None) == "fit()"


def test_texts_are_files_patterns_or_text(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one\n")
    assert arguments.texts_in(None, "utf-8", None) == []
    assert arguments.texts_in(tmp_path / "one.txt", "latin-1", None) == [str(tmp_path / "one.txt")]
    assert arguments.texts_in([f"{tmp_path}/*.txt"], "utf-8", None) == [f"{tmp_path}/*.txt"]
    (kept,) = arguments.texts_in("one\r\ntwo", "utf8", tmp_path / "cache")
    assert Path(kept).read_bytes() == b"one\r\ntwo"
    with pytest.raises(InputError, match="no such file"):
        arguments.texts_in("\ud800?", "utf-8", None) and arguments.texts_in("what?" * 200, "utf-8", None)
