from __future__ import annotations

import os
import signal

import pytest

from charlstm.interruption import Interruption


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_noted_and_nothing_else(number: signal.Signals, status: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption
        os.kill(os.getpid(), number)
        assert interruption
        assert interruption.status == status
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.status == status
    assert signal.getsignal(number) == before


def test_signals_that_are_not_asked_for_stay_as_they_are() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption(signal.SIGINT) as interruption:
        assert signal.getsignal(signal.SIGTERM) == before
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.signal == signal.SIGINT
