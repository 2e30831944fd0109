"""Embedding → recurrent layers, whose state is handed in and out → Linear."""
