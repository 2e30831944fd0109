"""What compiled loops share: functions of one number and of rows of numbers, and each thread's part of the work."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

from charlstm.loops.team import LINE, THREAD, THREADS, WAIT

inner = njit(fastmath={"contract", "reassoc", "arcp", "nsz"}, error_model="numpy")
"""For a function that a loop calls: it becomes part of the loop's code.

Rows are functions of their own. There the compiler compares where they lie, and takes many numbers at once. It wouldn't
dare to in a loop over rows and numbers: the parts of an array that it writes to might overlap.
"""

thread = types.ExternalFunction(THREAD, types.int32())
threads = types.ExternalFunction(THREADS, types.int32())
wait = types.ExternalFunction(WAIT, types.void())

HALF, ONE = np.float32(0.5), np.float32(1)
FARTHEST = np.float32(7.99881172180175781)
"""From here on the function below gives exactly 1, so the derivative 1 - tanh² is zero, as with PyTorch's tanh."""

# x P(x²) / Q(x²): the rational function of the least largest error, by which many libraries compute tanh in float32.
P6, P5, P4 = np.float32(-2.76076847742355e-16), np.float32(2.00018790482477e-13), np.float32(-8.60467152213735e-11)
P3, P2, P1 = np.float32(5.12229709037114e-08), np.float32(1.48572235717979e-05), np.float32(6.37261928875436e-04)
Q3, Q2, Q1 = np.float32(1.19825839466702e-06), np.float32(1.18534705686654e-04), np.float32(2.26843463243900e-03)
P0 = Q0 = np.float32(4.89352518554385e-03)


@inner
def tanh(x):
    """tanh(x) to 4e-7. What is not a number stays none."""
    x = FARTHEST if x > FARTHEST else x
    x = -FARTHEST if x < -FARTHEST else x
    s = x * x
    p = ((((((P6 * s + P5) * s + P4) * s + P3) * s + P2) * s + P1) * s + P0) * x
    q = ((Q3 * s + Q2) * s + Q1) * s + Q0
    return p / q


@inner
def sigmoid(x):
    """σ(x) = tanh(x / 2) / 2 + 1 / 2."""
    return HALF * tanh(HALF * x) + HALF


def widen(x):
    """float32 of a float32, or of the bits of a bfloat16."""


def narrow(x, like):
    """A float32 as what an array `like` holds: float32, or the bits of the nearest bfloat16."""


@overload(widen)
def _widen(x):
    if x is types.uint16:
        return lambda x: np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)
    return lambda x: x


@overload(narrow)
def _narrow(x, like):
    if like.dtype is not types.uint16:
        return lambda x, like: x

    def rounded(x, like):
        bits = np.float32(x).view(np.uint32)
        if x != x:  # rounding could make an infinite number of it
            return np.uint16(0x7FC0)
        odd = np.uint32(bits >> np.uint32(16)) & np.uint32(1)  # of two that are equally near, the even one
        return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))

    return rounded


@inner
def share(n):
    """From where to where this thread works on n numbers in a row. No two threads write in one line of the cache."""
    lines = (n + LINE - 1) // LINE
    begin, end = LINE * (lines * thread() // threads()), LINE * (lines * (thread() + 1) // threads())
    return np.uintp(min(begin, n)), np.uintp(min(end, n))  # an unsigned index is never counted from the end


@inner
def sigmoid_row(y, a, b):
    """y = σ(a + b)."""
    for j in range(len(y)):
        y[j] = sigmoid(widen(a[j]) + widen(b[j]))


@inner
def tanh_row(y, a, b):
    """y = tanh(a + b)."""
    for j in range(len(y)):
        y[j] = tanh(widen(a[j]) + widen(b[j]))


@inner
def memory_row(c_next, f, c, i, g):
    """c = f ⊙ c₋ + i ⊙ g."""
    for j in range(len(c)):
        c_next[j] = f[j] * c[j] + i[j] * g[j]


@inner
def update_row(c, f, i, g):
    """The same in place of c₋. It isn't `memory_row(c, f, c, …)`: with c given twice, LLVM makes no vectors of it."""
    for j in range(len(c)):
        c[j] = f[j] * c[j] + i[j] * g[j]


@inner
def output_row(h, q, o, c):
    """q = tanh(c), h = o ⊙ q."""
    for j in range(len(c)):
        q[j] = tanh(c[j])
        h[j] = narrow(o[j] * q[j], h)


@inner
def copy_row(y, a):
    """y = a."""
    for j in range(len(y)):
        y[j] = narrow(a[j], y)


@inner
def add_row(y, a):
    """y = y + a."""
    for j in range(len(y)):
        y[j] += widen(a[j])
