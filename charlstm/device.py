"""Where to compute, and in which arithmetic: what `auto` means on this machine."""

from __future__ import annotations

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
        raise InputError(f"device {name} isn't to be had here: choose from {', '.join(n for n in there if there[n])}")
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
