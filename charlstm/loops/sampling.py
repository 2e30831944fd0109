"""An LSTM layer's step for one character of some texts: from its input to the products with the new h."""

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
    output_row,
    share,
    sigmoid_row,
    tanh_row,
    thread,
    threads,
    update_row,
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
        x[j] = np.int32(np.floor(unit * h[j] + zero + HALF))


@inner
def dot(w, x):
    """The sum of w ⊙ x, for int8 and int16. None overflows: `unit` is small enough (see `compiled_layers.py`)."""
    total = np.int32(0)
    for j in range(len(w)):
        total = np.int32(total + np.int32(np.int32(w[j]) * np.int32(x[j])))
    return total


def layer(precision: str) -> Callable[[Any], None]:
    """A step of an LSTM layer.

    Its sizes, in this order:

        B, H        texts, and units
        R, K        numbers in a row of y, and in a row of x
        N           rows of the table
        unit, zero  for h as an integer
        goes_on     whether it goes on by a step

    It reads the products of the h before, y [B, R], whose first 4H are for this layer, and the input of text b: row
    ids[b] of the table, [N, 4H]. It takes h and c, [B, H], to the next step, and writes that h in x, [B, K]: where
    the precision is one of integers, as unit · h + zero, rounded. `work` is room for each thread, [threads, 5, H].

    For int8 it then multiplies x with the weights, [R, K], whose rows have scales, [R]. The first 4H numbers go to y,
    for the next step. The others, plus a bias, go to `above`, [B, R - 4H], for the layer above at this step.
    """
    of_y, of_x = TYPES[precision]
    rounds, multiplies = precision in ("int8", "uint8"), precision == "int8"

    def lstm_layer(p):
        sizes = carray(p[0], 8, np.int64)
        B, H, R, K, N = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        unit, zero, goes_on = np.float32(sizes[5]), np.float32(sizes[6]), sizes[7]
        y, x = carray(p[1], (B, R), of_y), carray(p[2], (B, K), of_x)
        ids, table = carray(p[3], B, np.int64), carray(p[4], (N, 4, H), np.float32)
        h, c = carray(p[5], (B, H), np.float32), carray(p[6], (B, H), np.float32)
        work = carray(p[7], (threads(), 5, H), np.float32)
        begin, end = share(H)
        k = thread()
        i, f, g = work[k, 0, begin:end], work[k, 1, begin:end], work[k, 2, begin:end]
        o, q = work[k, 3, begin:end], work[k, 4, begin:end]
        for b in range(B):
            r = ids[b]
            if goes_on:
                sigmoid_row(i, y[b, begin:end], table[r, 0, begin:end])
                sigmoid_row(f, y[b, H + begin : H + end], table[r, 1, begin:end])
                tanh_row(g, y[b, 2 * H + begin : 2 * H + end], table[r, 2, begin:end])
                sigmoid_row(o, y[b, 3 * H + begin : 3 * H + end], table[r, 3, begin:end])
                update_row(c[b, begin:end], f, i, g)
                output_row(h[b, begin:end], q, o, c[b, begin:end])
            if rounds:
                integer_row(x[b, begin:end], h[b, begin:end], unit, zero)
            else:
                copy_row(x[b, begin:end], h[b, begin:end])
        if multiplies:
            wait()
            weights, scales = carray(p[8], (R, K), np.int8), carray(p[9], R, np.float32)
            above, bias = carray(p[10], (B, R - 4 * H), np.float32), carray(p[11], R - 4 * H, np.float32)
            first, last = share(R)
            for row in range(first, last):
                for b in range(B):
                    product = np.float32(dot(weights[row], x[b])) * scales[row]
                    if row < 4 * H:
                        y[b, row] = product
                    else:
                        above[b, row - 4 * H] = product + bias[row - 4 * H]

    return lstm_layer
