"""Models of other programs, as checkpoints of charlstm."""
