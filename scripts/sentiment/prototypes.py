"""Prototypes of many vectors, such that each vector is near one of them (k-means)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

ROUNDS = 2
"""How often the prototypes move. More rounds changed no score."""

AT_ONCE = 128
"""Vectors that are compared at once: so few that the cache holds their products with all prototypes."""


def cluster(vectors: Tensor, prototypes: int) -> Tensor:
    """Some prototypes of vectors [n, D], n of them or fewer: [prototypes, D].

    They begin as vectors that are drawn by chance. In each round, each one becomes the mean of the vectors that it is
    the nearest one of.
    """
    drawn = np.random.default_rng(0).permutation(len(vectors))[:prototypes]
    means = vectors[torch.from_numpy(drawn)]
    for _ in range(ROUNDS):
        found = nearest(vectors, means)
        counts = found.bincount(minlength=prototypes)[:, None]
        sums = torch.zeros_like(means).index_add(0, found, vectors)
        means = torch.where(counts > 0, sums / counts.clamp_min(1), means)
    return means


def nearest(vectors: Tensor, prototypes: Tensor) -> Tensor:
    """Which prototype is the nearest one of each vector: [n, D], [prototypes, D] → [n] int64."""
    # |v - p|² = |v|² - 2 (v·p - |p|²/2): the nearest p has the greatest v·p - |p|²/2.
    half_squares = prototypes.square().sum(1) / 2
    found = [(some @ prototypes.T - half_squares).max(1).indices for some in vectors.split(AT_ONCE)]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.int64)
