from __future__ import annotations

import argparse

import pytest
import torch

from charlstm import device
from charlstm.device import choose_device, choose_dtype, has_layout, keep_freed_memory, processor
from charlstm.errors import InputError


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="cuda isn't available here: choose from .*cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("features", "dtype"), [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({}, "float32")]
)
def test_bfloat16_where_the_processor_has_it(
    features: dict[str, bool], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    monkeypatch.setattr(device, "has_layout", lambda dtype: True)
    assert choose_dtype("auto", torch.device("cpu")) == dtype
    assert choose_dtype("float32", torch.device("cpu")) == "float32"


def test_freed_memory_is_kept_where_the_c_library_can_and_nothing_breaks_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[int, int] = {}

    class Glibc:
        def mallopt(self, option: int, value: int) -> int:
            options[option] = value
            return 1

    monkeypatch.setattr("ctypes.CDLL", lambda name: Glibc())
    keep_freed_memory()
    assert options == {-4: 0, -1: 2**31 - 1, -8: 1}  # no block by mmap, one heap, and none given back at its end
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    keep_freed_memory()


def test_a_kernel_is_tried_before_it_is_believed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor may have the instructions, and PyTorch's kernel ask for others besides."""

    def refuse(*_: object) -> None:
        raise RuntimeError("mkldnn_reorder_linear_weight: bf16 path needs the cpu support avx512bw")

    assert not has_layout(torch.float64)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse)
    has_layout.cache_clear()
    assert not has_layout(torch.bfloat16)
    assert choose_dtype("auto", torch.device("cpu")) == "float32"
    assert "bfloat16" not in processor()
    monkeypatch.undo()
    has_layout.cache_clear()


def test_a_kernel_with_a_wrong_result_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    has_layout.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", argparse.Namespace(binary=lambda x, *_: x))
    assert not has_layout(torch.float32)
    monkeypatch.undo()
    has_layout.cache_clear()
