"""`python -m charlstm.sample`: write new text with a trained model."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.config import SampleConfig, TextConfig, flag_of
from charlstm.errors import InputError
from charlstm.terminal import progress, say, write

if TYPE_CHECKING:
    from charlstm.generator import Generator
    from charlstm.saved.checkpoint import Checkpoint
    from charlstm.writer import Drawn

AT_ONCE = 64
"""Samples in a batch. The first of them appears while it is written."""

MOST_HELD = 1 << 22
"""The most characters of a batch: those of later samples are held until it is their turn."""

EXAMPLES = """\
examples:
  python -m charlstm.sample --prime "ROMEO:" --length 300
  python -m charlstm.sample checkpoints/tang-poems --prime 明月 --temperature 0.7 --num-samples 3
  python -m charlstm.sample --interactive
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser(
        "charlstm-sample", "Write new text with a trained model: text to stdout, all else to stderr.", EXAMPLES
    )
    parser.add_argument("checkpoint", nargs="?", type=cli.path, help="a checkpoint or a run (default: the newest)")
    parser.add_argument("--prime", default="", metavar="TEXT", help="what the text begins with; - reads stdin")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="cpu", help="where to compute (default: cpu)"
    )
    parser.add_argument("--no-echo", action="store_true", help="leave the prime out")
    adapt = "read a text first, and write more like it (the checkpoint stays as it is)"
    parser.add_argument("--adapt", type=cli.path, metavar="FILE", help=adapt)
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of that text (default: utf-8)")
    parser.add_argument(
        "--interactive", action="store_true", help="write in turns with the model, or choose its characters"
    )
    parser.add_argument(
        "--json", action="store_true", help="a line of JSON for each sample, with each character's probability"
    )
    cli.add_settings(parser, SampleConfig, "settings")
    return cli.run(parser, sample, arguments)


def sample(flags: argparse.Namespace) -> int:
    """Write the samples that the flags ask for."""
    config = SampleConfig(**cli.settings_in(vars(flags), SampleConfig))
    _refuse_contradictions(flags, config)
    prime = _stdin() if flags.prime == "-" else flags.prime

    import secrets

    from charlstm.device import choose_device
    from charlstm.generator import Generator
    from charlstm.saved.checkpoint import load
    from charlstm.saved.folder import newest_run, resolve

    path = flags.checkpoint or newest_run(Path("checkpoints"))
    saved = load(resolve(path, prefer="best.pt"))
    model = Generator.from_checkpoint(saved, choose_device(flags.device))
    if flags.checkpoint is None:
        say(f"sampling from {path}")
    model.check(config)
    model.warn_of_stops(config)
    if flags.prime == "-" and "\n" not in model.vocab:
        prime = prime.rstrip("\r\n")  # what `echo` adds can't be meant
    prime = model.readable(prime, config.unknown)
    if flags.adapt:
        model = _adapted(model, saved, flags.adapt, TextConfig(encoding=flags.encoding).encoding, config.unknown)
    seed = config.seed
    if seed is None:
        seed = secrets.randbits(32)
        say(f"--seed {seed}")
    if flags.interactive:
        from charlstm.files import home_cache
        from charlstm.play import play

        play(model, config, seed, prime, history=(cache := home_cache()) and cache / "history")
    else:
        _write_samples(model, config, seed, prime, as_json=flags.json, echo=not flags.no_echo)
    return 0


def _refuse_contradictions(flags: argparse.Namespace, config: SampleConfig) -> None:
    if config.until_document_end and "length" in flags:
        raise InputError("--length and --until-document-end contradict each other: give one of them")
    for flag in ("json", "no_echo", "num_samples"):
        if flags.interactive and getattr(flags, flag, False):
            raise InputError(f"--interactive and {flag_of(flag)} contradict each other: give one of them")
    if flags.interactive and flags.prime == "-":
        raise InputError("--prime - reads all of standard input, and --interactive needs it: give the prime itself")


def _write_samples(model: Generator, config: SampleConfig, seed: int, prime: str, *, as_json: bool, echo: bool) -> None:
    """Write `config.num_samples` samples, in batches."""
    from charlstm.sampling.sampler import random_of

    at_once = max(1, min(AT_ONCE, MOST_HELD // max(1, config.length)))
    for first in range(0, config.num_samples, at_once):
        randoms = [random_of(seed, number) for number in range(first, min(first + at_once, config.num_samples))]
        for number, drawn in enumerate(model.draw(prime, config, randoms, scored=as_json), first):
            if as_json:
                write(_as_json(prime, drawn))
                continue
            if number and "\n" in model.vocab:  # else each is a line, and no empty one is needed between them
                write("\n")
            if echo:
                write(prime)
            for piece, _ in drawn:
                write(piece)
            write("\n")


def _adapted(model: Generator, saved: Checkpoint, file: Path, encoding: str, unknown: str) -> Generator:
    """The model after it has read a file; `unknown` says what becomes of characters that it doesn't know."""
    from charlstm.text.reading import pieces
    from charlstm.text.sources import find
    from charlstm.text.vocab import END
    from charlstm.training.dynamic import STATISTICS

    read = "".join(pieces(find([str(file)], encoding), encoding, saved.documents)).removeprefix(END)
    text = END.join(model.readable(document, unknown) for document in read.split(END))
    characters = (len(text) + min(len(text), STATISTICS)) * model.model.config.ensemble_size
    with progress("adapting", characters) as bar:
        return model.adapted(text, bar.update)


def _as_json(prime: str, drawn: Drawn) -> str:
    """A sample as a line of JSON: each character with its probability, and what ended the text."""
    from charlstm.text.vocab import END

    characters = []
    try:
        while True:
            character, draw = next(drawn)
            characters.append((character, draw.probability))
    except StopIteration as over:
        ended = "document" if over.value == END else "stop" if over.value else "length"
    text = "".join(character for character, _ in characters)
    facts = {"prime": prime, "text": text, "ended": ended, "characters": characters}
    return json.dumps(facts, ensure_ascii=False) + "\n"


def _stdin() -> str:
    if sys.stdin is None:
        raise InputError("--prime -: there is no standard input: give the prime itself")
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    sys.exit(main())
