from __future__ import annotations

import subprocess
import sys

import pytest

from tests.scripts.conftest import SCRIPTS


def test_the_contestants_take_turns_and_the_shares_are_told() -> None:
    sizes = ["--hidden-size=8", "--embedding-dim=4", "--batch-size=2", "--seq-len=8"]
    command = [sys.executable, str(SCRIPTS / "bench_train.py"), *sizes, "--steps=1", "--rounds=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "1 x 8, embedding 4, 2 x 8 a step"
    names = [line[:30].strip() for line in lines[1:]]
    assert {"charlstm", "plain PyTorch, float32", "plain PyTorch, autocast", "its matrix products alone"} <= {*names}
    assert float(lines[1].split()[-1]) == pytest.approx(1)
    assert lines[-1].startswith("charlstm runs at ")
