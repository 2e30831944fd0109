"""Well-known texts by name: where to download them, and how to clean them."""

from __future__ import annotations

import io
import json
import re
import urllib.parse
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from charlstm import cli


def gutenberg_text(content: bytes) -> bytes:
    """A book of Project Gutenberg without the legal head and tail, in UTF-8 with LF."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # the encoding of the oldest books
    text = text.replace("\r\n", "\n")
    head = re.search(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.{0,400}?\*\*\*[^\n]*\n", text, re.M | re.S)
    head = head or re.search(r"^\*END\*? ?THE SMALL PRINT!.*\n", text, re.M)
    begin = head.end() if head else 0
    tail = re.compile(r"^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT|End of (?:The |the )?Project Gutenberg)", re.M)
    end = tail.search(text, begin)
    if not head or not end:
        cli.say("the marks of Project Gutenberg are incomplete: check the beginning and the end of the text")
    return (text[begin : end.start() if end else None].strip("\n") + "\n").encode()


def poems_of_json(content: bytes) -> bytes:
    """JSON arrays of poems as text, with one couplet per line and an empty line between two poems."""
    decoder, text, poems = json.JSONDecoder(), content.decode("utf-8-sig").strip(), []
    while text:
        array, end = decoder.raw_decode(text)
        poems += ["\n".join(poem["paragraphs"]) for poem in array if poem["paragraphs"]]
        text = text[end:].lstrip()
    return ("\n\n".join(poems) + "\n").encode()


def unzipped(content: bytes) -> bytes:
    """The one file in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(archive.namelist()[0])


@dataclass(frozen=True)
class Source:
    """Where to download a text, and how to clean it.

    Attributes:
        megabytes: about how large the download is; 0 if not known.
        sha256: of the download; None if it is unknown or may change.
        clean: from the download to the text; None if they are the same.
        also: another name.
    """

    addresses: tuple[str, ...]
    title: str
    megabytes: float
    licence: str
    sha256: str | None = None
    clean: Callable[[bytes], bytes] | None = None
    also: str = ""


def gutenberg(number: int, title: str, megabytes: float, also: str = "") -> Source:
    """A book of Project Gutenberg."""
    address = f"https://www.gutenberg.org/cache/epub/{number}/pg{number}.txt"
    return Source((address,), title, megabytes, "public domain", clean=gutenberg_text, also=also)


_GITHUB = "https://raw.githubusercontent.com"
_TANG = f"{_GITHUB}/chinese-poetry/chinese-poetry/master/{urllib.parse.quote('全唐诗')}/poet.tang"

SOURCES = {
    "tinyshakespeare": Source(
        (f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
        "scenes by Shakespeare, the text of char-rnn",
        1.1,
        "public domain",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
    "shakespeare": gutenberg(100, "Shakespeare, all works", 5.6),
    "alice": gutenberg(11, "Lewis Carroll, Alice's Adventures in Wonderland", 0.2),
    "sherlock-holmes": gutenberg(1661, "Arthur Conan Doyle, The Adventures of Sherlock Holmes", 0.6),
    "pride-and-prejudice": gutenberg(1342, "Jane Austen, Pride and Prejudice", 0.8),
    "moby-dick": gutenberg(2701, "Herman Melville, Moby Dick", 1.3),
    "war-and-peace": gutenberg(2600, "Leo Tolstoy, War and Peace", 3.4),
    "hongloumeng": gutenberg(24264, "曹雪芹 红楼梦", 2.6, also="红楼梦"),
    "sanguo": gutenberg(23950, "罗贯中 三国演义", 1.8, also="三国演义"),
    "shuihu": gutenberg(23863, "施耐庵 水浒传", 2.6, also="水浒传"),
    "xiyouji": gutenberg(23962, "吴承恩 西游记", 2.2, also="西游记"),
    "tang-poems": Source(
        tuple(f"{_TANG}.{number}.json" for number in range(0, 58_000, 1000)),
        "全唐诗 the Tang poems; --documents paragraphs",
        22,
        "public domain, MIT",
        clean=poems_of_json,
        also="全唐诗",
    ),
    "names": Source(
        (f"{_GITHUB}/karpathy/makemore/master/names.txt",), "32,033 first names; --documents lines", 0.2, "MIT"
    ),
    "text8": Source(
        ("https://mattmahoney.net/dc/text8.zip",),
        "Wikipedia in 27 characters; a benchmark",
        31,
        "CC BY-SA",
        clean=unzipped,
    ),
    "enwik8": Source(
        ("https://mattmahoney.net/dc/enwik8.zip",), "Wikipedia's source; a benchmark", 36, "CC BY-SA", clean=unzipped
    ),
}


def table() -> str:
    """The well-known texts, two lines each."""
    lines = [f"{'name':<20}{'MB':>6}  {'licence':<20}{'text'}"]
    for name, source in SOURCES.items():
        lines.append(f"{name:<20}{source.megabytes:>6}  {source.licence:<20}{source.title}")
        lines.append(f"{'':<28}{source.addresses[0]}" + (" ..." if len(source.addresses) > 1 else ""))
    return "\n".join(lines) + "\n"
