from __future__ import annotations

import pytest
import torch

from charlstm.device import choose_device, choose_dtype, keep_freed_memory
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
