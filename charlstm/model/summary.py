"""A model as a table, as Keras users know it."""

from __future__ import annotations

from torch import nn

from charlstm.model.charlstm import CharLSTM


def summary(model: CharLSTM, batch_size: int, seq_len: int) -> str:
    """Layers, the shapes that they put out, and their parameters, a line each, and the total."""
    config, layers = model.config, range(model.config.num_layers)
    module = model.members[0].get_submodule
    rows: list[tuple[str, int | None, nn.Module]] = [("embedding", config.embedding_dim, module("embedding"))]
    rows += [(f"{config.cell} {n + 1}", config.hidden_size, module(f"stack.layers.{n}")) for n in layers]
    rows += [("linear", config.vocab_size, module("head"))]
    counted: set[int] = set()  # tied weights count where they first stand
    lines = [f"{'layer':<15}{'output shape':<20}{'parameters':>12}"]
    for name, width, module in rows:
        new = {id(p): p.numel() for p in module.parameters() if id(p) not in counted}
        counted |= new.keys()
        lines.append(f"{name:<15}{f'({batch_size}, {seq_len}, {width})':<20}{sum(new.values()):>12,}")
    if config.ensemble_size > 1:
        lines.append(f"{config.ensemble_size} of these, whose guesses are averaged")
    lines.append(f"{'total':<35}{sum(p.numel() for p in model.parameters()):>12,}")
    return "\n".join(lines)
