#!/usr/bin/env python3
"""Run notebooks from start to end, and keep what they show."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from charlstm import cli
from charlstm.errors import InputError, RunError
from charlstm.files import replacing
from charlstm.terminal import one_line, say

if TYPE_CHECKING:
    from nbformat import NotebookNode

NEEDED = ("nbclient", "ipykernel", "ipywidgets", "matplotlib")
PATIENCE = 900
"""Seconds for a cell: one that trains for a minute takes longer on a busy machine."""

WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
EXAMPLES = """\
examples:
  python scripts/run_tour.py docs/tour.ipynb docs/tour.zh.ipynb           # does everything still run?
  python scripts/run_tour.py --save docs/tour.ipynb docs/tour.zh.ipynb    # keep the new outputs, after a change
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns its exit status."""
    parser = cli.Parser(
        "run_tour",
        "Run notebooks from start to end, with this Python. An error or a warning in a cell ends it.",
        EXAMPLES,
    )
    parser.add_argument("notebooks", nargs="+", type=cli.path, metavar="NOTEBOOK", help="files that end in .ipynb")
    parser.add_argument("--save", action="store_true", help="keep the outputs in the notebook")
    return cli.run(parser, run, arguments)


def run(flags: argparse.Namespace) -> int:
    """Run each notebook, and say how long it took."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"notebooks need {', '.join(missing)}: python -m pip install -e '.[notebook]'")
    import matplotlib.font_manager  # noqa: F401  # the first import on a machine lists all fonts, and says so in a cell

    notebooks = [(path, read(path)) for path in flags.notebooks]
    for path, notebook in notebooks:
        start = time.monotonic()
        execute(notebook, path)
        say(f"{one_line(str(path))}: {len(notebook.cells)} cells, {time.monotonic() - start:.0f} s")
        if flags.save:
            save(notebook, path)
    return 0


def read(path: Path) -> NotebookNode:
    """A notebook, checked."""
    import nbformat

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, TypeError, AttributeError, nbformat.ValidationError) as error:  # it reads before it checks
        raise InputError(f"{path}: no notebook: {error}") from None
    return notebook


def execute(notebook: NotebookNode, path: Path) -> None:
    """Run all cells in the notebook's folder. Their outputs are put into the notebook.

    Raises:
        RunError: names the cell that failed, or wrote to stderr, as warnings do.
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # Without folders to search, python3 is this Python, and not one that somebody installed under that name.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=PATIENCE,
        resources={"metadata": {"path": str(path.absolute().parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    # What the kernel itself says is of no use here: that its messages aren't encrypted, or how it was interrupted.
    # Unlike `client.execute`, this leaves the signals to us.
    with client.setup_kernel(cleanup_kc=True, stderr=subprocess.DEVNULL):
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                raise RunError(f"{where(cell, path, index)}: {error.ename}: {error.evalue}") from None
            except (CellTimeoutError, DeadKernelError) as error:
                raise RunError(f"{where(cell, path, index)}: {error}") from None
            for output in cell.get("outputs", []):
                if output.get("name") == "stderr":
                    raise RunError(f"{where(cell, path, index)}: it wrote to stderr: {output.text}")


def where(cell: NotebookNode, path: Path, index: int) -> str:
    """A cell, as people find it: its number among all cells, and how it begins."""
    first = cell.source.strip().partition("\n")[0]
    return f"{path}, cell {index + 1} ({first})"


def save(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook with what its cells show, without what only a running kernel can show."""
    import nbformat

    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    notebook.metadata = nbformat.from_dict(METADATA)
    with replacing(path) as file:
        file.write((nbformat.writes(notebook) + "\n").encode("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
