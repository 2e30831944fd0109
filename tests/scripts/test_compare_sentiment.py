from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.slow
def test_classifiers_are_compared_once(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script("commands")
    compare = script("compare_sentiment")
    for part in ("train", "validation", "test"):
        rows = "".join(f"{label},{text} {n}\n" for n in range(6) for label, text in ((0, "dull"), (1, "fine")))
        Path(f"{part}.csv").write_text("label,text\n" + rows)
    answer = {"validation": 0.5, "test": 0.25, "seconds an epoch": [9.0, 2.0]}
    Path("keras").write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(answer))})\n")
    Path("keras").chmod(0o755)
    flags = ["train.csv", "validation.csv", "test.csv", "--out", "results.jsonl", "--epochs", "2", "--seeds", "2"]
    flags += ["--models", "lstm", "--keras", "./keras"]
    monkeypatch.setattr(sys, "argv", ["compare_sentiment.py", *flags])
    compare.main()
    table = capsys.readouterr().out
    assert "| lstm in Keras | 50.0 % (50.0–50.0) | 25.0 % (25.0–25.0) | 2.0 |" in table
    assert "| tf-idf |" in table
    kept = Path("results.jsonl").read_text()
    assert [json.loads(line)["of"] for line in kept.splitlines()][:2] == ["lstm #1", "lstm #2"]
    compare.main()
    assert capsys.readouterr().out == table
    assert Path("results.jsonl").read_text() == kept

    monkeypatch.setattr(sys, "argv", ["compare_sentiment.py", *flags, "--epochs", "3"])
    with pytest.raises(SystemExit) as ended:
        compare.main()
    assert ended.value.code == 2
    assert "results of other settings" in capsys.readouterr().err
