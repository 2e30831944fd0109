from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.facts import commands, facts_of, reasons, report_of
from charlstm.training.plan import choose


def facts(folder: Path) -> dict[str, Any]:
    found = facts_of(folder, checkpoint.load(folder / "last.pt"))
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    return found


def test_they_are_those_of_the_run(run: Callable[..., Path], text: Path) -> None:
    folder = run("--steps", "20", "--ensemble-size", "2", "--batch-size", "7")
    found = facts(folder)
    assert found["name"] == "verse"
    assert found["train"]["steps"] == found["step"] == found["steps"] == found["plan"]["steps"] == 20
    assert found["text"]["places"] == (str(text),)
    assert found["text"]["val_fraction"] == 0.1
    assert [layer["name"] for layer in found["layers"]] == ["embedding", "lstm 1", "linear"]
    assert [layer["shape"] for layer in found["layers"]] == [[7, 16, 8], [7, 16, 16], [7, 16, 23]]
    assert found["model"]["parameters"] == 2 * sum(layer["parameters"] for layer in found["layers"])
    assert [report["step"] for report in found["reports"]] == list(range(2, 21, 2))
    assert all(report["grad_norm"] > 0 and len(report["sample"]) >= 159 for report in found["reports"])
    assert found["versions"][1].startswith("Python 3.")
    assert found["commands"]["resume"] == "python -m charlstm.train --resume checkpoints/verse"
    assert found["reasons"] == {}


def test_a_text_with_room_for_fewer_lanes_is_read_in_fewer(run: Callable[..., Path]) -> None:
    assert facts(run("--steps", "1", "--batch-size", "1000"))["layers"][0]["shape"] == [2340 // 16, 16, 8]


def test_an_earlier_checkpoint_has_the_reports_up_to_it(run: Callable[..., Path]) -> None:
    folder = run("--steps", "20")
    found = facts_of(folder / "best.pt", checkpoint.load(folder / "best.pt"))
    assert found["reports"][-1]["step"] == found["step"]
    assert found["name"] == "best.pt"


def test_an_older_run_has_what_it_has(run: Callable[..., Path]) -> None:
    folder = run("--steps", "4")
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    older = [json.dumps({k: v for k, v in line.items() if k not in ("grad_norm", "sample")}) for line in lines]
    (folder / "metrics.jsonl").write_text("\n".join(older))
    saved = checkpoint.load(folder / "last.pt")
    assert saved.run
    checkpoint.save(folder / "last.pt", replace(saved, run=replace(saved.run, versions=(), machine="")))
    found = facts(folder)
    assert len(found["reports"]) == 4
    assert "sample" not in found["reports"][0]
    assert (found["machine"], found["versions"]) == ("", ())
    (folder / "metrics.jsonl").unlink()
    assert facts(folder)["reports"] == facts(folder)["val_bits_per_char"] == []


def test_a_model_without_a_run_has_none(run: Callable[..., Path]) -> None:
    saved = checkpoint.load(run("--steps", "1") / "last.pt")
    with pytest.raises(InputError, match="doesn't say what its run was"):
        facts_of(Path("a"), replace(saved, run=None, progress=None))


def test_every_reason_that_a_plan_has_is_found_again() -> None:
    seen = set()
    for characters in (10_000, 1_000_000, 100_000_000):
        for seconds in (10, 600, 86_400):
            for cell in ("lstm", "depth-gated"):
                choices = choose(characters, 100, seconds, 20_000, {"cell": cell})
                assert reasons(map(str, choices)) == {choice.setting: choice.reason for choice in choices}
                seen |= {choice.reason for choice in choices}
    assert len(seen) > 12
    assert reasons(["anything", "--x", "--hidden-size 3 why\nnot", "\x1b[2J"]) == {}


def test_a_command_can_be_typed_as_it_is() -> None:
    assert commands(Path("a b/$c"))["sample"] == "python -m charlstm.sample 'a b/$c'"


def test_what_is_no_number_and_no_text_is_none() -> None:
    strange = [math.nan, math.inf, 10**400, True, [1], {"a": 1}, None]
    assert report_of({str(number): value for number, value in enumerate(strange)}) == dict.fromkeys("0123456")
    assert report_of({"a": 1, "b": 2.5, "c": "x" * 2000}) == {"a": 1, "b": 2.5, "c": "x" * 1000}
