from __future__ import annotations

import bz2
import io
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from charlstm.config import TextConfig
from charlstm.errors import InputError, Notice
from charlstm.text.cache import Cache
from charlstm.text.sources import find, keep_stream, name_of, place, standard_library


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def found(*arguments: str) -> list[str]:
    return [path.relative_to(Path.cwd()).as_posix() for path in find(list(arguments), "utf-8")]


def test_files_stay_in_the_order_given() -> None:
    make("b.txt", "a.txt")
    assert found("b.txt", "a.txt") == ["b.txt", "a.txt"]


def test_a_folder_is_read_sorted_and_without_hidden_files() -> None:
    make("f/b.txt", "f/sub/c.txt", "f/a.txt", "f/.hidden", "f/.git/x")
    assert found("f") == ["f/a.txt", "f/b.txt", "f/sub/c.txt"]


def test_binary_files_in_a_folder_are_passed_over_with_a_warning() -> None:
    make("f/a.txt")
    Path("f/b.png").write_bytes(b"\x89PNG\0\0")
    with pytest.warns(Notice, match="skipped 1 file that is not text, such as .*b.png"):
        assert found("f") == ["f/a.txt"]


def test_trained_models_in_a_folder_are_no_text() -> None:
    make("f/a.txt", "f/checkpoints/a/metrics.jsonl", "f/checkpoints/a/last.pt")
    assert found("f") == ["f/a.txt"]


def test_patterns_are_matched_and_sorted() -> None:
    make("x2.txt", "x1.txt", "y.txt")
    assert found("x*.txt") == ["x1.txt", "x2.txt"]


def test_patterns_reach_into_folders_but_not_hidden_ones() -> None:
    make("p/a.txt", "p/q/b.txt", "p/.git/c.txt", "p/.d.txt")
    assert found("p/**/*.txt") == found("p/**") == ["p/a.txt", "p/q/b.txt"]
    assert found("p/*.txt") == ["p/a.txt"]
    assert found("p/.git/*.txt") == ["p/.git/c.txt"]


def test_a_place_stays_the_same_in_a_folder_named_like_a_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("w[1]/a.txt")
    monkeypatch.chdir("w[1]")
    for argument in ("a.txt", "*.txt"):
        assert [file.name for file in find([place(argument, Cache(tmp_path))], "utf-8")] == ["a.txt"]


def test_a_file_named_like_a_pattern_is_that_file() -> None:
    make("[1].txt", "1.txt")
    assert found("[1].txt") == ["[1].txt"]


@pytest.mark.parametrize("argument", ["missing.txt", "no*.txt", "a**b"])
def test_what_is_not_there_is_named(argument: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        find([argument], "utf-8")


def test_an_empty_folder_is_refused() -> None:
    Path("f").mkdir()
    with pytest.raises(InputError, match="without text files"):
        find(["f"], "utf-8")


def test_without_arguments_it_is_the_standard_library_in_a_fixed_order() -> None:
    files = standard_library()
    assert find([], "utf-8") == files == tuple(sorted(files, key=lambda f: f.as_posix()))
    names = {file.name for file in files}
    assert {"argparse.py", "zipfile.py"} & names
    assert not any("test" in file.parts or "encodings" in file.parts for file in files)
    assert sum(file.stat().st_size for file in files) > 5_000_000


def test_standard_input_is_kept_under_a_name_of_its_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Path | None] = []
    for content in (b"one", b"one", b"two"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        kept.append(keep_stream("-", Cache(tmp_path)))
    assert kept[0] == kept[1] != kept[2]
    assert kept[0]
    assert kept[0].read_bytes() == b"one"
    assert set(tmp_path.glob("stdin*")) == set(kept)
    assert keep_stream("a file", Cache(tmp_path)) is None


def test_a_missing_standard_input_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="no standard input"):
        keep_stream("-", Cache(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_read_once_and_kept(tmp_path: Path) -> None:
    os.mkfifo("pipe")
    with subprocess.Popen(["sh", "-c", "printf 'piped text' > pipe"]):
        kept = keep_stream("pipe", Cache(tmp_path))
    assert kept
    assert kept.read_bytes() == b"piped text"


def test_devices_are_no_texts() -> None:
    with pytest.raises(InputError, match="not a plain file"):
        find([os.devnull], "utf-8")


def test_links_that_lead_back_are_not_followed() -> None:
    make("g/x/a.txt")
    Path("g/x/loop").symlink_to("..")
    assert found("g/**/*.txt") == ["g/x/a.txt"]
    assert found("g") == ["g/x/a.txt"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "python-stdlib"),
        (["-"], "stdin"),
        (["a/红楼梦.txt", "b.txt"], "红楼梦"),
        (["x.txt.gz"], "x"),
        (["a/folder/"], "folder"),
        (["poems*.txt"], "poems-"),
    ],
)
def test_a_run_is_named_by_its_first_text(arguments: list[str], name: str) -> None:
    assert name_of(arguments) == name


