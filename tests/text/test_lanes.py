from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlstm.text import lanes as module
from charlstm.text.documents import Documents, Epoch
from charlstm.text.lanes import Lanes


@given(total=st.integers(2, 300), batch_size=st.integers(1, 9), seq_len=st.integers(1, 20))
def test_every_usable_target_is_shown_once_after_its_own_input(total: int, batch_size: int, seq_len: int) -> None:
    lanes = Lanes(np.arange(total), batch_size, seq_len)
    seen: list[int] = []
    for number in range(lanes.batches):
        x, y = lanes.batch(number)
        assert x.shape == y.shape
        assert x.shape[0] == lanes.batch_size
        assert x.shape[1] <= seq_len
        assert (y == x + 1).all()
        seen += y.flatten().tolist()
    assert sorted(seen) == list(range(1, lanes.length * lanes.batch_size + 1))
    assert total - 1 - len(seen) < lanes.batch_size


@given(total=st.integers(2, 300), batch_size=st.integers(1, 9), seq_len=st.integers(1, 20))
def test_each_lane_goes_on_where_it_stopped(total: int, batch_size: int, seq_len: int) -> None:
    lanes = Lanes(np.arange(total), batch_size, seq_len)
    for number in range(lanes.batches - 1):
        assert (lanes.batch(number + 1)[0][:, 0] == lanes.batch(number)[1][:, -1]).all()


def test_a_short_text_has_fewer_lanes() -> None:
    assert Lanes(np.arange(41), batch_size=8, seq_len=10).batch_size == 4
    assert Lanes(np.arange(5), batch_size=8, seq_len=10).batch_size == 1


def test_batches_are_counted_over_the_epochs() -> None:
    lanes = Lanes(np.arange(50), 2, 10)
    assert lanes.batches == 3
    assert all((a == b).all() for a, b in zip(lanes.batch(1), lanes.batch(7), strict=True))


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20), batch_size=st.integers(1, 4))
def test_documents_come_in_an_order_of_their_own_in_each_epoch(lengths: list[int], batch_size: int) -> None:
    text = np.array([0] + [i for n, length in enumerate(lengths, 1) for i in [n] * length + [0]])
    documents = Documents(text, end=0, seed=1)
    lanes = Lanes(documents, batch_size, seq_len=5)
    for epoch in (0, 1, 0):
        order = Epoch(documents, epoch, readers=1)[0 : len(text)]
        batches = [lanes.batch(epoch * lanes.batches + place) for place in range(lanes.batches)]
        x = np.concatenate([x for x, _ in batches], axis=1).flatten()
        y = np.concatenate([y for _, y in batches], axis=1).flatten()
        assert np.array_equal(x, order[: len(x)])
        assert np.array_equal(y, order[1 : len(y) + 1])


def test_a_mapped_text_reads_the_same_after_its_pages_were_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELEASE_EVERY", 1)
    np.arange(1000, dtype=np.uint16).tofile("ids")
    mapped = np.memmap("ids", dtype=np.uint16, mode="r")
    lanes = Lanes(mapped[100:900], 2, 10)
    assert lanes.batch(3)[0][0].tolist() == list(range(130, 140))
    assert lanes.batch(3)[0][0].tolist() == list(range(130, 140))
