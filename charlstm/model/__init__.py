"""Embedding → stateful LSTM → Linear."""
