from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint
from charlstm.saved.checkpoint import Checkpoint
from charlstm.saved.formats import FORMAT
from charlstm.text.vocab import Vocab
from tests.saved.test_container import entries_of, written


@pytest.fixture
def saved(model: CharLSTM, vocab: Vocab) -> Path:
    """A model without a run."""
    path = Path("model.pt")
    checkpoint.save(path, Checkpoint(model.config, vocab, model.state_dict()))
    return path


@pytest.fixture
def last(run: Callable[..., Path]) -> Path:
    """A run's."""
    return run("--steps", "2") / "last.pt"


def rewritten(path: Path, **changes: object) -> Path:
    contents = torch.load(path, weights_only=True)
    torch.save({**contents, **changes}, path)
    return path


def test_what_is_saved_is_loaded(saved: Path, model: CharLSTM, vocab: Vocab) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.model_config == model.config
    assert loaded.vocab == vocab
    assert all(torch.equal(loaded.weights[name], value) for name, value in model.state_dict().items())
    assert loaded.run is loaded.progress is loaded.learning is None
    with pytest.raises(InputError, match="doesn't say what its run was"):
        loaded.trained()


def test_a_run_is_saved_and_loaded_whole(last: Path) -> None:
    loaded = checkpoint.load(last)
    record, progress = loaded.trained()
    assert (record.plan.steps, progress.step, loaded.documents) == (2, 2, "none")
    assert loaded.learning
    assert loaded.learning.state.h.shape == (1, 4, 16)
    assert loaded.learning.optimizer.keys() == loaded.weights.keys()
    checkpoint.save(last, loaded)
    again = checkpoint.load(last)
    assert (again.run, again.progress) == (record, progress)
    assert torch.equal(again.learning.state.c, loaded.learning.state.c)


def test_nothing_random_is_in_it(last: Path) -> None:
    contents = torch.load(last, weights_only=True)
    parts = ("model_config", "vocab", "model", "run", "progress", "optimizer", "state", "later")
    assert set(contents) == {"format", *parts, "digest"}
    assert not any("random" in name for name in contents["progress"])


def test_plain_torch_reads_it_and_finds_the_weights_under_model(saved: Path, model: CharLSTM) -> None:
    model.load_state_dict(torch.load(saved, weights_only=True)["model"])


def test_every_flipped_bit_is_found_or_harmless(saved: Path, model: CharLSTM) -> None:
    whole, original = saved.read_bytes(), checkpoint.load(saved)
    dice = random.Random(0)
    found = 0
    for _ in range(150):
        broken = bytearray(whole)
        broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        saved.write_bytes(broken)
        try:
            loaded = checkpoint.load(saved)
        except InputError as error:
            assert "\n" not in str(error)
            found += 1
        else:
            assert all(torch.equal(loaded.weights[name], value) for name, value in original.weights.items())
            assert loaded.vocab == original.vocab
    assert found > 50


def test_a_later_format_is_told_from_damage(saved: Path) -> None:
    with pytest.raises(InputError, match=f"format 99, from a newer charlstm than this one, which reads up to {FORMAT}"):
        checkpoint.load(rewritten(saved, format=99))


def test_other_files_are_no_checkpoints(saved: Path) -> None:
    torch.save({"weight": torch.ones(2)}, "other.pt")
    with zipfile.ZipFile("other.zip", "w") as file:
        file.writestr("a.txt", "text")
    Path("text.pt").write_text("text")
    for name in ("other.pt", "other.zip", "text.pt"):
        with pytest.raises(InputError, match=f"{name}: not a checkpoint of charlstm"):
            checkpoint.load(Path(name))
    with pytest.raises(InputError, match="can't be read"):
        checkpoint.load(Path("missing.pt"))


