from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from charlstm.errors import InputError
from charlstm.saved.folder import RunFolder, newest_run, resolve


def test_a_second_training_is_kept_out_until_the_first_ends() -> None:
    with RunFolder(Path("runs/a")):
        with pytest.raises(InputError, match="another training is at work"), RunFolder(Path("runs/a")):
            pass
    with RunFolder(Path("runs/a")) as folder:
        folder.metrics.touch()
    assert Path("runs/a/metrics.jsonl").exists()


def test_a_run_that_came_to_nothing_leaves_no_folder() -> None:
    with RunFolder(Path("runs/a")):
        assert Path("runs/a").is_dir()
    assert not Path("runs/a").exists()


def test_the_lock_dies_with_its_process() -> None:
    code = """if True:
        from pathlib import Path
        from charlstm.saved.folder import RunFolder
        with RunFolder(Path("a")):
            print("locked", flush=True)
            input()
    """
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match="another training"), RunFolder(Path("a")):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with RunFolder(Path("a")):
        pass


def test_metrics_are_lines_of_json_and_a_run_that_went_back_writes_them_again() -> None:
    with RunFolder(Path("a")) as folder:
        assert not folder.is_taken
        for step in (10, 20, 30):
            folder.append_metrics({"step": step, "val_bits_per_char": None})
        assert folder.is_taken
        with folder.metrics.open("a") as file:
            file.write('{"step": 4')  # killed while writing
        folder.append_metrics({"step": 20, "val_bits_per_char": 2.5})
        kept = [json.loads(line) for line in folder.metrics.read_text().splitlines() if line.endswith("}")]
        assert [(report["step"], report["val_bits_per_char"]) for report in kept] == [(10, None), (20, 2.5)]


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
