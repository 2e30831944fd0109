"""Where to compute, and in which arithmetic: what `auto` means on this machine."""

from __future__ import annotations

import ctypes

import torch

from charlstm.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device of a name; `auto` is the first of cuda, mps and cpu that is there.

    Raises:
        InputError: when the machine hasn't got it.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(candidate for candidate, is_there in there.items() if is_there)
    if not there[name]:
        raise InputError(f"device {name} isn't available here: choose from {', '.join(n for n in there if there[n])}")
    return torch.device(name)


def choose_dtype(name: str, device: torch.device) -> str:
    """`float32` or `bfloat16`; `auto` is bfloat16 where the machine computes in it, since there it is faster.

    A processor that has to emulate bfloat16 is slower in it than in float32.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        # PyTorch 2.9 can't say what the processor has, and float32 is right everywhere.
        features: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = bool(features.get("avx512_bf16") or features.get("amx_bf16"))
    else:
        native = False
    return "bfloat16" if native else "float32"


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for the next step, which needs as much.

    By default the C library of Linux hands large blocks back to the kernel, which gives them out again page by page,
    zeroed: a quarter of the time of a training step. Elsewhere nothing is changed.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    set_option(_M_MMAP_MAX, 0)
    set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
    set_option(_M_ARENA_MAX, 1)  # a thread's own heap would hand them back all the same


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h
