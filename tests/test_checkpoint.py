from __future__ import annotations

import os
import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch

from charlstm import checkpoint
from charlstm.checkpoint import Checkpoint, newest_run, resolve
from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import Vocab


@pytest.fixture
def saved(model: CharLSTM, vocab: Vocab) -> Path:
    path = Path("model.pt")
    progress = {"state": [torch.ones(2)], "best": None}
    checkpoint.save(path, Checkpoint(model.config, vocab, model.state_dict(), {"name": "红"}, progress))
    return path


def rewritten(path: Path, **changes: object) -> Path:
    contents = torch.load(path, weights_only=True)
    torch.save({**contents, **changes}, path)
    return path


def test_what_is_saved_is_loaded(saved: Path, model: CharLSTM, vocab: Vocab) -> None:
    loaded = checkpoint.load(saved)
    assert loaded.model_config == model.config
    assert loaded.vocab == vocab
    assert all(torch.equal(loaded.weights[name], value) for name, value in model.state_dict().items())
    assert loaded.run == {"name": "红"}
    assert loaded.progress["best"] is None


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


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"model.pt: (damaged|not a checkpoint)"):
        checkpoint.load(saved)


def test_a_later_format_is_told_from_damage(saved: Path) -> None:
    with pytest.raises(InputError, match="format 99, from a newer charlstm than this one, which reads up to 3"):
        checkpoint.load(rewritten(saved, format=99))


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


def test_a_pickle_that_would_run_code_is_refused_unrun(saved: Path) -> None:
    torch.save({"format": 1, "model": Malice()}, saved)
    with pytest.raises(InputError, match="holds more than tensors and plain values"):
        checkpoint.load(saved)
    saved.write_bytes(pickle.dumps(Malice()))
    with pytest.raises(InputError, match="not a checkpoint"):
        checkpoint.load(saved)
    assert not Path("owned").exists()


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


@pytest.mark.parametrize("changes", [{"vocab": 3}, {"vocab": "ba"}, {"model_config": {"size": 3}}, {"run": None}])
def test_parts_that_make_no_sense_are_told(saved: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="incomplete checkpoint"):
        checkpoint.load(rewritten(saved, **changes))


def test_a_folder_means_the_preferred_checkpoint_in_it() -> None:
    folder = Path("checkpoints/a")
    folder.mkdir(parents=True)
    with pytest.raises(InputError, match=r"without last.pt or best.pt"):
        resolve(folder, prefer="best.pt")
    (folder / "last.pt").touch()
    assert resolve(folder, prefer="best.pt") == folder / "last.pt"
    (folder / "best.pt").touch()
    assert resolve(folder, prefer="best.pt") == folder / "best.pt"
    assert resolve(folder, prefer="last.pt") == folder / "last.pt"
    assert resolve(folder / "last.pt", prefer="best.pt") == folder / "last.pt"
    with pytest.raises(InputError, match="no such checkpoint"):
        resolve(Path("nothing"), prefer="best.pt")


def test_the_newest_run_is_the_one_that_saved_last() -> None:
    with pytest.raises(InputError, match="no run here yet"):
        newest_run(Path("checkpoints"))
    for time, name in enumerate(["b", "c", "a"]):
        last = Path("checkpoints") / name / "last.pt"
        last.parent.mkdir(parents=True)
        last.touch()
        os.utime(last, (time, time))
    assert newest_run(Path("checkpoints")) == Path("checkpoints/a")
