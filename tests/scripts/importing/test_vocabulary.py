from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlstm.text.vocab import UNKNOWN

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).map(
    lambda t: "".join(dict.fromkeys(t))
)
SHAKESPEARE = "First Citizen:\nBefore we proceed, hear me.\n" * 9


@pytest.fixture
def vocabulary(script: Callable[[str], ModuleType]) -> ModuleType:
    import importlib

    script("commands")
    return importlib.import_module("importing.vocabulary")


def write(content: Any, name: str = "vocab") -> Path:
    """A file of a text, or of JSON of anything else."""
    text = content if isinstance(content, str) else json.dumps(content)
    Path(name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return Path(name)


@pytest.mark.parametrize(
    ("content", "ids", "characters"),  # . for an id without one
    [
        ({"b": 0, "a": 1, "0": 2}, 3, "ba0"),
        ({"0": "b", "1": "a"}, 2, "ba"),
        (["b", "a", "\n"], 3, "ba\n"),
        ({"a": 1, "b": 2}, 3, f"{UNKNOWN}ab"),  # a Tokenizer's, which begins at 1
        ({"class_name": "Tokenizer", "config": {"word_index": '{"<OOV>": 1, "b": 2}'}}, 3, f".{UNKNOWN}b"),
        (["", "[UNK]", "b"], 3, f".{UNKNOWN}b"),
        (["[UNK]", "b"], 2, f"{UNKNOWN}b"),
        (["", UNKNOWN, "b"], 3, f".{UNKNOWN}b"),
        ({"a": 3, "b": 1}, 4, ".b.a"),
        ("ba\n", 3, "ba\n"),
        ("ba\n", 2, "ba"),
        ("ba\r\n", 2, "ba"),
        ("ba\r\n", 4, "ba\r\n"),
        ("ba", 3, f"{UNKNOWN}ba"),  # as of a StringLookup
        ("b\na\n \n", 3, "ba "),
        ("b\r\na", 2, "ba"),
        ("b\n\n\na", 3, "b\na"),  # what "\n".join(characters) writes
        ('{"b', 3, '{"b'),
        (SHAKESPEARE, None, "".join(sorted({*SHAKESPEARE}))),
        (SHAKESPEARE, None, UNKNOWN + "".join(sorted({*SHAKESPEARE}))),
        (SHAKESPEARE, None, "".join(sorted({*SHAKESPEARE.lower()}))),
        (SHAKESPEARE.replace("\n", "\r\n"), None, "\n\r" + "".join(sorted({*SHAKESPEARE}))[1:]),
        (SHAKESPEARE.replace("\n", "\r\n"), None, "".join(sorted({*SHAKESPEARE}))),
    ],
)
def test_the_forms_of_a_vocabulary(vocabulary: ModuleType, content: Any, ids: int | None, characters: str) -> None:
    found, notes = vocabulary.read(write(content), ids or len(characters))
    assert found == {
        number: character for number, character in enumerate(characters) if ids is None or character != "."
    }
    assert any("left out" in note for note in notes) == (len(found) < len(characters))


@given(characters=ANY)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_json_and_lines_say_is_what_is_read(vocabulary: ModuleType, characters: str) -> None:
    ids = len(characters)
    expected = dict(enumerate(characters))
    assert vocabulary.read(write({c: n for n, c in expected.items()}), ids)[0] == expected
    assert vocabulary.read(write(list(characters)), ids)[0] == expected


def test_a_large_text_is_read_in_pieces(vocabulary: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "LARGEST_LIST", 10)
    monkeypatch.setattr(vocabulary, "BLOCK", 7)
    found, _ = vocabulary.read(write(SHAKESPEARE), len({*SHAKESPEARE}))
    assert "".join(found.values()) == "".join(sorted({*SHAKESPEARE}))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("abc def abc", "it has 7 different characters, and the model has 4 ids"),
        ("", "an empty file"),
        ({"a": 0, "b": 4}, "it has the id 4, and the model has 4 ids"),
        ({"a": -1}, "it has the id -1"),
        ({"a": 0, "b": 0}, "two of its characters have the same id"),
        ('{"a": 0, "a": 1}', "it has a character twice"),
        (["a", "b", "a"], "'a' has the ids 0 and 2"),
        (["a", "bc"], "'bc' of id 1 is no single character"),
        (["a", "\ud800"], "is no single character"),
        ({"a": 0.5}, "JSON, but no vocabulary"),
        ({"a": True}, "JSON, but no vocabulary"),
        ({"a": "b"}, "JSON, but no vocabulary"),
        ([1, 2], "JSON, but no vocabulary"),
        ({"class_name": "Tokenizer", "config": {"word_index": 3}}, "JSON, but no vocabulary"),
        ({"config": 1, "a": "b"}, "JSON, but no vocabulary"),
        ("[" * 100_000, "different characters"),
    ],
)
def test_what_is_no_vocabulary_is_told(vocabulary: ModuleType, content: Any, told: str) -> None:
    with pytest.raises(ValueError, match="^vocab: ") as raised:
        vocabulary.read(write(content), 4)
    assert told in str(raised.value)


def test_another_encoding_is_told(vocabulary: ModuleType) -> None:
    Path("vocab").write_bytes("abcé".encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        vocabulary.read(Path("vocab"), 4)
