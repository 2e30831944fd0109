"""The LSTM's small operations of a training step, between two matrix products: one loop forward, one backward."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray

from charlstm.loops import SLOPES
from charlstm.loops.numbers import (
    ONE,
    add_row,
    copy_row,
    inner,
    memory_row,
    narrow,
    output_row,
    share,
    sigmoid_row,
    tanh_row,
    thread,
    threads,
    widen,
)


@inner
def sigmoid_slope(y, a, s):
    """The derivative of a σ(x) by x, where s = σ(x): a s (1 - s)."""
    for j in range(len(y)):
        y[j] = narrow(a[j] * s[j] * (ONE - s[j]), y)


@inner
def tanh_slope(y, a, t):
    """The derivative of a tanh(x) by x, where t = tanh(x): a (1 - t²)."""
    for j in range(len(y)):
        y[j] = narrow(a[j] * (ONE - t[j] * t[j]), y)


@inner
def product_row(y, a, slope):
    """y = a ⊙ slope."""
    for j in range(len(y)):
        y[j] = narrow(widen(a[j]) * widen(slope[j]), y)


@inner
def scale_row(y, slope):
    """y = y ⊙ slope."""
    for j in range(len(y)):
        y[j] *= widen(slope[j])


@inner
def add_product_row(y, a, slope):
    """y = y + a ⊙ slope."""
    for j in range(len(y)):
        y[j] += widen(a[j]) * widen(slope[j])


DTYPES = {"float32": np.float32, "bfloat16": np.uint16}
"""What arrays hold: bfloat16 by its bits."""


def forward(dtype: str) -> Callable[[Any], None]:
    """The equations of `LSTM` at step t of T, of the sizes (t, T, B, H, N).

    It reads the products of the h before with the recurrent weights, [B, 4H], the projected inputs x [N, 4H], of which
    text b has the row ids[t, b], and c [T + 1, B, H]. It writes the next c, slopes [T, B, 6, H] and h [T + 1, B, H].
    `work` is room for each thread, [threads, 5, H]. c and work are in float32, ids in int64, the rest in the dtype.
    """
    of = DTYPES[dtype]

    def lstm_forward(p):
        sizes = carray(p[0], 5, np.int64)
        t, T, B, H, N = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        products, x = carray(p[1], (B, 4, H), of), carray(p[2], (N, 4, H), of)
        ids, slopes = carray(p[3], (T, B), np.int64), carray(p[4], (T, B, SLOPES, H), of)
        c, h = carray(p[5], (T + 1, B, H), np.float32), carray(p[6], (T + 1, B, H), of)
        work = carray(p[7], (threads(), 5, H), np.float32)
        begin, end = share(H)
        k = thread()
        i, f, g = work[k, 0, begin:end], work[k, 1, begin:end], work[k, 2, begin:end]
        o, q = work[k, 3, begin:end], work[k, 4, begin:end]
        for b in range(B):
            r = ids[t, b]
            before, after = c[t, b, begin:end], c[t + 1, b, begin:end]
            sigmoid_row(i, products[b, 0, begin:end], x[r, 0, begin:end])
            sigmoid_row(f, products[b, 1, begin:end], x[r, 1, begin:end])
            tanh_row(g, products[b, 2, begin:end], x[r, 2, begin:end])
            sigmoid_row(o, products[b, 3, begin:end], x[r, 3, begin:end])
            memory_row(after, f, before, i, g)
            output_row(h[t + 1, b, begin:end], q, o, after)
            sigmoid_slope(slopes[t, b, 0, begin:end], g, i)
            sigmoid_slope(slopes[t, b, 1, begin:end], before, f)
            tanh_slope(slopes[t, b, 2, begin:end], i, g)
            sigmoid_slope(slopes[t, b, 3, begin:end], q, o)
            tanh_slope(slopes[t, b, 4, begin:end], o, q)
            copy_row(slopes[t, b, 5, begin:end], f)

    return lstm_forward


def backward(dtype: str) -> Callable[[Any], None]:
    """The way back through step t of T, of the sizes (t, T, B, H, N).

    It reads the gradient of h, [B, H], slopes [T, B, 6, H] and ids [T, B]. It writes that of the sums inside the gates,
    d_sums [T, B, 4H], and takes dc, [B, H], from the memory after the step to that before it. If N isn't 0, it adds the
    gradients of the sums to those of the rows that ids name, d_x [N, 4H]. dc and d_x are in float32, ids in int64, and
    the rest in the dtype.
    """
    of = DTYPES[dtype]

    def lstm_backward(p):
        sizes = carray(p[0], 5, np.int64)
        t, T, B, H, N = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        d_hs, slopes = carray(p[1], (B, H), of), carray(p[2], (T, B, SLOPES, H), of)
        ids, dcs = carray(p[3], (T, B), np.int64), carray(p[4], (B, H), np.float32)
        d_sums, d_x = carray(p[5], (T, B, 4, H), of), carray(p[6], (N, 4, H), np.float32)
        begin, end = share(H)
        for b in range(B):
            dh, dc = d_hs[b, begin:end], dcs[b, begin:end]
            add_product_row(dc, dh, slopes[t, b, 4, begin:end])
            product_row(d_sums[t, b, 0, begin:end], dc, slopes[t, b, 0, begin:end])
            product_row(d_sums[t, b, 1, begin:end], dc, slopes[t, b, 1, begin:end])
            product_row(d_sums[t, b, 2, begin:end], dc, slopes[t, b, 2, begin:end])
            product_row(d_sums[t, b, 3, begin:end], dh, slopes[t, b, 3, begin:end])
            scale_row(dc, slopes[t, b, 5, begin:end])
            if N > 0:
                for gate in range(4):
                    add_row(d_x[ids[t, b], gate, begin:end], d_sums[t, b, gate, begin:end])

    return lstm_backward
