from __future__ import annotations

import argparse
from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def commands(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("commands")


def test_what_a_command_prints(commands: ModuleType) -> None:
    assert commands.charlstm("train", "--version").startswith("charlstm ")
    shown = commands.run("-c", "import os; print(os.environ['NAME'])", environment={"NAME": "诗", "PYTHONUTF8": "1"})
    assert shown == "诗\n"


def test_a_failure_is_its_last_line(commands: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, commands.failures_reported():
        commands.run("-c", "import sys; sys.exit('one line\\nand another')")
    assert end.value.code == 2
    assert capsys.readouterr().err == "and another\n"
    with pytest.raises(commands.Failure, match="-c import os; os._exit.3.: status 3"):
        commands.run("-c", "import os; os._exit(3)")


def test_ctrl_c_is_a_word(commands: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, commands.failures_reported():
        raise KeyboardInterrupt
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("number", ["0", "-3"])
def test_numbers_from_one_on(commands: ModuleType, number: str) -> None:
    assert commands.positive("3") == 3
    with pytest.raises(argparse.ArgumentTypeError, match=f"at least 1, not {number}"):
        commands.positive(number)


@pytest.mark.parametrize("number", ["0", "-3", "nan", "inf"])
def test_numbers_above_zero(commands: ModuleType, number: str) -> None:
    assert commands.above_zero("0.3") == 0.3
    with pytest.raises(argparse.ArgumentTypeError, match=f"above 0, not {number}"):
        commands.above_zero(number)
