from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from charlstm.errors import InputError


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_the_one_of_the_first_line(script: Callable[[str], ModuleType], separator: str) -> None:
    text = f'a{separator}b\r\n\r\n"1{separator}1"{separator}"2\r\n3"\r\n'
    Path("table.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    names, rows = script("tables").read_table(Path("table.csv"))
    assert names == ["a", "b"]
    assert rows == [(4, [f"1{separator}1", "2\r\n3"])]


def test_what_is_no_table_is_told(script: Callable[[str], ModuleType]) -> None:
    for content, told in [
        (b"", "an empty file"),
        (b"a,b\n1\n", "line 2 has a field, and the first one 2"),
        (b'a,b\n1,"2\n', "after line 0 there is no line of a CSV file"),
        (b"a,b\n\xff,2\n", "not UTF-8"),
    ]:
        Path("table.csv").write_bytes(content)
        with pytest.raises(InputError, match=told):
            script("tables").read_table(Path("table.csv"))
    with pytest.raises(InputError, match="can't be read"):
        script("tables").read_table(Path("missing.csv"))
