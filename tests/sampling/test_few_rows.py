from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Iterator

import pytest
import torch

from charlstm.sampling import few_rows
from charlstm.sampling.few_rows import choose_precision, kernel_of, product_of

HOW_CLOSE = {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.02}


@pytest.mark.parametrize("precision", HOW_CLOSE)
@pytest.mark.parametrize("large", [0, 1 << 22])
@pytest.mark.parametrize(("rows", "size", "out"), [(1, 64, 9), (3, 100, 40), (9, 33, 64)])
def test_products(precision: str, large: int, rows: int, size: int, out: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_rows, "LARGE", large)
    torch.manual_seed(0)
    weight, x, y = torch.randn(out, size) / size**0.5, torch.empty(rows, size), torch.empty(rows, out)
    product = product_of(weight, x, y, precision)
    for _ in range(2):
        x.uniform_(-1, 1)
        product()
        torch.testing.assert_close(y, x @ weight.T, atol=HOW_CLOSE[precision], rtol=HOW_CLOSE[precision])
    x.fill_(1.0)
    x[:, ::2] = -1.0
    product()
    torch.testing.assert_close(y, x @ weight.T, atol=0.05, rtol=0.05)


def test_numbers_beyond_one_are_never_cut_where_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_rows, "LARGE", 0)
    weight, x, y = torch.randn(9, 64), 5 * torch.randn(2, 64), torch.empty(2, 9)
    product_of(weight, x, y, "int8", bounded=False)()
    torch.testing.assert_close(y, x @ weight.T, atol=0.5, rtol=0.05)


def test_the_weights_are_those_of_the_beginning() -> None:
    for precision in HOW_CLOSE:
        weight, x, y = torch.ones(8, 64), torch.ones(1, 64), torch.empty(1, 8)
        product = product_of(weight, x, y, precision)
        weight.zero_()
        product()
        torch.testing.assert_close(y, torch.full((1, 8), 64.0), atol=0.5, rtol=0.01)


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the machine has, without loops of our own."""
    monkeypatch.setattr(few_rows, "has_loops", lambda: False)
    few_rows._has_int8.cache_clear()
    yield
    few_rows._has_int8.cache_clear()


@pytest.mark.parametrize(
    ("system", "machine", "capability", "expected"),
    [
        ("linux", "x86_64", "AVX2", "int8"),
        ("win32", "AMD64", "AVX512", "float32"),
        ("darwin", "arm64", "DEFAULT", "int8"),
        ("linux", "aarch64", "NO AVX", "int8"),
    ],
)
def test_int8_where_its_kernel_is_more_than_a_loop(
    system: str, machine: str, capability: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(few_rows, "choose_dtype", lambda name, device: "float32")
    assert choose_precision("auto", 1) == expected


def test_a_kernel_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(x: torch.Tensor, weight: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), len(weight), dtype=x.dtype)

    monkeypatch.setattr(torch, "_weight_int8pack_mm", wrong)
    assert choose_precision("int8", 1) != "int8"


@pytest.mark.parametrize(
    ("capability", "lower", "vnni", "expected"),
    [
        ("AVX512", "bfloat16", True, ["int8", "int8", "bfloat16", "bfloat16", "int8", "float32"]),
        ("AVX512", "bfloat16", False, ["int8", "bfloat16", "bfloat16", "bfloat16", "int8", "float32"]),
        ("AVX2", "float32", False, ["int8", "float32", "float32", "float32", "int8", "float32"]),
        ("DEFAULT", "float32", False, ["float32"] * 6),
    ],
)
def test_what_a_machine_lacks_is_replaced(
    capability: str, lower: str, vnni: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(few_rows, "choose_dtype", lambda name, device: lower)
    monkeypatch.setattr(few_rows, "_has_vnni", lambda: vnni)
    asked = [("auto", 1), ("auto", 64), ("auto", 64, False), ("bfloat16", 1), ("int8", 64), ("float32", 1)]
    assert [choose_precision(*each[:2], bounded=len(each) == 2) for each in asked] == expected


def test_a_machine_without_a_kernel_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    few_rows._has_vnni.cache_clear()
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    assert kernel_of(torch.ones(4096, 1024), 1, "int8")[0].dtype == torch.bfloat16
    monkeypatch.delattr(torch, "_weight_int8pack_mm")
    assert choose_precision("int8", 1) in ("bfloat16", "float32")
    few_rows._has_vnni.cache_clear()


def test_for_a_few_bounded_rows_compiled_loops_have_int8_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_rows, "has_loops", lambda: True)
    monkeypatch.setattr(few_rows, "_has_int8", functools.cache(lambda: False))
    assert choose_precision("auto", few_rows.FEW) == "int8"
    assert choose_precision("auto", 1, bounded=False) == choose_precision("int8", few_rows.FEW + 1) != "int8"
