"""A model as a table, as Keras users know it."""

from __future__ import annotations

from dataclasses import dataclass

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM


@dataclass(frozen=True)
class Layer:
    """A layer: its name, how many numbers it puts out for a character, and its parameters."""

    name: str
    width: int
    parameters: int


def layers_of(config: ModelConfig) -> list[Layer]:
    """The layers of a member, from the characters upwards. Tied weights count where they first stand."""
    assert config.embedding_dim is not None
    first, counts = "members.0.", {name: shape.numel() for name, shape in CharLSTM.shapes(config).items()}
    if config.tie_weights:
        del counts[f"{first}head.weight"]
    rows = [("embedding", config.embedding_dim, "embedding.")]
    rows += [(f"{config.cell} {n + 1}", config.hidden_size, f"stack.layers.{n}.") for n in range(config.num_layers)]
    rows += [("linear", config.vocab_size, "head.")]
    return [
        Layer(name, width, sum(count for weight, count in counts.items() if weight.startswith(first + prefix)))
        for name, width, prefix in rows
    ]


def summary(config: ModelConfig, batch_size: int, seq_len: int) -> str:
    """Layers, the shapes that they put out, and their parameters, a line each, and the total."""
    layers = layers_of(config)
    width = max(15, *(len(layer.name) + 2 for layer in layers))
    lines = [f"{'layer':<{width}}{'output shape':<20}{'parameters':>12}"]
    for layer in layers:
        shape = f"({batch_size}, {seq_len}, {layer.width})"
        lines.append(f"{layer.name:<{width}}{shape:<20}{layer.parameters:>12,}")
    if config.ensemble_size > 1:
        lines.append(f"{config.ensemble_size} of these, whose guesses are averaged")
    total = config.ensemble_size * sum(layer.parameters for layer in layers)
    lines.append(f"{'total':<{width + 20}}{total:>12,}")
    return "\n".join(lines)
