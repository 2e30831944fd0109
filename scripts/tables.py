"""CSV files, for the scripts that learn from tables."""

from __future__ import annotations

import csv
from pathlib import Path

from charlstm.errors import InputError

LONGEST_FIELD = 1 << 27
"""Characters of a field. Python's own limit is shorter than some texts."""


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and the rows below them, each with the number of its last line.

    Fields stand between commas, semicolons or tabs, whichever the first line has most of. Empty lines are left out.

    Raises:
        InputError: when the file can't be read, or isn't such a table.
    """
    csv.field_size_limit(LONGEST_FIELD)
    number = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), "")
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            names = [name.strip() for name in next(filter(None, reader), [])]
            rows = []
            for row in reader:
                number = reader.line_num
                if row:
                    rows.append((number, row))
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8: save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: after line {number} there is no line of a CSV file ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from None
    if not names:
        raise InputError(f"{path}: an empty file: its first line must name the columns")
    for line, row in rows:
        if len(row) != len(names):
            fields = "a field" if len(row) == 1 else f"{len(row)} fields"
            raise InputError(
                f"{path}: line {line} has {fields}, and the first one {len(names)}: put quotes around texts"
            )
    return names, rows
