"""Where to compute, and with which number type: the meaning of `auto` on this machine."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
from collections.abc import Mapping

import torch

from charlstm.errors import InputError
from charlstm.loops.compiling import loops_in_words


def choose_device(name: str) -> torch.device:
    """The device with this name. `auto` is the first of cuda, mps and cpu that this machine has.

    Raises:
        InputError: when the machine doesn't have the device.
    """
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [device for device in has if has[device]]
    if name not in ("auto", *available):
        raise InputError(f"device {name} isn't available here: choose from {', '.join(available)}")
    return torch.device(available[0] if name == "auto" else name)


def choose_dtype(name: str, device: torch.device) -> str:
    """`float32` or `bfloat16`. `auto` is bfloat16 where the hardware computes in it, because it is faster there.

    A processor that emulates bfloat16 computes more slowly in it than in float32.
    """
    if name != "auto":
        return name
    native = False
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        # PyTorch 2.10 has no function for the processor's features. There, float32 is always safe.
        features: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        has_instructions = features.get("avx512_bf16", False) or features.get("amx_bf16", False)
        native = has_instructions and has_layout(torch.bfloat16)
    return "bfloat16" if native else "float32"


@functools.cache
def has_layout(dtype: torch.dtype) -> bool:
    """Whether this processor multiplies with weights in oneDNN's own layout (see `product_with`).

    It is tried: what a processor has, and what a kernel wants, are many flags, which differ from version to version.
    """
    one, eight = torch.ones(8, 8, dtype=dtype), torch.full((8, 8), 8.0, dtype=dtype)
    try:
        ahead = torch.ops.mkldnn._reorder_linear_weight(one, 8)
        return torch.equal(torch.ops.mkldnn._linear_pointwise.binary(one, one, ahead, None, "add"), eight + 1)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


def processor() -> str:
    """Its instructions, what oneDNN has kernels for, and our loops: where these differ, so do the last bits of sums."""
    kernels = [name for name in ("float32", "bfloat16") if has_layout(getattr(torch, name))]
    known = f"{torch.backends.cpu.get_cpu_capability()} with kernels for {' and '.join(kernels) or 'nothing'}"
    return f"{known}, and {loops_in_words()}"


def machine(device: str) -> str:
    """In words: the system and, of what computes, the kind."""
    known = [f"{platform.system()} {platform.machine()}", f"{os.cpu_count() or 1} processors"]
    return ", ".join([*known, torch.cuda.get_device_name()] if device == "cuda" else known)


if hasattr(os, "register_at_fork"):
    # A process that is forked from one whose threads have computed has none of these threads, and would wait for them
    # for ever. On one thread of its own it waits for nobody.
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def keep_freed_memory() -> None:
    """Make this process keep the memory that it frees. The next training step needs the same amount.

    By default, Linux's C library gives large blocks back to the kernel. The kernel then returns them page by page and
    fills them with zeros, which takes a quarter of a training step. Other systems stay as they are.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    set_option(-4, 0)  # M_MMAP_MAX in glibc's malloc.h
    set_option(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    set_option(-8, 1)  # M_ARENA_MAX: a separate heap for each thread would still give blocks back
