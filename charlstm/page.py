"""`python -m charlstm.page`: a page in which a model writes, and shows what happens inside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from charlstm import cli
from charlstm.config import TextConfig
from charlstm.errors import InputError
from charlstm.terminal import progress, say

EXAMPLES = """\
examples:
  python -m charlstm.page                                     the newest run, in checkpoints/NAME/page.html
  python -m charlstm.page checkpoints/novel --text chapter.txt --out novel.html
  python -m charlstm.page checkpoints/a checkpoints/b         the model of a; how both learned
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser(
        "charlstm-page", "Make a page that holds a model: one HTML file, for a browser without a network.", EXAMPLES
    )
    where = "a run or a checkpoint; of further ones, how they learned (default: the newest run)"
    parser.add_argument("runs", nargs="*", type=cli.path, metavar="RUN", help=where)
    what = "a text to look at; can be given several times (default: one that the model writes)"
    parser.add_argument("--text", action="append", type=cli.path, default=[], metavar="FILE", help=what)
    parser.add_argument("--out", type=cli.path, metavar="FILE", help="(default: page.html in the run's folder)")
    parser.add_argument(
        "--precision", choices=("int8", "float16", "float32"), default="int8", help="of the weights (default: int8)"
    )
    parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of the texts (default: utf-8)")
    return cli.run(parser, make, arguments)


def make(flags: argparse.Namespace) -> int:
    """Write the page that the flags ask for."""
    from charlstm.generator import Generator
    from charlstm.saved.checkpoint import load
    from charlstm.saved.facts import facts_of
    from charlstm.saved.folder import newest_run, resolve
    from charlstm.web.contents import WRITTEN, make_page

    runs = flags.runs or [newest_run(Path("checkpoints"))]
    out = flags.out or (runs[0] / "page.html" if runs[0].is_dir() else runs[0].with_suffix(".html"))
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise InputError(f"{out}: a page is a file that ends in .html")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder: make it, or give another --out")
    model = Generator.from_checkpoint(load(resolve(runs[0], prefer="best.pt")))
    TextConfig(encoding=flags.encoding)  # which checks it
    texts = {name: beginning(file, flags.encoding) for name, file in named(flags.text).items()}
    checkpoints = [(run, load(resolve(run, prefer="last.pt"))) for run in runs]
    facts = [facts_of(run, saved) for run, saved in checkpoints if saved.run or len(runs) > 1]
    name = runs[0].resolve().name
    with progress("looking inside", None) as bar:
        page = make_page(
            model.model,
            model.vocab,
            name,
            texts or {"written by the model": model.preview(1, WRITTEN)},
            facts,
            precision=flags.precision,
            on_characters=bar.update,
        )
    page.save(out)
    say(f"{out}: {len(page.html) / 1e6:.1f} MB. Open it in a browser; it needs no network, and can be sent as it is.")
    return 0


def named(files: Sequence[Path]) -> dict[str, Path]:
    """Files by their names; of those with the same name, the later ones have a number."""
    found: dict[str, Path] = {}
    for file in files:
        number = sum(file.name == other.name for other in found.values()) + 1
        found[file.name if number == 1 else f"{file.name} ({number})"] = file
    return found


def beginning(file: Path, encoding: str) -> str:
    """As much of a text's beginning as a page shows.

    Raises:
        InputError: when it can't be read, or nothing is in it.
    """
    from charlstm.text.reading import pieces
    from charlstm.web.contents import LONGEST

    if not file.is_file():
        raise InputError(f"{file}: no such text file")
    text = ""
    for piece in pieces([file], encoding):
        text += piece
        if len(text) >= LONGEST:
            say(f"{file}: the page has its first {LONGEST:,} characters")
            return text[:LONGEST]
    if not text:
        raise InputError(f"{file}: there is nothing in it")
    return text


if __name__ == "__main__":
    sys.exit(main())
