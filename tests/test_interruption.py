from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from charlstm import interruption
from charlstm.interruption import Interruption, Stopped, raised


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_noted_and_nothing_else(number: signal.Signals, status: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption
        assert interruption.status == 143  # of several processes, another one may have been told to end
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


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Stopped), (signal.SIGHUP, Stopped)]
)
def test_a_signal_ends_what_is_done(number: signal.Signals, error: type[BaseException]) -> None:
    before = signal.getsignal(number)
    with pytest.raises(error), raised():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.slow
def test_a_signal_inside_an_import_waits_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import may swallow what is raised in it, as this one does, and go on with half a module."""
    Path("half.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\nexcept BaseException:\n    pass\nend = True\n"
    )
    monkeypatch.syspath_prepend(".")
    with pytest.raises(Stopped), raised():
        import half  # type: ignore[import-not-found]

        assert half.end
        threading.Event().wait(10)
        pytest.fail("the signal was lost")


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As with `nohup`, and with Ctrl-C for what a script puts in the background."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raised(), Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interruption
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_does_without_signals() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with raised(), Interruption() as interruption:
                assert not interruption
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


def test_at_its_end_a_program_is_not_disturbed() -> None:
    """A second Ctrl-C while Python tidies up would end it with a traceback, or another status than it was to have."""
    code = """if True:
        import os, signal
        from charlstm.interruption import raised
        with raised(is_last=True):
            pass
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
    """
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_a_second_signal_does_not_disturb_what_the_first_began() -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt), raised():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True
    assert cleaned


def test_a_signal_whose_exception_was_swallowed_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "CLEANING_UP", 0.0)
    with pytest.raises(Stopped), raised():
        with suppress(BaseException):  # as a library may
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
