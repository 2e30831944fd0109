from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm import checkpoint
from charlstm.checkpoint import Checkpoint
from charlstm.errors import InputError
from charlstm.record import recorded, run_of


@pytest.fixture
def saved(run: Callable[..., Path]) -> Checkpoint:
    return checkpoint.load(run("--steps", "2") / "last.pt")


def test_a_record_survives_its_checkpoint(saved: Checkpoint) -> None:
    record, config = recorded(saved)
    assert record.text.length == 2600
    assert record.chosen == []
    assert config.steps == 2


def test_a_run_from_before_settings_were_chosen_has_none(saved: Checkpoint) -> None:
    saved.run.pop("chosen")
    assert recorded(saved)[0].chosen == []


def test_a_checkpoint_without_a_run_says_so(saved: Checkpoint) -> None:
    saved.run.pop("text")
    with pytest.raises(InputError, match="doesn't say what its run was"):
        recorded(saved)


def test_what_cannot_be_read_is_of_no_run(saved: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_text("no checkpoint")
    assert run_of(tmp_path / "broken.pt") is None
    checkpoint.save(tmp_path / "whole.pt", saved)
    found = run_of(tmp_path / "whole.pt")
    assert found
    assert found[0].id == saved.run["id"]
