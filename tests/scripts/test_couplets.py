from __future__ import annotations

import io
import sys
from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("寒随穷律变，春逐鸟声开。", True),
        ("明月出门深，雕堂在断舟？", True),
        ("送山蒙，何亦南年忧。", False),
        ("寒随穷律变春逐鸟声开。", False),
        ("寒随穷律变，春逐鸟声开", False),
        ("明月柳，晚不心，厄在断。", False),
    ],
)
def test_a_couplet_has_two_halves_of_equal_length(line: str, is_one: bool, script: Callable[[str], ModuleType]) -> None:
    assert script("couplets").is_couplet(line) == is_one


def test_the_share_is_printed(
    script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("一二，三四。\n\n一二，三。\n".encode())))
    assert script("couplets").main([]) == 0
    assert capsys.readouterr().out == "✓ 一二，三四。\n✗ 一二，三。\n1 of 2 have two halves of equal length: 50.0%\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert script("couplets").main(["--quiet"]) == 2
