"""An LSTM layer's step for a few texts, for all members of a model: from its input to its products with the new h."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray

from charlstm.loops.numbers import (
    HALF,
    copy_row,
    inner,
    memory_row,
    output_row,
    share,
    sigmoid_row,
    tanh_row,
    thread,
    threads,
    wait,
)

TYPES = {
    "int8": (np.float32, np.int16),
    "uint8": (np.float32, np.uint8),
    "bfloat16": (np.uint16, np.uint16),
    "float32": (np.float32, np.float32),
}
"""For each precision what holds the products, and what holds the h that is multiplied: bfloat16 by its bits."""


@inner
def integer_row(x, h, unit, zero):
    """x = unit · h + zero, rounded, for whole numbers x."""
    for j in range(len(x)):
        x[j] = np.int32(np.floor(unit * h[j] + zero))


@inner
def dot(w, x):
    """The sum of w ⊙ x, for int8 and int16. No sum overflows: see `product_unit`."""
    total = np.int32(0)
    for j in range(len(w)):
        total = np.int32(total + np.int32(np.int32(w[j]) * np.int32(x[j])))
    return total


def layer(precision: str) -> Callable[[Any], None]:
    """The equations of `LSTM` for a step, of the sizes (M, B, H, R, N, l, L, unit, zero): members, texts, units, rows of
    the weights, rows of the table, this layer and all layers.

    It reads the products of the h before, y [M, B, R], whose first 4H numbers are for this layer, and the input, which
    for text b is the row ids[b] of the table [M, N, 4H]. It takes h and c, [M, L, B, H], to the next step, and writes h as
    x [M, B, columns]: for int8 and uint8 as unit · h + zero, rounded.

    For int8 it then also computes y anew: the product of each row of the weights, [M, R, columns], with x, times the row's
    scale, [M, R]. `work` is room for each thread, [threads, 5, H].
    """
    of_y, of_x = TYPES[precision]
    is_integer, multiplies = precision in ("int8", "uint8"), precision == "int8"

    def lstm_layer(p):
        sizes = carray(p[0], 10, np.int64)
        M, B, H, R, N = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        l, L, unit, zero, columns = sizes[5], sizes[6], np.float32(sizes[7]), np.float32(sizes[8]) + HALF, sizes[9]
        ids, table = carray(p[1], B, np.int64), carray(p[2], (M, N, 4, H), np.float32)
        y, x = carray(p[3], (M, B, R), of_y), carray(p[4], (M, B, columns), of_x)
        h, c = carray(p[5], (M, L, B, H), np.float32), carray(p[6], (M, L, B, H), np.float32)
        work = carray(p[7], (threads(), 5, H), np.float32)
        begin, end = share(H)
        k = thread()
        i, f, g = work[k, 0, begin:end], work[k, 1, begin:end], work[k, 2, begin:end]
        o, q = work[k, 3, begin:end], work[k, 4, begin:end]
        for m in range(M):
            for b in range(B):
                r, memory, out = ids[b], c[m, l, b, begin:end], h[m, l, b, begin:end]
                sigmoid_row(i, y[m, b, begin:end], table[m, r, 0, begin:end])
                sigmoid_row(f, y[m, b, H + begin : H + end], table[m, r, 1, begin:end])
                tanh_row(g, y[m, b, 2 * H + begin : 2 * H + end], table[m, r, 2, begin:end])
                sigmoid_row(o, y[m, b, 3 * H + begin : 3 * H + end], table[m, r, 3, begin:end])
                memory_row(memory, f, memory, i, g)
                output_row(out, q, o, memory)
                if is_integer:
                    integer_row(x[m, b, begin:end], out, unit, zero)
                else:
                    copy_row(x[m, b, begin:end], out)
        if multiplies:
            wait()
            weights, scales = carray(p[8], (M, R, columns), np.int8), carray(p[9], (M, R), np.float32)
            first, last = share(R)
            for m in range(M):
                for row in range(first, last):
                    for b in range(B):
                        y[m, b, row] = np.float32(dot(weights[m, row], x[m, b])) * scales[m, row]

    return lstm_layer
