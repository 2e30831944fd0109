"""The whole way on processors that this one can only play: PyTorch and oneDNN are told to use what those have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm import evaluate, sample
from charlstm.device import processor

Run = Callable[..., Path]

PROGRAM = """if True:
    import sys
    from charlstm import device, evaluate, sample, train
    print(device.processor())
    assert evaluate.main(["checkpoints/verse/best.pt", "--json"]) == 0
    for precision in ("auto", "int8", "bfloat16", "float32"):
        for samples in ("1", "9"):
            flags = ["--temperature", "0", "--length", "20", "--json", "--num-samples", samples]
            assert sample.main(["checkpoints/verse/best.pt", *flags, "--precision", precision]) == 0
    assert train.main(["--resume", "checkpoints/verse", "--steps", "50"]) == 0
    flags = ["--name", "new", "--minutes", "0.02", "--hidden-size", "16", "--dtype", "bfloat16"]
    assert train.main([sys.argv[1], *flags]) == 0
"""


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["default", "avx2"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_run_goes_on_where_its_kernels_are_missing(
    capability: str, dtype: str, run: Run, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--steps", "40", "--dtype", dtype)
    capsys.readouterr()
    assert evaluate.main(["checkpoints/verse/best.pt", "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    flags = ["--temperature", "0", "--length", "20", "--json", "--precision", "float32"]
    assert sample.main(["checkpoints/verse/best.pt", *flags]) == 0
    written = json.loads(capsys.readouterr().out)

    older = {**os.environ, "ATEN_CPU_CAPABILITY": capability, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    command = [sys.executable, "-c", PROGRAM, str(text)]
    there = subprocess.run(command, env=older, capture_output=True, check=False, text=True, encoding="utf-8")
    assert there.returncode == 0, there.stderr
    name, score, *samples = there.stdout.splitlines()
    assert json.loads(score)["bits_per_char"] == pytest.approx(here["bits_per_char"], rel=1e-4)
    assert len(samples) == 40
    for line in samples:
        (character, likely), (expected, probability) = json.loads(line)["characters"][0], written["characters"][0]
        assert character == expected
        assert likely == pytest.approx(probability, rel=0.02)
    assert (dtype, capability) != ("bfloat16", "default") or "DEFAULT" in name
    moved = f"the run began on {processor()}, and continues on {name}: not bit for bit as it would have"
    in_float32 = "this processor has no instructions for bfloat16: the products are in float32"
    began_in_bfloat16 = dtype == "bfloat16" and "bfloat16" in processor()
    assert there.stderr.count(in_float32) == ("bfloat16" not in name) * (2 if began_in_bfloat16 else 1)
    assert (moved in there.stderr) == (name != processor())
