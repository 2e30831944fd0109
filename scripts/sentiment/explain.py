"""Which characters moved an answer: how much each of them did, on a terminal and as a page."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from charlstm.terminal import harmless
from sentiment.judge import Judge
from sentiment.texts import LONGEST, blank


@dataclass(frozen=True)
class Explained:
    """A text, its answer, and how each character moved it.

    Attributes:
        label, probability: the answer.
        moved: for each character that was read, how much more probable it made the label: from -1 to 1.
    """

    text: str
    label: str
    probability: float
    moved: list[float]


def explain(judge: Judge, text: str, by: str, on_texts: Callable[[int], object] = lambda n: None) -> Explained:
    """How each character of a text moved the answer.

    Args:
        by: `omission`: a character moved it by what its absence would change. `prefix`: by how the answer after it
            differs from the answer before it.
    """
    text = text[:LONGEST]
    others = [text[:n] + text[n + 1 :] for n in range(len(text))]
    if by == "prefix":
        others = [text[:n] for n in range(len(text))]
    # Nothing can't be read. An unknown character says as little as anything.
    whole, *each = judge.probabilities([text, *(other or blank(judge.vocab) for other in others)], on_texts)
    best = int(whole.argmax())
    found = [float(whole[best]), *(float(other[best]) for other in each)]
    probability, without = found[0], found[1:]
    after = [*without[1:], probability] if by == "prefix" else [probability] * len(text)
    moved = [now - before for now, before in zip(after, without, strict=True)]
    return Explained(text, judge.classes[best], probability, moved)


def strengths(moved: Sequence[float]) -> list[float]:
    """Between -1 and 1, the strongest character at an end."""
    greatest = max(map(abs, moved), default=0.0)
    return [each / greatest if greatest else 0.0 for each in moved]


def on_terminal(explained: Explained) -> str:
    """The text with blue behind what spoke for the answer and red behind what spoke against it.

    Where there are no colours, each line has a character and its number.
    """
    has_colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if not has_colours:
        pairs = zip(explained.text, explained.moved, strict=True)
        return "".join(f"{moved:+.4f}\t{character!r}\n" for character, moved in pairs)
    pieces = []
    for character, strength in zip(explained.text, strengths(explained.moved), strict=True):
        red, green, blue = _colour(strength)
        pieces.append(f"\033[38;2;0;0;0;48;2;{red};{green};{blue}m{harmless(character)}")
    return "".join(pieces) + "\033[0m\n"


def page(all_explained: Sequence[Explained]) -> str:
    """An HTML page of explained texts. It needs no network, and nothing in a text is markup."""
    paragraphs = []
    for explained in all_explained:
        spans = []
        for character, moved, strength in zip(explained.text, explained.moved, strengths(explained.moved), strict=True):
            colour = "#{:02x}{:02x}{:02x}".format(*_colour(strength))
            spans.append(f'<span style="background:{colour}" title="{moved:+.4f}">{html.escape(character)}</span>')
        answer = html.escape(f"{explained.label} {explained.probability:.3f}")
        paragraphs.append(f"<h2>{answer}</h2>\n<p>{''.join(spans)}</p>\n")
    return PAGE.format(body="".join(paragraphs))


PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What moved the answer</title>
<style>
body {{ max-width: 45em; margin: 2em auto; padding: 0 1em; font: 1.1em/1.6 sans-serif; color: #000; background: #fff }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere }}
h2 {{ font-size: 1em; margin-bottom: 0 }}
</style>
<h1>What moved the answer</h1>
<p>Blue spoke for the answer, red against it; point at a character to see by how much. The strongest character of a
text has the strongest colour.</p>
{body}</html>
"""


def _colour(strength: float) -> tuple[int, int, int]:
    """White at 0, blue at 1, red at -1; black stays readable on all of them."""
    faded = round(255 - 135 * abs(strength))
    return (faded, faded, 255) if strength >= 0 else (255, faded, faded)