def test_a_file_that_is_named_twice_is_read_once() -> None:
    """Else what the model is validated on stands in what it learned."""
    make("f/a.txt", "f/b.txt")
    Path("link.txt").symlink_to("f/a.txt")
    for arguments in (["f", "f/b.txt"], ["f/*.txt", "f/a.txt"], ["f/b.txt", "f/../f/b.txt"], ["f/a.txt", "link.txt"]):
        with pytest.warns(Notice, match="named more than once, and read once"):
            read = find(arguments, "utf-8")
        assert len({os.stat(file).st_ino for file in read}) == len(read)


def test_what_a_folder_leaves_out_is_told() -> None:
    make("elsewhere/far.txt", "f/a.txt")
    Path("f/to-folder").symlink_to("../elsewhere")
    with pytest.warns(Notice, match="skipped 1 file .*to-folder .a link to a folder: name that, too"):
        assert found("f") == ["f/a.txt"]
    Path("f/to-folder").unlink()
    Path("f/dead.txt").symlink_to("nothing")
    with pytest.warns(Notice, match="skipped 1 file .*dead.txt .a link to nothing"):
        assert found("f") == ["f/a.txt"]


@pytest.mark.parametrize("packed", [bz2.compress, lzma.compress, zlib.compress, os.urandom])
def test_one_packed_file_does_not_spoil_a_folder(packed: Callable[..., bytes]) -> None:
    make("f/a.txt")
    text = b"".join(b"line %d of a text, in many words\n" % n for n in range(3000))
    Path("f/b.dat").write_bytes(packed(3000) if packed is os.urandom else packed(text))
    with pytest.warns(Notice, match="skipped 1 file that is not text, such as .*b.dat"):
        assert found("f") == ["f/a.txt"]


def test_a_text_with_colours_of_a_terminal_is_a_text() -> None:
    make("f/a.txt")
    Path("f/log.txt").write_text("\x1b[1mbold\x1b[0m\f\n" * 50)
    assert found("f") == ["f/a.txt", "f/log.txt"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["dup/*.txt"], "dup"),
        (["NOVEL.TXT.GZ"], "NOVEL"),
        (["a\u3000b.txt"], "a-b"),
        (["\udcff\udcfe.txt"], "--"),
        (["nul.txt"], "_nul"),
        (["x/\u200f.txt"], "x"),
    ],
)
def test_a_name_that_is_made_up_is_one_that_could_be_typed(arguments: list[str], name: str) -> None:
    made = name_of(arguments)
    assert made == (name if name != "--" else Path.cwd().name)
    assert made.isprintable()


def test_a_folder_that_nobody_may_enter_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Path.exists` raises there, until Python 3.13."""
    make("f/a.txt", "f/private/b.txt")

    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", forbidden)
    assert found("f") == ["f/a.txt", "f/private/b.txt"]


def test_a_folder_that_cannot_be_read_is_left_out_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    make("f/a.txt", "f/private/b.txt")
    scan = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("private"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.warns(Notice, match="skipped 1 file .*private"):
        assert found("f") == ["f/a.txt"]


def test_a_loop_of_links_has_a_name() -> None:
    Path("loop").symlink_to("loop")
    assert name_of(["loop"]) == "loop"


@pytest.mark.parametrize("encoding", ["idna", "punycode"])
def test_what_encodes_names_encodes_no_files(encoding: str) -> None:
    with pytest.raises(InputError, match="can't be read: try utf-8"):
        TextConfig(encoding=encoding)
