"""Which character each id of a model stands for, as the tutorials keep it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from charlstm.errors import InputError
from charlstm.text.vocab import UNKNOWN

LARGEST_LIST = 1 << 24
"""Bytes of a file beyond which it can only be a text to sort."""

BLOCK = 1 << 20
"""Characters of a text that are read at a time."""

UNKNOWN_TOKENS = ("[UNK]", "<UNK>", "<unk>", "UNK", "<OOV>", "[OOV]", "")
"""What stands for unknown characters elsewhere. Where there are several, the first one becomes charlstm's own."""


def read(path: Path, ids: int) -> tuple[dict[int, str], list[str]]:
    """The characters of a model that has so many ids.

    The file is JSON (char2idx, idx2char, a list), or the characters in their order (also one a line), or a text of
    which the different characters are sorted. An id at the beginning that has no character is taken for the one of
    unknown characters, which the tutorials have there.

    Returns:
        the character of each id, and what whoever imports the model should know of them.

    Raises:
        InputError: when it isn't UTF-8, doesn't fit the ids, or has what isn't a character.
    """
    try:
        characters, notes = _read(path, ids)
        _check(characters)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason} at byte {error.start:,}): save it as UTF-8") from None
    left = ids - len(characters)
    if left == 1 and UNKNOWN not in characters.values():
        missing = next(n for n in range(ids) if n not in characters)
        characters[missing] = UNKNOWN
        notes.append(f"id {missing} has no character in {path}: it becomes U+FFFD, which stands for unknown ones")
    elif left:
        notes.append(f"{left:,} of the model's {ids:,} ids have no character in {path}: they are left out")
    return characters, notes


def _read(path: Path, ids: int) -> tuple[dict[int, str], list[str]]:
    if path.stat().st_size <= LARGEST_LIST:
        text = path.read_bytes().decode()
        if text.lstrip()[:1] in ("{", "[") and (tokens := _json(text)) is not None:
            return _of_tokens(tokens, ids), []
        for listed in (text, text.removesuffix("\n"), text.removesuffix("\r\n"), _one_a_line(text)):
            if len(listed) == ids and len({*listed}) == ids:
                return dict(enumerate(listed)), []
        if len(text) == ids - 1 and len({*text}) == len(text):
            return dict(enumerate(text, 1)), []
    return _of_text(path, ids)


def _check(characters: dict[int, str]) -> None:
    """Raise InputError for what can't be in a text, or for one character with two ids."""
    by_character: dict[str, int] = {}
    for number, character in sorted(characters.items()):
        if len(character) != 1 or "\ud800" <= character <= "\udfff":
            raise InputError(f"{character[:99]!r} of id {number} is no single character: charlstm has no other tokens")
        if by_character.setdefault(character, number) != number:
            raise InputError(f"{character!r} has the ids {by_character[character]} and {number}: give each one id")


def _json(text: str) -> dict[int, str] | None:
    """The token of each id; None for a text that isn't JSON.

    Raises:
        InputError: for JSON that is no vocabulary.
    """
    try:
        found: Any = json.loads(text, object_pairs_hook=_pairs)
    except InputError:
        raise
    except (ValueError, RecursionError):
        return None
    if not found:
        return None
    if isinstance(found, list) and all(isinstance(token, str) for token in found):
        return dict(enumerate(found))
    if isinstance(found, dict):
        if isinstance(config := found.get("config"), dict) and isinstance(words := config.get("word_index"), str):
            return _json(words)  # of what a Tokenizer of Keras writes of itself
        if all(type(number) is int for number in found.values()):
            tokens = {number: token for token, number in found.items()}
            if len(tokens) == len(found):
                return tokens
            raise InputError("two of its characters have the same id")
        if all(isinstance(token, str) for token in found.values()) and all(key.isdecimal() for key in found):
            return {int(key): token for key, token in found.items()}
    raise InputError('JSON, but no vocabulary: give {"a": 0, "b": 1}, {"0": "a", "1": "b"} or ["a", "b"]')


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose keys must be different."""
    if len(found := dict(pairs)) < len(pairs):
        raise InputError("it has a character twice: give each one id")
    return found


def _of_tokens(tokens: dict[int, str], ids: int) -> dict[int, str]:
    """The characters of tokens: what stands for unknown ones becomes U+FFFD."""
    if odd := [number for number in tokens if not 0 <= number < ids]:
        raise InputError(f"it has the id {odd[0]:,}, and the model has {ids:,} ids, from 0 on")
    unknown = [token for token in UNKNOWN_TOKENS if token in tokens.values()][:1]
    if UNKNOWN in tokens.values():
        unknown = []
    return {
        number: UNKNOWN if [token] == unknown else token
        for number, token in tokens.items()
        if [token] == unknown or token not in UNKNOWN_TOKENS
    }


def _one_a_line(text: str) -> str:
    """The characters of a file that has one a line; a line end among them takes two empty lines. "" for another."""
    text = text.replace("\r\n", "\n")
    return "" if text[1::2].strip("\n") else text[::2]


def _of_text(path: Path, ids: int) -> tuple[dict[int, str], list[str]]:
    """The different characters of a text, sorted: as it is, with its line ends as Python reads them, or in lower case.

    Raises:
        InputError: when none of these fits the ids.
    """
    found: set[str] = set()
    with path.open(encoding="utf-8", newline="") as file:
        for block in iter(lambda: file.read(BLOCK), ""):
            found.update(block)
    if not found:
        raise InputError("an empty file: give the characters that the model learned")
    translated = {"\n" if character == "\r" else character for character in found}
    lower = {"its text in lower case": _lower(found), "its text in lower case, without \\r": _lower(translated)}
    ways = {"": found, "its text without \\r": translated, **lower}
    for unknown in (0, 1):
        for way, characters in ways.items():
            if len(characters) + unknown == ids and not (unknown and way in lower):
                notes = [f"{way} has the {ids:,} characters of the model"] if way else []
                return dict(enumerate(sorted(characters), unknown)), notes
    raise InputError(
        f"it has {len(found):,} different characters, and the model has {ids:,} ids:"
        " give the text that it learned, or JSON that says which id each character has"
    )


def _lower(characters: Iterable[str]) -> set[str]:
    """The characters of a text in lower case."""
    return {lower for character in characters for lower in character.lower()}
