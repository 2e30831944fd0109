from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from torch.distributed import HashStore, Store

from charlstm.errors import RunError
from charlstm.training import board as module
from charlstm.training.board import Board, fresh


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What some calls return that wait for each other."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [each.result(timeout=60) for each in [pool.submit(call) for call in calls]]


def started(store: Store, count: int = 3) -> list[Store]:
    return at_once(*(lambda number=number: fresh(store, number, count) for number in range(count)))  # type: ignore[misc]


def test_each_start_has_a_part_of_its_own_whatever_an_earlier_one_has_left() -> None:
    store = HashStore()
    for word in ("one", "two"):
        first, second, third = started(store)
        assert not second.check(["word"])
        first.set("word", word)
        assert second.get("word") == third.get("word") == word.encode()


def test_who_is_missing_is_waited_for_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", timedelta(seconds=0.3))
    with pytest.raises(RuntimeError, match="only some of 2 processes"):
        fresh(HashStore(), 0, 2)


def test_what_the_first_one_says_all_know_in_order() -> None:
    boards = [Board(store, number, 3) for number, store in enumerate(started(HashStore()))]

    def talk(board: Board) -> list[Any]:
        said = [board.of_first({"from": board.number}), board.of_first([1.5, None])]
        board.meet()
        board.end()
        return said

    assert at_once(*(lambda board=board: talk(board) for board in boards)) == [[{"from": 0}, [1.5, None]]] * 3  # type: ignore[misc]


def test_the_first_one_that_fails_tells_the_others() -> None:
    first, second = (Board(store, number, 2) for number, store in enumerate(started(HashStore(), 2)))
    assert second.fail(143) is None
    assert first.fail(1) == 143
    with pytest.raises(RunError, match="another process has failed"):
        first.meet()
    for each in (first, second):
        each.end()


def test_one_that_gives_no_sign_of_life_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", timedelta(seconds=2))
    monkeypatch.setattr(module, "BEAT", 0.2)
    stores = started(HashStore(), 2)
    second = Board(stores[1], 1, 2)
    with pytest.raises(RuntimeError, match="process 0 gives no sign of life"):
        second.of_first(None)
    first = Board(stores[0], 0, 2)

    def late() -> None:
        import time

        time.sleep(4.0)
        first.of_first("here")

    again = Board(stores[1], 1, 2)
    assert at_once(late, lambda: again.of_first(None))[1] == "here"
    for each in (first, second, again):
        each.end()
