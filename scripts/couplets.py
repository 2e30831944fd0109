#!/usr/bin/env python3
"""How many lines are couplets of the right form: two halves of equal length, parted by a comma, closed by a full stop.

python -m charlstm.sample checkpoints/tang-poems --num-samples 20 | python scripts/couplets.py
"""

from __future__ import annotations

import re
import sys

# A half has no punctuation of its own.
COUPLET = re.compile(r"([^，。？！；：、\s]+)[，？！；]([^，。？！；：、\s]+)[。？！；]")


def is_couplet(line: str) -> bool:
    """Whether a line is two halves of as many characters each."""
    match = COUPLET.fullmatch(line)
    return match is not None and len(match[1]) == len(match[2])


def main() -> int:
    """Mark each line of standard input, and count. Returns the exit status."""
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    lines = [line.strip() for line in sys.stdin if line.strip()]
    if not lines:
        print("couplets: no line on standard input", file=sys.stderr)
        return 2
    right = sum(map(is_couplet, lines))
    if "--quiet" not in sys.argv:
        for line in lines:
            print("✓" if is_couplet(line) else "✗", line)
    print(f"{right} of {len(lines)} have two halves of equal length: {right / len(lines):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