SHAPE = {"vocab_size": 7, "hidden_size": 6, "num_layers": 2, "embedding_dim": 5}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vocab": 3}, ""),
        ({"vocab": "ba"}, "sorted by code point"),
        ({"vocab": "ab"}, "vocab has 2 characters, and model_config says 7"),
        ({"model_config": {"size": 3}}, "no 'size'"),
        ({"model_config": 3}, "must be a dictionary"),
        ({"model_config": SHAPE | {"hidden_size": 2**16, "num_layers": 100}}, "model doesn't have"),
        ({"model_config": SHAPE | {"cell": "gru"}}, "model doesn't have"),
        ({"model_config": SHAPE | {"hidden_size": 8}}, "not a tensor of the shape"),
        ({"model": {}}, "model doesn't have"),
        ({"model": None}, "model doesn't have"),
        ({"run": {}}, "missing"),
        ({"run": torch.ones(2)}, "must be a dictionary"),
        ({"progress": torch.ones(2)}, "must be a dictionary"),
        ({"optimizer": torch.ones(2), "state": {}}, "optimizer doesn't have"),
        ({"optimizer": {}, "state": {"h": 3}}, "state doesn't have"),
        ({"progress": {"step": 3}}, "belong together"),
        ({"state": [torch.ones(2)]}, ""),
        ({"state": {"h": torch.ones(2), "c": torch.ones(2)}}, ""),
        (
            {"state": {"h": torch.ones(2, 3, 6), "c": torch.ones(2, 1, 6)}, "optimizer": {}},
            "c of state is not a tensor",
        ),
    ],
)
def test_parts_that_make_no_sense_are_told(saved: Path, changes: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=f"incomplete checkpoint.*{told}"):
        checkpoint.load(rewritten(saved, **changes))


@pytest.mark.parametrize("part", ["format", "model_config", "vocab", "model", "run", "progress", "optimizer", "state"])
def test_a_missing_part_is_told(last: Path, part: str) -> None:
    contents = torch.load(last, weights_only=True)
    del contents[part]
    torch.save(contents, last)
    with pytest.raises(InputError, match="not a checkpoint" if part == "format" else f"{part}.*is missing"):
        checkpoint.load(last)


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(1), torch.zeros(()), torch.zeros(1).expand(64, 16), torch.zeros(64, 16, dtype=torch.int64), None, "a"],
)
def test_what_the_optimizer_remembers_has_the_shapes_of_the_weights(last: Path, wrong: object) -> None:
    """Kernels write into it without looking."""
    contents = torch.load(last, weights_only=True)
    name = "members.0.stack.layers.0.weight_hh"
    for kept in ("exp_avg", "exp_avg_sq", "step"):
        averages = {**contents["optimizer"], name: {**contents["optimizer"][name], kept: wrong}}
        torch.save({**contents, "optimizer": averages, "format": 4}, last)  # without a digest
        fits = isinstance(wrong, torch.Tensor) and wrong.dtype == torch.float32
        if fits and wrong.shape == contents["optimizer"][name][kept].shape:
            loaded = checkpoint.load(last).learning
            assert loaded
            assert loaded.optimizer[name][kept].is_contiguous()  # in a memory of its own
        else:
            with pytest.raises(InputError, match=f"{kept} of optimizer's .*weight_hh is not a tensor of the shape"):
                checkpoint.load(last)


