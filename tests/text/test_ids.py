from __future__ import annotations

import numpy as np

from charlstm.text.ids import release


def test_a_mapped_text_reads_the_same_after_its_pages_were_given_back() -> None:
    np.arange(1000, dtype=np.uint16).tofile("ids")
    mapped = np.memmap("ids", dtype=np.uint16, mode="r")[100:900]
    before = mapped.copy()
    release(mapped)
    assert np.array_equal(mapped, before)


def test_what_lies_in_memory_stays_there() -> None:
    release(np.arange(3))
