from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from charlstm.errors import InputError
from charlstm.training.folder import RunFolder


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
        from charlstm.training.folder import RunFolder
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


def test_metrics_are_lines_of_json_and_can_be_cut_back() -> None:
    with RunFolder(Path("a")) as folder:
        assert not folder.is_taken
        for step in (10, 20, 30):
            folder.append_metrics({"step": step, "val_bits_per_char": None})
        assert folder.is_taken
        with folder.metrics.open("a") as file:
            file.write('{"step": 4')  # killed while writing
        folder.keep_metrics(20)
        assert [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()] == [10, 20]
