from __future__ import annotations

import signal
from pathlib import Path

import pytest

from charlstm.clock import Clock
from charlstm.errors import InputError, RunError
from charlstm.given import Given
from charlstm.interruption import Interruption
from charlstm.job import Job, Words, carry_out
from charlstm.saved import checkpoint
from charlstm.screen import Screen
from charlstm.training.report import Report
from charlstm.training.run import Run

SMALL = Given({}, {"hidden_size": 16, "embedding_dim": 8}, {"batch_size": 4, "seq_len": 16, "steps": 12})
WORDS = Words(where=" (kept)", resume="go on!", use="use it!", longer="more of it")


class Heard(Screen):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


def job(text: Path, **changes: object) -> Job:
    return Job(**{"name": "verse", "folder": Path("run"), "texts": [str(text)], "given": SMALL, **changes})


def done(job: Job, **listener: object) -> tuple[Run, list[str]]:
    screen = Heard()
    return carry_out(job, Clock(), Interruption(signal.SIGINT), screen, WORDS, **listener), screen.messages


def test_it_says_what_it_does_from_the_first_word_to_the_last(text: Path) -> None:
    run, said = done(job(text))
    assert run.is_finished
    assert said[0].startswith("verse: 2,600 characters")
    assert "(kept)" in said[1]
    assert sum(message.startswith("\nstep ") for message in said) == 6
    assert said[-1].startswith("finished at step 12\nbest validation")
    assert said[-1].endswith("use it!")


def test_a_finished_run_is_not_trained_again(text: Path) -> None:
    done(job(text))
    run, said = done(job(text, resume=Path("run/last.pt"), texts=[], given=Given({}, {}, {})))
    assert run.trainer.progress.step == 12
    assert said[0] == "resumed verse at step 12"
    assert said[1].startswith("the run is finished: more of it make it longer\n")
    assert len(said) == 2


def test_a_listener_that_interrupts_stops_it_and_nothing_is_lost(text: Path) -> None:
    def stop(report: Report) -> None:
        assert report.step == 2
        raise KeyboardInterrupt

    run, said = done(job(text, page=True), on_report=stop)
    assert not run.is_finished
    assert "stopped at step 2; go on with: go on!" in said
    assert checkpoint.load(Path("run/last.pt")).trained()[1].step == 2
    assert "has the model now" in said[-1]


def test_the_page_and_the_listener_both_hear_of_a_report(text: Path) -> None:
    steps: list[int] = []
    done(job(text, page=True), on_report=lambda report: steps.append(report.step))
    assert steps == [2, 4, 6, 8, 10, 12]
    assert Path("run/page.html").stat().st_size > 10_000


def test_what_goes_wrong_is_told_and_what_can_not_begin(text: Path) -> None:
    wild = Given({}, SMALL.model, {**SMALL.train, "learning_rate": 1000.0})
    with pytest.raises(RunError, match="with a lower --learning-rate than 1000"):
        done(job(text, given=wild))
    with pytest.raises(InputError, match="a run is here already"):
        done(job(text))
