"""From ids and a model to checkpoints."""
