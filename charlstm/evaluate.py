"""`python -m charlstm.evaluate`: how well a model predicts a text."""

from __future__ import annotations

import argparse
import json
import math
import sys

from charlstm import cli
from charlstm.config import TextConfig, TrainConfig
from charlstm.errors import InputError, RunError

EXAMPLES = """\
examples:
  python -m charlstm.evaluate checkpoints/novel                  the validation part of its own text
  python -m charlstm.evaluate checkpoints/novel other.txt --json
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    about = "How well a model predicts a text: bits and nats per character."
    parser = cli.Parser("charlstm-evaluate", about, EXAMPLES)
    parser.add_argument("checkpoint", type=cli.path, metavar="CHECKPOINT", help="a checkpoint or a run's folder")
    parser.add_argument(
        "texts", nargs="*", metavar="TEXT", help="files, folders, patterns, .gz or - (default: the run's own text)"
    )
    parser.add_argument("--split", choices=("val", "test"), help="which part of the run's own text (default: val)")
    parser.add_argument(
        "--context", type=int, metavar="N", help="forget what was read every N characters (default: never)"
    )
    parser.add_argument("--json", action="store_true", help="print bits_per_char, nats_per_char, characters as JSON")
    parser.add_argument("--cache", type=cli.path, metavar="DIR", help="where encoded texts are kept")
    cli.add_settings(parser, TextConfig, "text", only=("encoding",))
    cli.add_settings(parser, TrainConfig, "machine", only=("device",))
    return cli.run(parser, evaluate, arguments)


def evaluate(flags: argparse.Namespace) -> int:
    """Score the text that the flags name."""
    if flags.context is not None and flags.context < 1:
        raise InputError(f"context must be at least 1, not {flags.context}")
    if not flags.texts and "encoding" in flags:
        raise InputError(f"--encoding {flags.encoding} is of a text that you name: leave it out, or name one")
    if flags.texts and flags.split:
        raise InputError(f"--split {flags.split} is of the run's own text: leave it out, or leave out {flags.texts[0]}")

    from tqdm import tqdm

    from charlstm import checkpoint
    from charlstm.device import choose_device
    from charlstm.generator import Generator
    from charlstm.runs import part_of_run
    from charlstm.text.record import open_text
    from charlstm.training.evaluation import score

    saved = checkpoint.load(checkpoint.resolve(flags.checkpoint, prefer="best.pt"))
    model = Generator.from_checkpoint(saved, choose_device(getattr(flags, "device", "auto"))).model
    if flags.texts:
        config = TextConfig(**cli.settings_in(vars(flags), TextConfig))
        ids = open_text(flags.texts, config, flags.cache, saved.vocab)[0].ids
    else:
        ids = part_of_run(saved, flags.split or "val", flags.cache)
    if len(ids) < 2:
        raise InputError("a text of at least two characters is needed: the first is context for the second")

    with tqdm(total=len(ids) - 1, desc="reading", unit="char", unit_scale=True, delay=1, disable=None) as bar:
        result = score(model, ids, flags.context, bar.update)
    if not math.isfinite(result.nats):
        raise RunError("the model's scores are not finite numbers: its training went wrong; use an earlier checkpoint")
    if flags.json:
        figures = {
            "bits_per_char": result.bits_per_char,
            "nats_per_char": result.nats_per_char,
            "characters": result.characters,
        }
        cli.write(json.dumps(figures) + "\n")
    else:
        bits, nats = f"{result.bits_per_char:.4f} bits per character", f"{result.nats_per_char:.4f} nats"
        cli.write(f"{bits}, {nats}, over {result.characters:,} characters\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