def test_a_model_with_one_matrix_for_both_ends_is_loaded(vocab: Vocab) -> None:
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, tie_weights=True))
    checkpoint.save(Path("tied.pt"), Checkpoint(model.config, vocab, model.state_dict()))
    again = CharLSTM.with_weights(model.config, checkpoint.load(Path("tied.pt")).weights)
    assert again.members[0].embedding.weight is again.members[0].head.weight
    assert torch.equal(again.members[0].head.weight, model.members[0].head.weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_half_precision_and_tensors_without_data_are_refused(saved: Path, dtype: torch.dtype) -> None:
    contents = torch.load(saved, weights_only=True)
    for change in (lambda weight: weight.to(dtype), lambda weight: weight.to("meta")):
        weights = {name: change(weight) for name, weight in contents["model"].items()}
        with pytest.raises(InputError, match="is not a tensor of the shape|more than tensors"):
            checkpoint.load(rewritten(saved, model=weights))


@pytest.mark.parametrize(("kept", "value"), [("step", -1.0), ("exp_avg", float("nan")), ("exp_avg_sq", -1.0)])
def test_averages_that_no_training_gives_are_refused(last: Path, kept: str, value: float) -> None:
    contents = torch.load(last, weights_only=True)
    contents["optimizer"]["members.0.head.bias"][kept].fill_(value)
    torch.save(contents, last)
    with pytest.raises(InputError, match="averages that no training gives"):
        checkpoint.load(last)


def test_a_clock_at_no_whole_number_is_refused(run: Callable[..., Path]) -> None:
    last = run("--steps", "2", "--cell", "clockwork") / "last.pt"
    contents = torch.load(last, weights_only=True)
    contents["state"]["c"] += 0.5
    torch.save(contents, last)
    with pytest.raises(InputError, match="clocks that aren't at whole numbers"):
        checkpoint.load(last)


@pytest.mark.parametrize("digest", ["../x", "a\0", "", "a\ud800"])
def test_a_digest_is_no_path(last: Path, digest: str) -> None:
    contents = torch.load(last, weights_only=True)
    contents["run"]["text"]["digest"] = digest
    torch.save(contents, last)
    with pytest.raises(InputError, match="digest must be letters and digits"):
        checkpoint.load(last)


def test_tensors_that_changed_places_are_noticed(saved: Path) -> None:
    entries = entries_of(saved)
    one, other, *_ = [n for n, c in entries.items() if "/data/" in n and len(c) == 4 * 6 * 4 * 6]
    assert entries[one] != entries[other]
    entries[one], entries[other] = entries[other], entries[one]
    written(saved, list(entries.items()))
    with pytest.raises(InputError, match="its tensors aren't those that were saved"):
        checkpoint.load(saved)


def test_a_file_of_the_format_before_has_no_digest_and_goes_on(last: Path) -> None:
    contents = torch.load(last, weights_only=True)
    del contents["digest"], contents["run"]["processor"]
    torch.save({**contents, "format": 4}, last)
    loaded = checkpoint.load(last)
    assert loaded.learning
    assert loaded.trained()[0].processor == ""


def test_what_is_wrong_is_told_in_few_words_however_long_it_is(saved: Path) -> None:
    config = torch.load(saved, weights_only=True)["model_config"]
    for wrong in ([0] * 100_000, {n: n for n in range(10_000)}, "x" * 100_000):
        with pytest.raises(InputError, match="cell must be") as told:
            checkpoint.load(rewritten(saved, model_config={**config, "cell": wrong}, format=4))
        assert len(str(told.value)) < 400


def test_a_small_file_fills_no_memory(last: Path) -> None:
    contents = torch.load(last, weights_only=True)
    state = {name: torch.zeros(1).expand(1, 10**8, 16) for name in contents["state"]}
    torch.save({**contents, "state": state, "format": 4}, last)
    with pytest.raises(InputError, match="its tensors are larger than the file"):
        checkpoint.load(last)


def test_a_view_that_is_negative_is_refused(last: Path) -> None:
    contents = torch.load(last, weights_only=True)
    odd = {name: torch._neg_view(tensor) for name, tensor in contents["state"].items()}
    torch.save({**contents, "state": odd, "format": 4}, last)
    with pytest.raises(InputError, match="is not a tensor of the shape"):
        checkpoint.load(last)


@pytest.mark.parametrize("name", ["seconds", "best", "nats", "characters", "reported", "stale"])
def test_numbers_without_end_are_refused(last: Path, name: str) -> None:
    contents = torch.load(last, weights_only=True)
    torch.save({**contents, "progress": {**contents["progress"], name: 10**400}}, last)
    with pytest.raises(InputError, match=f"{name} must be below 2..63"):
        checkpoint.load(last)
