#!/usr/bin/env python3
"""How many lines are couplets: two halves of equal length, with a comma between them and a full stop at the end."""

from __future__ import annotations

import argparse
import re
import sys

from charlstm import cli
from charlstm.errors import InputError
from charlstm.terminal import write

EXAMPLE = """\
example:
  python -m charlstm.sample checkpoints/tang-poems --num-samples 20 | python scripts/couplets.py
"""

# There is no punctuation inside a half.
COUPLET = re.compile(r"([^，。？！；：、\s]+)[，？！；]([^，。？！；：、\s]+)[。？！；]")


def is_couplet(line: str) -> bool:
    """Whether a line has two halves of equal length."""
    match = COUPLET.fullmatch(line)
    return match is not None and len(match[1]) == len(match[2])


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser("couplets", "How many lines of standard input are two halves of equal length.", EXAMPLE)
    parser.add_argument("--quiet", action="store_true", help="print only the count")
    return cli.run(parser, count, arguments)


def count(flags: argparse.Namespace) -> int:
    """Mark each line as right or wrong, and count the couplets."""
    if sys.stdin is None:
        raise InputError("there is no standard input: pipe the lines of a model or of a file into it")
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("no line on standard input: pipe the lines of a model or of a file into it")
    right = sum(map(is_couplet, lines))
    if not flags.quiet:
        write("".join(f"{'✓' if is_couplet(line) else '✗'} {line}\n" for line in lines))
    write(f"{right} of {len(lines)} have two halves of equal length: {right / len(lines):.1%}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
