#!/usr/bin/env python3
"""Bring a plain PyTorch model in: a state dict of nn.Embedding, nn.LSTM, nn.GRU or nn.RNN, and nn.Linear."""

from __future__ import annotations

import sys

from charlstm import cli

EXAMPLES = """\
examples:
  python scripts/import_torch.py model.pt --vocab shakespeare.txt --out checkpoints/plain.pt

  torch.save(model.state_dict(), "model.pt")                    in the program that trained it
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    from importing import command, torch_states

    parser = command.parser(
        "import_torch",
        "Bring a plain PyTorch model in. No code in the file is run.",
        "a state dict, as torch.save(model.state_dict(), FILE) writes it",
        EXAMPLES,
    )
    return cli.run(parser, lambda flags: command.run(flags, torch_states.read), arguments)


if __name__ == "__main__":
    sys.exit(main())
