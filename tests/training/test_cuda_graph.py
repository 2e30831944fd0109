from __future__ import annotations

from typing import Any

import pytest
import torch

from charlstm.errors import Notice
from charlstm.model.charlstm import CharLSTM
from charlstm.training.cuda_graph import graphed_member


def test_the_shape_that_was_recorded_takes_the_graph_and_others_the_usual_way(
    model: CharLSTM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for the recording, which needs a device: it counts its calls and computes as it should."""
    calls = []

    def record(module: torch.nn.Module, sample: tuple[torch.Tensor, ...]) -> Any:
        assert module.training
        assert len({tensor.data_ptr() for tensor in (*sample, *state)}) == 5
        assert [tuple(tensor.shape) for tensor in sample] == [(3, 4), (2, 3, 6), (2, 3, 6)]
        module.eval()  # so that dropout doesn't tell the two ways apart
        return lambda *given: (calls.append(given), module(*given))[1]

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", record)
    (member,) = model.members
    state = model.initial_state(3)
    forward = graphed_member(member, torch.zeros(3, 4, dtype=torch.long), state, autocast=False)
    for length, expected_calls in ((4, 1), (2, 1), (4, 2)):
        ids = torch.randint(7, (3, length))
        torch.testing.assert_close(forward(ids, state), member(ids, state))
        assert len(calls) == expected_calls


def test_without_graphs_it_trains_the_usual_way(model: CharLSTM, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", refuse)
    with pytest.warns(Notice, match=r"without CUDA graphs.*capturing\)$"):
        assert graphed_member(model.members[0], torch.zeros(3, 4), model.initial_state(3), False) is model.members[0]
