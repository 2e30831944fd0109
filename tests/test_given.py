from __future__ import annotations

import os
import warnings
from dataclasses import replace

import pytest
import torch

from charlstm import given
from charlstm.config import DEFAULT_MINUTES, ModelConfig, TextConfig, TrainConfig
from charlstm.errors import InputError, Notice
from charlstm.given import Given, on_this_machine, refuse_contradictions
from charlstm.loops import compiling
from charlstm.saved.record import Plan, RunRecord
from charlstm.text.opening import TextRecord

RECORD = RunRecord(
    id="a",
    text=TextRecord(places=(), config=TextConfig(), given_vocab=False, digest="a", length=9),
    train_config=TrainConfig(steps=5, device="cpu", dtype="float32", threads=1),
    plan=Plan(steps=5, report_every=1, val_characters=1),
    processor=given.processor(),
)
MODEL = ModelConfig(vocab_size=3)


def test_a_new_run_has_a_length_a_device_and_sizes_that_fit() -> None:
    text, model, config = Given({"min_count": 2}, {"tie_weights": True, "embedding_dim": 64}, {"batch_size": 3}).begun()
    assert text == TextConfig(min_count=2)
    assert model["hidden_size"] == 64
    assert (config.minutes, config.batch_size) == (DEFAULT_MINUTES, 3)
    assert config.device in ("cpu", "cuda", "mps")
    with pytest.raises(InputError, match="hidden_size must be at least 1"):
        Given({}, {"hidden_size": 0}, {}).begun()


def test_what_is_given_again_changes_nothing_and_a_length_does() -> None:
    assert Given({"min_count": 1}, {"cell": "lstm"}, {"steps": 5, "dtype": "auto"}).resumed(RECORD, MODEL) == (
        RECORD.train_config
    )
    longer = Given({}, {}, {"epochs": 2.0}).resumed(RECORD, MODEL)
    assert (longer.steps, longer.epochs, longer.batch_size) == (None, 2.0, RECORD.train_config.batch_size)


@pytest.mark.parametrize("wrong", [({"min_count": 2}, {}, {}), ({}, {"cell": "gru"}, {}), ({}, {}, {"seed": 2})])
def test_a_contradiction_is_told(wrong: tuple[dict[str, object], ...]) -> None:
    with pytest.raises(InputError, match="contradicts the checkpoint's .*: leave it out"):
        Given(*wrong).resumed(RECORD, MODEL)
    refuse_contradictions({"dtype": "auto"}, {"dtype": "float32"})


def test_on_another_processor_it_is_not_the_same_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Given({}, {}, {}).resumed(RECORD, MODEL)
    monkeypatch.setattr(given, "processor", lambda: "an abacus")
    with pytest.warns(Notice, match="began on .*, and continues on an abacus: not bit for bit"):
        Given({}, {}, {}).resumed(RECORD, MODEL)
    monkeypatch.undo()
    with pytest.warns(Notice, match="began with 1 threads, and continues with 2"):
        Given({}, {}, {"threads": 2}).resumed(RECORD, MODEL)


def test_with_loops_and_without_them_it_is_not_the_same_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "version", lambda package: "1.2.3")
    for before in (True, False):
        monkeypatch.setattr(compiling, "has_loops", lambda: True)
        with_loops = given.processor()
        monkeypatch.setattr(compiling, "has_loops", lambda: False)
        without = given.processor()
        assert with_loops.endswith("loops compiled by numba 1.2.3")
        assert without.endswith("no compiled loops")
        then, now = (with_loops, without) if before else (without, with_loops)
        monkeypatch.setattr(compiling, "has_loops", lambda before=before: not before)
        with pytest.warns(Notice) as told:
            Given({}, {}, {}).resumed(replace(RECORD, processor=then), MODEL)
        assert [str(each.message) for each in told] == [
            f"the run began on {then}, and continues on {now}: not bit for bit as it would have"
        ]


def test_what_is_left_to_the_machine_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    config = on_this_machine(TrainConfig(device="cpu"))
    assert (config.threads, config.dtype) == (torch.get_num_threads(), given.choose_dtype("auto", torch.device("cpu")))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with pytest.warns(Notice, match="2 threads on 1 processors: --threads 1 is faster$"):
        assert on_this_machine(TrainConfig(device="cpu", threads=2)).threads == 2
    torch.set_num_threads(1)


def test_where_bfloat16_would_take_for_ever_it_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    in_bfloat16 = replace(RECORD.train_config, dtype="bfloat16")
    record = replace(RECORD, train_config=in_bfloat16)
    monkeypatch.setattr(given, "has_layout", lambda dtype: True)
    assert Given({}, {}, {}).resumed(record, MODEL).dtype == "bfloat16"
    monkeypatch.setattr(given, "has_layout", lambda dtype: False)
    with pytest.warns(Notice, match="no instructions for bfloat16: the products are in float32"):
        assert Given({}, {}, {"dtype": "bfloat16"}).resumed(record, MODEL).dtype == "float32"
    with pytest.warns(Notice, match="the products are in float32"):
        assert on_this_machine(in_bfloat16).dtype == "float32"
