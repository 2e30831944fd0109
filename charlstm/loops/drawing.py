"""The draw of an id with filters, which `charlstm/sampling/filters.py` explains and does in NumPy."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray

from charlstm.loops.numbers import inner


@inner
def highest_of(scores, barred):
    """The id of the highest score; -1 if that isn't finite, or a score isn't a number."""
    best = -1
    for i in range(len(scores)):
        if not barred[i]:
            if scores[i] != scores[i]:
                return -1
            if best < 0 or scores[i] > scores[best]:
                best = i
    return best if best >= 0 and math.isfinite(scores[best]) else -1


@inner
def comes_first(likely, a, b):
    """Whether id a comes before id b: the likelier first, and of two that are equally likely the lower one."""
    return likely[a] > likely[b] or (likely[a] == likely[b] and a < b)


@inner
def sink(heap, n, place, likely):
    """Let the id at a place of a heap of n ids sink until none below it comes first."""
    i = heap[place]
    while 2 * place + 1 < n:
        below = 2 * place + 1
        if below + 1 < n and comes_first(likely, heap[below + 1], heap[below]):
            below += 1
        if comes_first(likely, i, heap[below]):
            break
        heap[place] = heap[below]
        place = below
    heap[place] = i


@inner
def take(heap, left, likely):
    """Take the first id from a heap of `left` ids. It then stands just behind the others."""
    heap[0], heap[left - 1] = heap[left - 1], heap[0]
    sink(heap, left - 1, 0, likely)
    return heap[left - 1]


@inner
def drawn_of(scores, noisy, barred, likely, heap, temperature, top_k, top_p, min_p):
    """The id with the highest of the noisy scores among those that the filters keep; -1 if no score is finite.

    Args:
        scores, noisy: of the ids, without and with the noise, [V].
        barred: which ids can't be drawn, [V].
        likely, heap: room for V numbers each.
        top_k, top_p, min_p: 0 for none.
    """
    most = highest_of(scores, barred)
    if most < 0:
        return -1
    n, total = 0, 0.0
    for i in range(len(scores)):
        if not barred[i]:
            likely[i] = math.exp((np.float64(scores[i]) - np.float64(scores[most])) / temperature)
            total += likely[i]
            heap[n] = i
            n += 1
    in_order = top_k > 0 or top_p > 0
    if in_order:
        for place in range(n // 2 - 1, -1, -1):
            sink(heap, n, place, likely)
    kept = min(top_k, n) if top_k > 0 else n
    if top_k > 0 and top_p > 0:  # what top_p is a share of are the ids that top_k keeps
        total = 0.0
        for done in range(kept):
            total += likely[take(heap, n - done, likely)]
    best, before = -1, 0.0
    for done in range(kept):
        if top_p > 0 and before >= top_p * total:
            break
        if in_order and not (top_k > 0 and top_p > 0):
            take(heap, n - done, likely)
        i = heap[n - 1 - done]
        before += likely[i]
        if likely[i] >= min_p and (best < 0 or noisy[i] > noisy[best] or (noisy[i] == noisy[best] and i < best)):
            best = i
    return best if best >= 0 and math.isfinite(noisy[best]) else -1


def draw(dtype: str) -> Callable[[Any], None]:
    """A draw for each of B texts from V scores, of the sizes B, V and top_k, and of the temperature, top_p and min_p.

    It reads scores without and with noise, [B, V] in float32, and which ids are barred, [B, V] as bytes. It writes the
    drawn ids, [B]: -1 where the highest score isn't a finite number. `likely` and `heap`, [V], are room to work.
    """
    assert dtype == "float32"

    def draw_ids(p):
        sizes, shares = carray(p[0], 3, np.int64), carray(p[1], 3, np.float64)
        B, V, top_k = sizes[0], sizes[1], sizes[2]
        scores, noisy = carray(p[2], (B, V), np.float32), carray(p[3], (B, V), np.float32)
        barred, drawn = carray(p[4], (B, V), np.uint8), carray(p[5], B, np.int64)
        likely, heap = carray(p[6], V, np.float64), carray(p[7], V, np.int64)
        for b in range(B):
            drawn[b] = drawn_of(scores[b], noisy[b], barred[b], likely, heap, shares[0], top_k, shares[1], shares[2])

    return draw_ids
