from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.sampling.cuda_graph import graphed_step


def test_a_recorded_step_is_the_models(model: CharLSTM, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the graph, which needs a device: it calls the model again, on the same tensors."""
    calls: list[Callable[[], None]] = []

    class Stream:
        def wait_stream(self, other: object) -> None:
            pass

    class Graph:
        def replay(self) -> None:
            calls[0]()

    inner = model.forward
    seen: list[tuple[torch.Tensor, State, torch.Tensor]] = []

    def forward(ids: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        logits, after = inner(ids, state)
        seen.append((ids, state, logits))
        return logits, after

    @contextlib.contextmanager
    def graph(recording: Graph) -> Iterator[None]:
        yield
        ids, state, logits = seen[-1]

        @torch.no_grad()
        def replay() -> None:
            fresh, after = inner(ids, state)
            logits.copy_(fresh)
            state.h.copy_(after.h)
            state.c.copy_(after.c)

        calls.append(replay)

    for name, stand_in in {"Stream": Stream, "CUDAGraph": Graph, "graph": graph, "current_stream": Stream}.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(model, "forward", forward)
    step: Any = graphed_step(model, 3)
    begin = State(torch.randn(2, 3, 6), torch.randn(2, 3, 6))
    ids = torch.randint(7, (3, 4))
    with torch.inference_mode():  # as a prime is read
        expected, end = inner(ids, begin)
    for _ in range(2):  # it can begin again
        state = begin
        for moment in range(4):
            logits, state = step(ids[:, moment : moment + 1], state)
            torch.testing.assert_close(logits[:, 0], expected[:, moment])
        torch.testing.assert_close(tuple(state), tuple(end))
