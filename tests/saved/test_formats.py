from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.errors import InputError
from charlstm.saved import checkpoint
from charlstm.saved.formats import FORMAT, LATER, joined, parted, upgraded


def older(path: Path, version: int) -> dict[str, Any]:
    """Rewrite a checkpoint of one member as that version would have written it. Returns its contents."""
    contents = torch.load(path, weights_only=True)
    run, progress, config = contents["run"], contents["progress"], contents["model_config"]
    text = run["text"]
    plan = {name: run["plan"][name] for name in ("steps", "report_every", "val_characters")}
    if version > 1:
        plan |= {"fresh_every": run["plan"]["fresh_every"], "betas": (run["plan"]["beta1"], run["plan"]["beta2"])}
    read = {name: text["config"][name] for name in ("encoding", "min_count", "documents")}
    old: dict[str, Any] = {
        "format": version,
        "model_config": config,
        "vocab": contents["vocab"],
        "model": {name: weight for name, weight in contents["model"].items() if not name.endswith("bias_n")},
        "run": {
            "id": run["id"],
            "text": {
                **read,
                "places": list(text["places"]),
                "cache": None,
                "given_vocab": text["given_vocab"],
                "digest": text["digest"],
                "length": text["length"],
            },
            "text_config": dict(text["config"]),
            "init_from": run["init_from"],
            "began": run["began"],
            "command": run["command"],
            "chosen": list(run["chosen"]),
            "train_config": run["train_config"],
            "plan": plan,
        },
        "progress": {
            **progress,
            "optimizer": {"state": {}, "param_groups": []},
            "state": contents["state"],
            "random": torch.get_rng_state(),
            "device": "cpu",
            "device_random": None,
        },
    }
    if version < 3:
        old["model"] = {name.removeprefix("members.0."): weight for name, weight in old["model"].items()}
        del config["ensemble_size"], config["recurrent_dropout"], config["cell"], old["run"]["chosen"]
    if version < 2:
        del old["run"]["text"]["documents"], old["run"]["text_config"]["documents"]
    torch.save(old, path)
    return old


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_an_earlier_version_wrote_is_read(run: Callable[..., Path], version: int, cell: str) -> None:
    last = run("--steps", "3", "--cell", cell if version == 3 else "lstm") / "last.pt"
    now = checkpoint.load(last)
    older(last, version)
    then = checkpoint.load(last)
    assert then.learning is None
    assert (then.model_config, then.vocab, then.progress) == (now.model_config, now.vocab, now.progress)
    assert then.weights.keys() == now.weights.keys()
    assert all(torch.equal(then.weights[name], now.weights[name]) or name.endswith("bias_n") for name in now.weights)
    (record, _), (before, _) = now.trained(), then.trained()
    assert (before.id, before.text, before.train_config) == (record.id, record.text, record.train_config)
    assert before.plan.fresh_every == (record.plan.fresh_every if version > 1 else 0)


@pytest.mark.parametrize("wrong", [None, 3, [], torch.ones(2, 3), {"step": 3}])
@pytest.mark.parametrize("part", ["run", "progress", "model", "model_config"])
def test_parts_that_make_no_sense_are_reported(run: Callable[..., Path], part: str, wrong: object) -> None:
    last = run("--steps", "1", "--cell", "gru") / "last.pt"
    old = older(last, 3)
    torch.save({**old, part: wrong}, last)
    if (part, wrong) == ("run", []):  # as good as no run
        assert checkpoint.load(last).run is None
    else:
        with pytest.raises(InputError, match="incomplete checkpoint"):
            checkpoint.load(last)


def test_the_present_one_is_left_as_it_is() -> None:
    contents = {"anything": 1}
    assert upgraded(contents, FORMAT) is contents


def test_later_fields_are_where_earlier_versions_do_not_look(run: Callable[..., Path]) -> None:
    last = run("--steps", "3") / "last.pt"
    contents = torch.load(last, weights_only=True)
    for path, names in LATER.items():
        part = contents
        for name in path.split("."):
            part = part[name]
        assert not {*names} & part.keys()
        assert [*contents["later"][path]] == [*names]
    whole = joined(contents)
    assert parted(whole) == contents
    found, _ = checkpoint.load(last).trained()
    assert found.versions == whole["run"]["versions"]
    assert found.versions[0].startswith("charlstm ")
    assert found.machine


def test_a_file_without_them_has_their_defaults_and_one_of_a_later_version_is_read(run: Callable[..., Path]) -> None:
    last = run("--steps", "3") / "last.pt"
    contents = torch.load(last, weights_only=True)
    later = contents.pop("later")
    torch.save(contents, last)
    record, progress = checkpoint.load(last).trained()
    assert (record.machine, record.versions, progress.norms, progress.normed) == ("", (), 0.0, 0)
    assert record.train_config.sync_every == 1
    torch.save({**contents, "later": {**later, "run": {**later["run"], "weather": "rain"}, "more": 3}}, last)
    assert checkpoint.load(last).trained()[0].versions


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        {"run": 3},
        {"run": {"versions": "one"}},
        {"run": {"machine": 3}},
        {"progress": {"norms": -1.0}},
        {"run.train_config": {"sync_every": 0}},
    ],
)
def test_later_fields_that_make_no_sense_are_reported(run: Callable[..., Path], wrong: object) -> None:
    last = run("--steps", "1") / "last.pt"
    torch.save({**torch.load(last, weights_only=True), "later": wrong}, last)
    with pytest.raises(InputError, match="incomplete checkpoint"):
        checkpoint.load(last)


def test_a_model_without_a_run_stays_one(run: Callable[..., Path]) -> None:
    last = run("--steps", "1") / "last.pt"
    old = older(last, 3)
    torch.save({**old, "run": {}, "progress": {}}, last)
    found = checkpoint.load(last)
    assert found.run is found.progress is None
