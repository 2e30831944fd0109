#!/usr/bin/env python3
"""Bring a model of Keras in: a chain of Embedding, LSTM, GRU or SimpleRNN, and Dense becomes a checkpoint."""

from __future__ import annotations

import sys

from charlstm import cli

EXAMPLES = """\
examples:
  python scripts/import_keras.py model.keras --vocab shakespeare.txt --out checkpoints/keras.pt
  python scripts/import_keras.py model.weights.h5 --vocab char2idx.json --out checkpoints/keras.pt
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    from importing import command, keras_models

    parser = command.parser(
        "import_keras",
        "Bring a model of Keras in. No TensorFlow is needed, and no code in the file is run.",
        "what Keras saved: .keras, .h5 or .weights.h5",
        EXAMPLES,
    )
    return cli.run(parser, lambda flags: command.run(flags, keras_models.read), arguments)


if __name__ == "__main__":
    sys.exit(main())
