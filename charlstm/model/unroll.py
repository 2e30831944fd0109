"""One cell over texts: forward or in reverse, also over texts of different lengths."""

from __future__ import annotations

import torch
from torch import Tensor

from charlstm.model.cell import Cell
from charlstm.model.steps import CellState, Unrolled


def unroll(
    cell: Cell,
    x: Tensor,
    state: CellState,
    *,
    below: Tensor | None = None,
    lengths: Tensor | None = None,
    reverse: bool = False,
    keep_c: bool = False,
) -> Unrolled:
    """All steps of a sequence.

    Args:
        x: the input of each step, [T, B, input_size].
        below: the memory of the layer below at each step, [T, B, H], for a cell that `reads_below`.
        lengths: how long each text is, [B], from 1 to T. What stands beyond a text's length has no influence; h and c
            are zero there, and `state` is the state after the text's own last step.
        reverse: read each text from its last step to its first. h[t] and c[t] belong to x[t].
        keep_c: whether to return the memory of each step.
    """
    if lengths is None and not reverse:
        return cell.sequence(x, state, below, keep_c)
    T, B, _ = x.shape
    step = torch.arange(T, device=x.device).unsqueeze(1)
    ends = torch.full((B,), T, device=x.device) if lengths is None else lengths
    is_text = (step < ends).unsqueeze(-1)  # [T, B, 1]
    # Which step is read first, second, … of a text of 3 in T = 5: 2 1 0 3 4.
    # This order is its own inverse: it also puts the outputs back.
    order = torch.where(step < ends, ends - 1 - step, step)
    rows = (order * B + torch.arange(B, device=x.device)).flatten()  # the same in [T · B, n], where it is fast

    def ordered(values: Tensor) -> Tensor:
        values = values.masked_fill(~is_text, 0)
        return values.flatten(0, 1).index_select(0, rows).view_as(values) if reverse else values

    run = cell.sequence(ordered(x), state, None if below is None else ordered(below), keep_c or lengths is not None)
    last = run.state
    if lengths is not None:
        assert run.c is not None
        h, c = (values[ends - 1, torch.arange(B, device=x.device)] for values in (run.h, run.c))
        last = CellState(h.to(state.h.dtype), c.to(state.c.dtype))
    return Unrolled(ordered(run.h), ordered(run.c) if keep_c and run.c is not None else None, last)
