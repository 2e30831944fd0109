"""Products of a few rows with a matrix that is read at every step, in the format that is read fastest."""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from charlstm.device import choose_dtype
from charlstm.loops.compiling import has_loops
from charlstm.model.products import product_with

FEW = 8
"""The most rows for which the plain int8 kernel is fast: reading the weights then takes longer than computing."""

LARGE = 1 << 22
"""Multiplications in a product from which on oneDNN's int8 kernel is the faster one; it takes longer to begin."""

BLOCK = 64
"""A multiple of the numbers that the plain int8 kernels of all processors read at once."""

Kernel = Callable[[], Tensor]
"""→ x W^T, [rows, out], for the present contents of a buffer that holds x."""


def choose_precision(name: str, rows: int, *, bounded: bool = True) -> str:
    """`int8`, `bfloat16` or `float32`; `auto` is the fastest that the machine has.

    Where int8 is lacking it is bfloat16, and where that is lacking float32.

    Args:
        bounded: as for `product_of`.
    """
    has_bfloat16 = choose_dtype("auto", torch.device("cpu")) == "bfloat16"
    if name == "auto":
        name = "int8" if rows <= FEW or (bounded and _has_vnni()) else "bfloat16"
    if name == "int8" and not (_has_int8() or (bounded and rows <= FEW and has_loops())):
        name = "bfloat16"
    return "float32" if name == "bfloat16" and not has_bfloat16 else name


def product_of(weight: Tensor, x: Tensor, out: Tensor, precision: str, *, bounded: bool = True) -> Callable[[], None]:
    """A function that writes x W^T into `out`, for the present contents of `x`.

    Args:
        weight: W [out, in]; its present values are kept.
        x, out: float32, [rows, in] and [rows, out], on the same memory at every call.
        precision: `int8`, `bfloat16` or `float32`.
        bounded: whether all numbers of x are from -1 to 1, as in most cells' h: then 8 bits are enough for x, too.
    """
    kept, multiply = kernel_of(weight, len(x), precision, bounded=bounded)
    if kept.dtype == torch.uint8:
        given, scaled, integers = x.numpy(), np.empty(x.shape, np.float32), kept.numpy()

        def product() -> None:
            np.multiply(given, 127, out=scaled)
            np.add(scaled, 128.5, out=scaled)
            np.copyto(integers, scaled, casting="unsafe")  # which rounds down
            out.copy_(multiply())
    else:
        cast = kept[:, : x.shape[1]]

        def product() -> None:
            cast.copy_(x)
            out.copy_(multiply())

    return product


def kernel_of(weight: Tensor, rows: int, precision: str, *, bounded: bool = True) -> tuple[Tensor, Kernel]:
    """The product alone: a buffer for x in the kernel's own type, and the kernel."""
    if precision != "int8":
        return _plain(weight, rows, getattr(torch, precision))
    return _int8_by_int8(weight, rows) if bounded and takes_integers(weight, rows) else _int8(weight, rows)


def takes_integers(weight: Tensor, rows: int) -> bool:
    """Whether oneDNN's kernel for integers by integers is the fastest int8 kernel here, for x from -1 to 1."""
    return (rows > FEW or rows * weight.numel() >= LARGE) and _has_vnni()


def _plain(weight: Tensor, rows: int, dtype: torch.dtype) -> tuple[Tensor, Kernel]:
    """In a floating-point type."""
    x, nothing = (torch.zeros(rows, n, dtype=dtype) for n in reversed(weight.shape))
    return x, functools.partial(product_with(weight.to(dtype, copy=True), rows), x, nothing)


def _int8(weight: Tensor, rows: int) -> tuple[Tensor, Kernel]:
    """The same with int8 weights, one scale for each row, and bfloat16 for x and the result."""
    # The scale is rounded before it is used, which costs no precision. Rows are padded: the kernel reads whole blocks.
    scales = (weight.abs().amax(1).clamp(min=1e-30) / 127).bfloat16()
    quantized = F.pad(_quantized(weight, scales), (0, -weight.shape[1] % BLOCK))
    x = torch.zeros(rows, quantized.shape[1], dtype=torch.bfloat16)
    return x, functools.partial(torch._weight_int8pack_mm, x, quantized, scales)


def _int8_by_int8(weight: Tensor, rows: int) -> tuple[Tensor, Kernel]:
    """The same with integers for x, too: 127 x + 128, rounded."""
    scales, integers = integers_of(weight)
    ahead = torch.ops.onednn.qlinear_prepack(integers, [rows, weight.shape[1]])
    x = torch.zeros(rows, weight.shape[1], dtype=torch.uint8)
    of_x, of_weight, of_result = (1 / 127, 128), (scales, torch.zeros(len(weight), dtype=torch.int64)), (1.0, 0)
    multiply = torch.ops.onednn.qlinear_pointwise.default
    return x, functools.partial(multiply, x, *of_x, ahead, *of_weight, None, *of_result, torch.float32, "none", [], "")


def integers_of(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix in int8: a scale for each row, and the numbers to be multiplied with it."""
    scales = weight.abs().amax(1).clamp(min=1e-30) / 127
    return scales, _quantized(weight, scales)


def _quantized(weight: Tensor, scales: Tensor) -> Tensor:
    return (weight / scales[:, None]).round().clamp(-127, 127).to(torch.int8)


@functools.cache
def _has_int8() -> bool:
    """Whether there is a fast kernel for int8 weights: PyTorch has them for AVX2, AVX-512 (not on Windows) and NEON."""
    has_avx = torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX") and sys.platform != "win32"
    return (has_avx or platform.machine() in ("aarch64", "arm64")) and _runs(_int8)


@functools.cache
def _has_vnni() -> bool:
    """Whether the processor multiplies integers with integers without cutting off their sums."""
    has_instructions = getattr(torch.cpu, "_is_vnni_supported", lambda: False)
    return bool(has_instructions()) and _runs(_int8_by_int8)


def _runs(make: Callable[[Tensor, int], tuple[Tensor, Kernel]]) -> bool:
    """Whether this PyTorch has a kernel, and its result is right on this processor."""
    try:
        x, kernel = make(torch.ones(BLOCK, BLOCK), 1)
        x.fill_(255 if x.dtype == torch.uint8 else 1)
        return bool((kernel().float() / BLOCK - 1).abs().max() < 0.02)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
