"""`python -m charlstm.evaluate`: how well a model predicts a text."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.config import TextConfig, TrainConfig, flag_of
from charlstm.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from charlstm.model.charlstm import CharLSTM
    from charlstm.saved.checkpoint import Checkpoint
    from charlstm.text.ids import Ids
    from charlstm.text.vocab import Vocab
    from charlstm.training.evaluation import Score

EXAMPLES = """\
examples:
  python -m charlstm.evaluate checkpoints/novel                  the validation part of its own text
  python -m charlstm.evaluate checkpoints/novel other.txt --json
  python -m charlstm.evaluate checkpoints/novel other.txt --per-line | sort -rn | head
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
    parser.add_argument(
        "--dynamic", action="store_true", help="also let the model adapt to the text as it reads it, and score that"
    )
    parser.add_argument("--per-line", action="store_true", help="score each line: find the odd one in a file")
    parser.add_argument("--json", action="store_true", help="print the figures, and a line's text, as JSON")
    parser.add_argument("--cache", type=cli.path, metavar="DIR", help="where encoded texts are kept")
    cli.add_settings(parser, TextConfig, "text", only=("encoding",))
    cli.add_settings(parser, TrainConfig, "machine", only=("device",))
    return cli.run(parser, evaluate, arguments)


def evaluate(flags: argparse.Namespace) -> int:
    """Score the text that the flags name."""
    _refuse_contradictions(flags)

    from charlstm.device import choose_device
    from charlstm.generator import Generator
    from charlstm.saved.checkpoint import load
    from charlstm.saved.folder import resolve
    from charlstm.text.opening import open_text
    from charlstm.training.evaluation import score

    saved = load(resolve(flags.checkpoint, prefer="best.pt"))
    model = Generator.from_checkpoint(saved, choose_device(getattr(flags, "device", "auto"))).model
    if flags.texts:
        config = TextConfig(**cli.settings_in(vars(flags), TextConfig), documents=saved.documents)
        ids = open_text(flags.texts, config, flags.cache, saved.vocab)[0].ids
    else:
        ids = saved.trained()[0].part(flags.split or "val", saved.vocab, flags.cache)
    if len(ids) < 2:
        raise InputError("a text of at least two characters is needed: the first is context for the second")

    if flags.per_line:
        _write_lines(model, saved.vocab, ids, flags.json)
        return 0
    with cli.progress("reading", len(ids) - 1) as bar:
        result = score(model, ids, flags.context, bar.update)
    dynamic = _dynamic(model, saved, ids, flags.cache) if flags.dynamic else None
    if flags.json:
        cli.write(_as_json(result, **({"dynamic": _figures(dynamic)} if dynamic else {})))
        return 0
    cli.write(_for_people(result))
    if dynamic:
        cli.write(f"{_for_people(dynamic).rstrip()}, adapting to them\n")
    return 0


def _refuse_contradictions(flags: argparse.Namespace) -> None:
    if flags.context is not None and flags.context < 1:
        raise InputError(f"context must be at least 1, not {flags.context}")
    if not flags.texts and "encoding" in flags:
        raise InputError(f"--encoding {flags.encoding} is of a text that you name: leave it out, or name one")
    if flags.per_line and flags.context is not None:
        raise InputError("--per-line and --context contradict each other: give one of them")
    for flag in ("per_line", "context"):
        if flags.dynamic and getattr(flags, flag):
            raise InputError(f"--dynamic and {flag_of(flag)} contradict each other: give one of them")
    if flags.texts and flags.split:
        raise InputError(f"--split {flags.split} is of the run's own text: leave it out, or leave out {flags.texts[0]}")


def _write_lines(model: CharLSTM, vocab: Vocab, ids: Ids, as_json: bool) -> None:
    """Each line of a text with its score."""
    from charlstm.text.vocab import END
    from charlstm.training.evaluation import score_lines

    line_ends = {i for i in (vocab.id_of("\n"), vocab.end_id) if i is not None}
    with cli.progress("reading", len(ids) - 1) as bar:
        for line in score_lines(model, ids, line_ends, bar.update):
            text = vocab.decode(ids[line.begin : line.end])
            if text == END:
                continue  # the end before the first document
            text = text.rstrip(f"\n{END}")
            cli.write(_as_json(line.score, text=text) if as_json else _line_for_people(line.score, text))


def _dynamic(model: CharLSTM, saved: Checkpoint, ids: Ids, cache: Path | None) -> Score:
    """The score of a model that adapts as it reads; it is left as it was."""
    from charlstm.training.dynamic import STATISTICS, adapt, gradient_sizes, restoring

    learned = saved.trained()[0].part("train", saved.vocab, cache)[: STATISTICS + 1]
    characters = (len(learned) + len(ids) - 2) * model.config.ensemble_size
    with cli.progress("adapting", characters) as bar, restoring(model):
        return adapt(model, ids, gradient_sizes(model, learned, bar.update), bar.update)


def _for_people(result: Score) -> str:
    bits, nats = f"{result.bits_per_char:.4f} bits per character", f"{result.nats_per_char:.4f} nats"
    return f"{bits}, {nats}, over {result.characters:,} characters\n"


def _as_json(result: Score, **more: object) -> str:
    return json.dumps({**_figures(result), **more}, ensure_ascii=False) + "\n"


def _figures(result: Score) -> dict[str, float | None]:
    return {
        "bits_per_char": result.bits_per_char if result.characters else None,
        "nats_per_char": result.nats_per_char if result.characters else None,
        "characters": result.characters,
    }


def _line_for_people(result: Score, text: str) -> str:
    return f"{result.bits_per_char:7.3f}  {text}\n" if result.characters else f"{'-':>7}  {text}\n"


if __name__ == "__main__":
    sys.exit(main())
