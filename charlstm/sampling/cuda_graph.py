"""On NVIDIA's devices: the model's step for one character as one launch, instead of many small kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from charlstm.model.charlstm import CharLSTM
from charlstm.model.stack import State
from charlstm.sampling.sampler import Step

WARM_UPS = 3
"""Calls before the recording, in which libraries choose their kernels and allocate their memory."""


@torch.no_grad()
def graphed_step(model: CharLSTM, batch_size: int) -> Step[State]:
    """`logits, state = step(ids, state)`, the model's own contract, for ids [batch_size, 1], as a CUDA graph.

    What it returns is overwritten by its next call.

    Raises:
        RuntimeError: when the device can't record it.
    """
    ids = torch.zeros(batch_size, 1, dtype=torch.int64, device=model.device)
    state = model.initial_state(batch_size)
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            model(ids, state)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits, after = model(ids, state)
        state.h.copy_(after.h)
        state.c.copy_(after.c)

    def step(x: Tensor, before: State) -> tuple[Tensor, State]:
        ids.copy_(x)
        if before is not state:
            state.h.copy_(before.h)
            state.c.copy_(before.c)
        graph.replay()
        return logits, state

    return step
