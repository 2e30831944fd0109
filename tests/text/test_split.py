from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlstm.errors import InputError, Notice
from charlstm.text import split as module
from charlstm.text.split import split


def test_the_parts_stand_in_order() -> None:
    parts = split(np.arange(1000), 0.1, 0.05, seq_len=10)
    assert (len(parts.train), len(parts.val), len(parts.test)) == (850, 100, 50)
    assert np.concatenate([parts.train, parts.val, parts.test]).tolist() == list(range(1000))


@given(
    total=st.integers(1, 400),
    val=st.floats(0, 0.49),
    test=st.floats(0, 0.49),
    seq_len=st.integers(1, 64),
)
def test_training_always_has_a_step_and_nothing_is_lost(total: int, val: float, test: float, seq_len: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        if total < seq_len + 1:
            with pytest.raises(InputError, match=f"at least {seq_len + 1}"):
                split(np.arange(total), val, test, seq_len)
            return
        parts = split(np.arange(total), val, test, seq_len)
    assert len(parts.train) >= seq_len + 1
    assert len(parts.val) != 1
    assert len(parts.test) != 1
    assert len(parts.train) + len(parts.val) + len(parts.test) == total


def test_a_small_text_cuts_its_parts_with_a_warning() -> None:
    with pytest.warns(Notice, match="65 for training, 5 for validation, 0 for testing"):
        split(np.arange(70), 0.1, 0.0, seq_len=64)
    with pytest.warns(Notice, match="66 for training, 0 for validation"):
        split(np.arange(66), 0.1, 0.0, seq_len=64)
    with pytest.warns(Notice, match="65 for training, 7 for validation, 0 for testing"):
        split(np.arange(72), 0.1, 0.1, seq_len=64)


def test_what_was_not_asked_for_is_no_reason_to_warn() -> None:
    assert len(split(np.arange(70), 0.0, 0.0, seq_len=64).train) == 70


@pytest.mark.parametrize("block", [1, 4, 30, 10_000])
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=30), val=st.floats(0, 0.49), test=st.floats(0, 0.49))
def test_documents_are_not_cut_and_each_part_begins_after_an_end(
    block: int, lengths: list[int], val: float, test: float
) -> None:
    text = np.array([0] + [i for n, length in enumerate(lengths, 1) for i in [n] * length + [0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        if len(text) < 6:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BLOCK", block)
            parts = split(text, val, test, 5, end=0)
    assert len(parts.train) >= 6
    shown = [part for part in (parts.train, parts.val, parts.test) if len(part)]
    assert all(len(part) > 2 and part[0] == part[-1] == 0 for part in shown)
    assert np.concatenate([text[:1], *(part[1:] for part in shown)]).tolist() == text.tolist()
    if not val:
        assert not len(parts.val)
    if not test:
        cuts = [n for n in range(6, len(text) + 1) if text[n - 1] == 0]
        wanted = len(text) - min(int(len(text) * val), len(text) - 6) if int(len(text) * val) >= 2 else len(text)
        assert abs(len(parts.train) - wanted) == min(abs(cut - wanted) for cut in cuts)


def test_long_documents_stay_whole_with_a_word() -> None:
    text = np.array([0] + [1] * 300 + [0] + [2] * 30_000 + [0])
    with pytest.warns(Notice, match="long documents, which stay whole: 30303 for training, 0 for validation"):
        split(text, 0.1, 0.0, 64, end=0)


def test_documents_are_shared_out_as_asked() -> None:
    text = np.array([0] + [1, 1, 1, 0] * 100)
    parts = split(text, 0.1, 0.05, 5, end=0)
    assert [len(part) for part in parts.__dict__.values()] == [341, 41, 21]
