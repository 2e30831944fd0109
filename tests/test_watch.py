"""The page that `charlstm.train --page` keeps."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm import train, watch
from charlstm.interruption import Interruption
from charlstm.saved import checkpoint
from charlstm.training.run import Run as Training
from charlstm.web import contents
from tests.conftest import TINY

Run = Callable[..., Path]

PAGE = Path("checkpoints/verse/page.html")


@pytest.fixture(autouse=True)
def no_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for units takes a while, and isn't what is tested here."""
    monkeypatch.setattr(contents, "find_units", lambda *given: [])


@pytest.fixture
def at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is written at each report, however fast they follow."""
    monkeypatch.setattr(watch, "SHARE", math.inf)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What stands on the disk after each page that is written."""
    found: list[dict[str, Any]] = []
    save = contents.Page.save

    def saved(page: contents.Page, path: Path) -> None:
        save(page, path)
        found.append(data_of(path))

    monkeypatch.setattr(contents.Page, "save", saved)
    return found


def data_of(page: Path) -> dict[str, Any]:
    found = re.search('id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / name).weights


@pytest.mark.usefixtures("at_each")
def test_it_is_new_at_each_report_and_has_the_model_at_the_end(
    run: Run, written: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run("--steps", "30", "--page")
    *during, end = written
    assert [data["model"] for data in during] == [None] * 11
    assert [data["runs"][0]["step"] for data in during] == list(range(0, 31, 3))
    assert [len(data["runs"][0]["reports"]) for data in during] == list(range(11))
    assert all(data["runs"][0]["as_of"] for data in during)
    assert end["model"]["hidden_size"] == 16
    assert len(end["texts"][0]["text"]) >= contents.WRITTEN - 1
    assert end["runs"][0]["reports"] == during[-1]["runs"][0]["reports"]
    assert data_of(PAGE) == end
    assert f"page: {PAGE}, new at each report" in capsys.readouterr().err


@pytest.mark.usefixtures("at_each")
def test_what_is_learned_is_the_same_with_a_page(run: Run) -> None:
    plain, watched = run("--steps", "30", name="plain"), run("--steps", "30", "--page", name="watched")
    for name in ("last.pt", "best.pt"):
        ours, theirs = weights(plain, name), weights(watched, name)
        assert all(torch.equal(ours[weight], theirs[weight]) for weight in ours)
    assert not (plain / "page.html").exists()


def test_where_reports_follow_fast_it_takes_no_more_than_its_share(
    run: Run, written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SHARE", 1e-9)
    run("--steps", "30", "--page")
    assert [data["runs"][0]["step"] for data in written] == [0, 30]


@pytest.mark.usefixtures("at_each")
def test_a_page_that_cannot_be_replaced_stays_and_so_does_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before: list[bytes] = []
    replace = os.replace

    def fail(draft: Path, path: Path) -> None:
        if path.name == "page.html" and path.exists():
            before.append(path.read_bytes())
            raise OSError(5, "Input/output error")
        replace(draft, path)

    monkeypatch.setattr(os, "replace", fail)
    folder = run("--steps", "4", "--page")
    assert "page.html: can't be written (Input/output error)" in capsys.readouterr().err
    assert {PAGE.read_bytes()} == {*before}
    assert checkpoint.load(folder / "last.pt").trained()[1].step == 4
    assert not list(folder.glob(".*.part"))


def test_where_there_can_be_no_page_the_run_says_so_before_it_begins(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "2")
    PAGE.mkdir()
    capsys.readouterr()
    assert train.main(["--resume", str(folder), "--steps", "4", "--page"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("charlstm-train: checkpoints/verse/page.html: can't be written")
    assert checkpoint.load(folder / "last.pt").trained()[1].step == 2


@pytest.mark.usefixtures("at_each")
def test_a_run_that_goes_on_goes_on_with_its_page_if_it_is_asked_for(
    run: Run, written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Training, "is_finished", property(lambda run: run.trainer.progress.step >= 7))
        folder = run("--steps", "30")
    assert not written
    assert train.main(["--resume", str(folder), "--page"]) == 0
    assert [data["runs"][0]["step"] for data in written] == [7, *range(9, 31, 3), 30]
    assert [report["step"] for report in written[0]["runs"][0]["reports"]] == [3, 6]


def test_a_finished_run_gets_its_page(
    run: Run, written: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "3")
    capsys.readouterr()
    assert train.main(["--resume", str(folder), "--page"]) == 0
    assert written[-1]["model"]
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"page: {PAGE} has the model now")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_folder_of_any_name_has_a_page(run: Run) -> None:
    folder = run("--steps", "3").rename("checkpoints/caf\udce9 <b>")
    assert train.main(["--resume", str(folder), "--steps", "4", "--page"]) == 0
    assert data_of(folder / "page.html")["name"] == folder.name


def test_a_run_that_is_stopped_leaves_a_page_with_its_model_soon(
    text: Path, written: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "find_units", lambda *given: pytest.fail("whoever stops a run doesn't want to wait"))
    monkeypatch.setattr(Interruption, "__bool__", lambda self: True)
    assert train.main([str(text), *TINY, "--steps", "30", "--page"]) == 143
    assert written[-1]["model"]
    assert written[-1]["runs"][0]["step"] == 0


def test_a_model_that_is_too_large_for_a_page_leaves_its_curves(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contents, "LARGEST", 100)
    run("--steps", "3", "--page")
    assert "page.html shows how it learned, without the model: the page would have" in capsys.readouterr().err
    assert data_of(PAGE)["model"] is None
    assert data_of(PAGE)["runs"][0]["step"] == 3
