from __future__ import annotations

import time

import pytest

from charlstm.clock import Clock


def test_it_counts_what_is_not_paused_and_earlier_sittings(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock()
    now[0] += 5
    with clock.paused():
        now[0] += 50
        assert clock.seconds == 55
    assert clock.seconds == 5
    clock.advance(20)
    now[0] += 1
    assert clock.seconds == 26
    with pytest.raises(KeyError), clock.paused():
        now[0] += 3
        raise KeyError
    assert clock.seconds == 26
    assert Clock(7.0).seconds == 7
