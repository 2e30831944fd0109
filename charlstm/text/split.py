"""The parts of a text: training, validation, test, in this order."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from charlstm.errors import InputError, Notice
from charlstm.text.corpus import Ids


@dataclass(frozen=True)
class Parts:
    """Stretches of one text. `val` and `test` are empty when none was asked for or there was no room."""

    train: Ids
    val: Ids
    test: Ids


def split(ids: Ids, val_fraction: float, test_fraction: float, seq_len: int) -> Parts:
    """Cut a text into its parts.

    Training needs one step's characters and the one after them, `seq_len + 1`. In a text too small for all that is
    asked, test and validation give way, with a warning.

    Raises:
        InputError: when the whole text is smaller than what training needs.
    """
    total, needed = len(ids), seq_len + 1
    if total < needed:
        raise InputError(
            f"the text has {total} characters and training needs at least {needed} (seq_len {seq_len} and one more):"
            " give more text, or lower --seq-len"
        )
    val, test = int(total * val_fraction), int(total * test_fraction)
    asked = val, test
    val = min(val, total - needed)
    test = min(test, total - needed - val)
    # One character is context: a part of fewer than two has nothing to score.
    val, test = val if val >= 2 else 0, test if test >= 2 else 0
    if (val, test) != asked or (val_fraction and not val) or (test_fraction and not test):
        warnings.warn(
            f"a small text of {total} characters: {total - val - test} for training, {val} for validation,"
            f" {test} for testing",
            Notice,
            stacklevel=2,
        )
    train = total - val - test
    return Parts(ids[:train], ids[train : train + val], ids[train + val :])
