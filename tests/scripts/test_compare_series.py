from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.mark.slow
def test_forecasters_are_compared(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script("commands")
    compare = script("compare_series")
    monkeypatch.setattr(compare.Settings, "steps", (0, 1))
    values = 10 + np.arange(60) + np.sin(np.arange(60))
    rows = "".join(f"{2000 + n // 12}-{n % 12 + 1:02d},{value}\n" for n, value in enumerate(values))
    Path("data.csv").write_text("month,sold\n" + rows)
    # What stands for the recipe in Keras answers with nothing but zeros.
    Path("keras").write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        "asked = json.load(sys.stdin)\n"
        "print(json.dumps([0.0] * (len(asked['values']) - asked['begin'])))\n"
    )
    Path("keras").chmod(0o755)
    flags = ["data.csv", "--seeds", "2", "--cells", "lstm", "gru", "--keras", "./keras"]
    monkeypatch.setattr(sys, "argv", ["compare_series.py", *flags])
    compare.main()
    table = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    figures = {row[0].strip("| "): row[2].strip("| ") for row in table[2:]}
    zeros = np.sqrt(np.mean(values[48:] ** 2))
    assert float(figures["Keras, the tutorials' recipe"]) == pytest.approx(zeros, rel=1e-3)
    last = np.sqrt(np.mean(np.diff(values[47:]) ** 2))
    assert float(figures["last value"]) == pytest.approx(last, rel=1e-3)
    ours = [name for name in figures if name.startswith(("lstm", "gru", "the same here", "transforms"))]
    assert len(ours) == 4

    monkeypatch.setattr(sys, "argv", ["compare_series.py", "data.csv", "--column", "price"])
    with pytest.raises(SystemExit) as ended:
        compare.main()
    assert ended.value.code == 2
    assert "no column 'price'" in capsys.readouterr().err
