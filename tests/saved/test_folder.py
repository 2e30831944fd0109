from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from charlstm.errors import InputError, Notice
from charlstm.saved.folder import RunFolder, newest_run, read_metrics, resolve


def test_a_second_training_is_kept_out_until_the_first_ends() -> None:
    with RunFolder(Path("runs/a")):
        with pytest.raises(InputError, match="another training is at work"), RunFolder(Path("runs/a")):
            pass
    with RunFolder(Path("runs/a")) as folder:
        folder.metrics.touch()
    assert Path("runs/a/metrics.jsonl").exists()


def test_a_run_that_came_to_nothing_leaves_no_folder() -> None:
    with RunFolder(Path("runs/a")):
        assert Path("runs/a").is_dir()
    assert not Path("runs/a").exists()


def test_the_lock_dies_with_its_process() -> None:
    code = """if True:
        from pathlib import Path
        from charlstm.saved.folder import RunFolder
        with RunFolder(Path("a")):
            print("locked", flush=True)
            input()
    """
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match="another training"), RunFolder(Path("a")):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with RunFolder(Path("a")):
        pass


def test_metrics_are_lines_of_json_and_a_run_that_went_back_writes_them_again() -> None:
    with RunFolder(Path("a")) as folder:
        assert not folder.is_taken
        for step in (10, 20, 30):
            folder.append_metrics({"step": step, "val_bits_per_char": None})
        assert folder.is_taken
        with folder.metrics.open("a") as file:
            file.write('{"step": 4')  # killed while writing
        folder.append_metrics({"step": 20, "val_bits_per_char": 2.5})
        kept = [json.loads(line) for line in folder.metrics.read_text().splitlines() if line.endswith("}")]
        assert [(report["step"], report["val_bits_per_char"]) for report in kept] == [(10, None), (20, 2.5)]


def test_a_folder_means_the_preferred_checkpoint_in_it() -> None:
    folder = Path("checkpoints/a")
    folder.mkdir(parents=True)
    with pytest.raises(InputError, match=r"without last.pt or best.pt"):
        resolve(folder, prefer="best.pt")
    (folder / "last.pt").touch()
    assert resolve(folder, prefer="best.pt") == folder / "last.pt"
    (folder / "best.pt").touch()
    assert resolve(folder, prefer="best.pt") == folder / "best.pt"
    assert resolve(folder, prefer="last.pt") == folder / "last.pt"
    assert resolve(folder / "last.pt", prefer="best.pt") == folder / "last.pt"
    with pytest.raises(InputError, match="no such checkpoint"):
        resolve(Path("nothing"), prefer="best.pt")


def test_the_newest_run_is_the_one_that_saved_last() -> None:
    with pytest.raises(InputError, match="no run here yet"):
        newest_run(Path("checkpoints"))
    for time, name in enumerate(["b", "c", "a"]):
        last = Path("checkpoints") / name / "last.pt"
        last.parent.mkdir(parents=True)
        last.touch()
        os.utime(last, (time, time))
    assert newest_run(Path("checkpoints")) == Path("checkpoints/a")


JUNK = [
    b"3",
    b"[]",
    b"null",
    b'{"a": 1}',
    b'{"step": null, "val_bits_per_char": 1}',
    b'{"step": 1}',
    b"\xff\xfe{",
    b'{"step": 1.5, "val_bits_per_char": 1}',
    b'{"step": 1, "val_bits_per_char": "low"}',
    b"[" * 100_000,
    b"",
    b'{"step": 1, "val_bits_per_char": NaN}',
    b'{"step": 1, "val_bits_per_char": 1e999}',
    b'{"step": tr',
    b'{"step": true, "val_bits_per_char": 1}',
    b'{"step": 1, "val_bits_per_char": 1' + b"0" * 400 + b"}",
]


@pytest.mark.parametrize("junk", JUNK)
def test_what_is_no_report_is_passed_over_and_kept(junk: bytes) -> None:
    """An editor, another program or a bad disk may have written it."""
    with RunFolder(Path("a")) as folder:
        folder.append_metrics({"step": 10, "val_bits_per_char": 3.0})
        before = folder.metrics.read_bytes() + junk + b"\n"
        folder.metrics.write_bytes(before)
        folder.append_metrics({"step": 20, "val_bits_per_char": 2.0})
        assert folder.metrics.read_bytes().startswith(before)
        assert [report["step"] for report in read_metrics(folder.metrics, 100)] == [10, 20]
        assert [report["step"] for report in read_metrics(folder.metrics, 10)] == [10]


def test_reports_that_cannot_be_kept_stop_nothing() -> None:
    with RunFolder(Path("a")) as folder:
        folder.metrics.mkdir()
        with pytest.warns(Notice, match="no report is kept"):
            folder.append_metrics({"step": 10, "val_bits_per_char": 3.0})
        assert read_metrics(folder.metrics, 10) == []


def test_drafts_of_killed_trainings_are_taken_away() -> None:
    Path("a").mkdir()
    drafts = (".last.pt.part", ".best.pt.part", ".metrics.jsonl.part", ".rehearsal.part", "..rehearsal.part.part")
    for name in (*drafts, ".notes.part", "last.pt"):
        Path("a", name).touch()
    with RunFolder(Path("a")):
        assert {path.name for path in Path("a").iterdir()} == {".notes.part", "last.pt", ".lock"}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")
@pytest.mark.parametrize("name", ["last.pt", "best.pt", "metrics.jsonl"])
def test_a_pipe_in_a_runs_folder_is_not_waited_for(name: str) -> None:
    Path("a").mkdir()
    os.mkfifo(Path("a", name))
    with pytest.raises(InputError, match=r"without last.pt or best.pt"):
        resolve(Path("a"), prefer="last.pt")
    assert read_metrics(Path("a/metrics.jsonl"), 10) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")
def test_a_lock_that_is_a_link_or_a_pipe_is_refused() -> None:
    """A stranger's folder could have a file made anywhere, or a training wait for ever."""
    Path("a").mkdir()
    Path("a/.lock").symlink_to("../planted")
    with pytest.raises(InputError, match="lock: can't be locked .*symbolic link.*: remove it"), RunFolder(Path("a")):
        pass
    assert not Path("planted").exists()
    Path("a/.lock").unlink()
    os.mkfifo("a/.lock")
    with pytest.raises(InputError, match="lock: can't be locked .*: remove it"), RunFolder(Path("a")):
        pass


def test_an_empty_file_of_reports_begins_with_the_first() -> None:
    with RunFolder(Path("a")) as folder:
        folder.metrics.touch()
        folder.append_metrics({"step": 1, "val_bits_per_char": None})
        assert folder.metrics.read_bytes() == b'{"step": 1, "val_bits_per_char": null}\n'
