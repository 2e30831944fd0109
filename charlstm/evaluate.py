"""`python -m charlstm.evaluate`: how well a model predicts a text."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.config import TextConfig, TrainConfig, flag_of
from charlstm.errors import InputError
from charlstm.terminal import progress, say, write

if TYPE_CHECKING:
    import torch

    from charlstm.model.charlstm import CharLSTM
    from charlstm.saved.checkpoint import Checkpoint
    from charlstm.text.ids import Ids
    from charlstm.text.vocab import Vocab
    from charlstm.training.evaluation import Score
    from charlstm.training.processes import Processes

EXAMPLES = """\
examples:
  python -m charlstm.evaluate checkpoints/novel                  the validation part of its own text
  python -m charlstm.evaluate checkpoints/novel other.txt --json
  python -m charlstm.evaluate checkpoints/novel moved/novel.txt --split test
  python -m charlstm.evaluate checkpoints/novel other.txt --per-line | sort -rn | head
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    about = "How well a model predicts a text: bits and nats per character."
    parser = cli.Parser("charlstm-evaluate", about, EXAMPLES)
    checkpoint = "a checkpoint or a run (default: the newest)"
    parser.add_argument("checkpoint", nargs="?", type=cli.path, metavar="CHECKPOINT", help=checkpoint)
    texts = "files, folders, patterns, .gz or - (default: the run's own text)"
    parser.add_argument("texts", nargs="*", metavar="TEXT", help=texts)
    split = "the part of the run's own text (default: val); with TEXT: at its new place"
    parser.add_argument("--split", choices=("val", "test"), help=split)
    parser.add_argument("--context", type=int, metavar="N", help="forget the text every N characters (default: never)")
    parser.add_argument("--dynamic", action="store_true", help="also score a model that adapts to the text it reads")
    parser.add_argument("--per-line", action="store_true", help="score each line: find the odd one in a file")
    parser.add_argument("--json", action="store_true", help="print the figures, and the text of a line, as JSON")
    parser.add_argument("--cache", type=cli.path, metavar="DIR", help="where encoded texts are kept")
    cli.add_settings(parser, TextConfig, "text", only=("encoding",))
    cli.add_settings(parser, TrainConfig, "machine", only=("device",))
    return cli.run(parser, evaluate, arguments)


def evaluate(flags: argparse.Namespace) -> int:
    """Score the text that the flags name. Several processes do it together, and the first one tells the score."""
    _refuse_contradictions(flags)

    from charlstm.device import choose_device
    from charlstm.training.processes import joined

    device = choose_device(getattr(flags, "device", "auto"))
    with joined(device) as processes:
        return _evaluate(flags, device, processes)


def _evaluate(flags: argparse.Namespace, device: torch.device, processes: Processes) -> int:
    from charlstm.generator import Generator
    from charlstm.saved.checkpoint import load
    from charlstm.saved.folder import newest_run, resolve
    from charlstm.text.opening import open_text
    from charlstm.training.evaluation import score

    processes.refuse_stdin(flags.texts)
    path = file = None
    if processes.is_first:
        path = flags.checkpoint or newest_run(Path("checkpoints"))
        file = resolve(path, prefer="best.pt")
    with processes.file_of_first(file) as readable:
        saved = load(readable)
    model = Generator.from_checkpoint(saved, device).model
    processes.use_threads(None)
    if flags.checkpoint is None and processes.is_first:
        say(f"evaluating {path}")
    own_texts = flags.texts if flags.split else []
    if flags.texts and not flags.split:
        config = TextConfig(**cli.settings_in(vars(flags), TextConfig), documents=saved.documents)
        ids = open_text(flags.texts, config, flags.cache, saved.vocab)[0].ids
    else:
        ids = saved.trained()[0].part(flags.split or "val", saved.vocab, flags.cache, own_texts)
    if len(ids) < 2:
        raise InputError("a text of at least two characters is needed: the first is context for the second")

    processes.meet()
    if flags.per_line:
        if processes.is_first:  # one text from its beginning to its end, line by line
            _write_lines(model, saved.vocab, ids, flags.json)
        return 0
    with progress("reading", len(ids) - 1) as bar:
        result = score(model, ids, flags.context, bar.update, processes)
    dynamic = _dynamic(model, saved, ids, flags.cache, own_texts, processes) if flags.dynamic else None
    if not processes.is_first:
        return 0
    if flags.json:
        write(_as_json(result, **({"dynamic": _figures(dynamic)} if dynamic else {})))
    else:
        write(f"{_in_words(result)}\n" + (f"{_in_words(dynamic)}, adapting to them, with n-grams\n" if dynamic else ""))
    return 0


def _refuse_contradictions(flags: argparse.Namespace) -> None:
    if flags.context is not None and flags.context < 1:
        raise InputError(f"context must be at least 1, not {flags.context}")
    if "encoding" in flags and (flags.split or not flags.texts):
        raise InputError(f"--encoding {flags.encoding} is only for another text, named without --split: leave it out")
    for one, other in (("per_line", "context"), ("dynamic", "per_line"), ("dynamic", "context")):
        if getattr(flags, one) and getattr(flags, other):
            raise InputError(f"{flag_of(one)} and {flag_of(other)} contradict each other: give one of them")


def _write_lines(model: CharLSTM, vocab: Vocab, ids: Ids, as_json: bool) -> None:
    """Write each line of a text with its score."""
    from charlstm.text.vocab import END
    from charlstm.training.evaluation import score_lines

    line_ends = {i for i in (vocab.id_of("\n"), vocab.end_id) if i is not None}
    with progress("reading", len(ids) - 1) as bar:
        for line in score_lines(model, ids, line_ends, bar.update):
            text = vocab.decode(ids[line.begin : line.end])
            if text == END:
                continue  # the end before the first document
            text = text.rstrip(f"\n{END}")
            bits = f"{line.score.bits_per_char:.3f}" if line.score.characters else "-"
            write(_as_json(line.score, text=text) if as_json else f"{bits:>7}  {text}\n")


def _dynamic(
    model: CharLSTM, saved: Checkpoint, ids: Ids, cache: Path | None, own_texts: list[str], processes: Processes
) -> Score:
    """The score of a model that adapts to the text while it reads it. Afterwards, the model is as before."""
    from charlstm.training.dynamic import STATISTICS, adapt, gradient_sizes, restoring

    learned = saved.trained()[0].part("train", saved.vocab, cache, own_texts)
    characters = (len(learned[: STATISTICS + 1]) + len(ids) - 2) * model.config.ensemble_size
    with progress("adapting", characters) as bar, restoring(model):
        sizes = gradient_sizes(model, learned, bar.update, processes)
        return adapt(model, ids, sizes, bar.update, before=learned, processes=processes)


def _in_words(result: Score) -> str:
    bits, nats = f"{result.bits_per_char:.4f} bits per character", f"{result.nats_per_char:.4f} nats"
    return f"{bits}, {nats}, over {result.characters:,} characters"


def _as_json(result: Score, **more: object) -> str:
    return json.dumps({**_figures(result), **more}, ensure_ascii=False) + "\n"


def _figures(result: Score) -> dict[str, float | None]:
    bits, nats = (result.bits_per_char, result.nats_per_char) if result.characters else (None, None)
    return {"bits_per_char": bits, "nats_per_char": nats, "characters": result.characters}


if __name__ == "__main__":
    sys.exit(main())
