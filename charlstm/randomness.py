"""Random numbers that follow from a few whole numbers, so that no state of a generator has to be kept."""

from __future__ import annotations

import hashlib


def seed_from(*numbers: int) -> int:
    """A seed of 64 bits that depends on all of the numbers: equal numbers give equal seeds, others unrelated ones."""
    words = " ".join(map(str, numbers))
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "little")
