"""`charlstm.fit`, compared with the command."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import pytest
import torch

import charlstm
from charlstm import cli, fitting, train
from charlstm.config import ModelConfig, TextConfig, TrainConfig
from charlstm.errors import InputError, RunError
from charlstm.generator import Generator
from charlstm.saved import checkpoint
from tests.conftest import VERSE

SMALL = {"hidden_size": 16, "embedding_dim": 8, "batch_size": 4, "seq_len": 16, "dtype": "float32"}
"""`TINY`, for Python."""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files: a run without a name leaves its own there when it fails."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def fitted(text: object = VERSE * 40, **settings: typing.Any) -> Generator:
    return charlstm.fit(text, **{"steps": 12, "quiet": True, **SMALL, **settings})


def weights_of(model: Generator) -> dict[str, torch.Tensor]:
    return model.model.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def stopping_at(step: int) -> Callable[[charlstm.Report], None]:
    """Interrupts the training at the first report from this step on, as a kernel is interrupted."""

    def interrupt(report: charlstm.Report) -> None:
        if report.step >= step:
            os.kill(os.getpid(), signal.SIGINT)

    return interrupt


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_it_learns_what_the_command_learns_bit_for_bit(cell: str, run: Callable[..., Path], text: Path) -> None:
    flags = ("--steps", "8", "--ensemble-size", "2", "--dropout", "0.2", "--cell", cell)
    of_command = checkpoint.load(run(*flags) / "best.pt").weights
    settings = {"steps": 8, "ensemble_size": 2, "dropout": 0.2, "cell": cell}
    assert equal(weights_of(fitted(text, **settings)), of_command)
    assert equal(weights_of(fitted(text.read_text("utf-8"), **settings)), of_command)
    fitted(text, name="again", **settings)
    for name in ("last.pt", "best.pt"):
        ours, theirs = (checkpoint.load(Path("checkpoints", run, name)) for run in ("again", "verse"))
        assert equal(ours.weights, theirs.weights)
        assert ours.learning
        assert theirs.learning
        assert equal(ours.learning.state._asdict(), theirs.learning.state._asdict())
        for weight, averages in theirs.learning.optimizer.items():
            assert equal(ours.learning.optimizer[weight], averages)


def test_without_a_name_nothing_stays_but_the_cache(tmp_path: Path, scratch: Path) -> None:
    fitted()
    assert list(Path().iterdir()) == list(scratch.iterdir()) == []
    assert any((tmp_path / "cache").rglob("text-*.txt"))
    fitted(cache=tmp_path / "elsewhere")
    assert any((tmp_path / "elsewhere").glob("text-*.txt"))


def test_with_a_name_there_is_a_run_that_the_commands_know(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = fitted(text, name="verse", checkpoints="kept", page=True)
    assert {"last.pt", "best.pt", "metrics.jsonl", "page.html"} <= set(os.listdir("kept/verse"))
    assert equal(weights_of(charlstm.load("kept/verse")), weights_of(model))
    record = checkpoint.load(Path("kept/verse/best.pt")).trained()[0]
    assert record.command.startswith("charlstm.fit(")
    assert "steps=12" in record.command
    with pytest.raises(InputError, match="go on with resume kept/verse, or give another name"):
        fitted(text, name="verse", checkpoints="kept")
    assert capsys.readouterr() == ("", "")


def test_several_files_are_one_text(text: Path, names: Path) -> None:
    vocab = fitted([text, str(names)]).vocab
    assert set(vocab.characters) == {*text.read_text("utf-8"), *names.read_text("utf-8")}


def test_documents_are_settings_like_others() -> None:
    model = fitted("Anna\nBo\n李白\n" * 40, documents="lines")
    assert model.vocab.end_id is not None
    assert "\n" not in model.vocab.characters


def test_what_is_interrupted_returns_the_model_as_it_is_and_goes_on_exactly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = fitted(steps=60)
    seen: list[int] = []
    part = charlstm.fit(VERSE * 40, **SMALL, steps=60, on_report=stopping_at(20))
    assert "go on with: model = charlstm.fit(resume=model)" in capsys.readouterr().err
    assert part.progress
    assert 20 <= part.progress.step < 60
    assert not part.model.training
    rest = charlstm.fit(resume=part, quiet=True, on_report=lambda report: seen.append(report.step))
    assert seen[0] > part.progress.step
    assert seen[-1] == 60
    assert equal(weights_of(rest), weights_of(whole))


def test_a_callback_can_stop_it_too() -> None:
    def stop(report: charlstm.Report) -> None:
        raise KeyboardInterrupt

    whole = fitted(steps=60)
    part = fitted(steps=60, on_report=stop)
    assert part.progress
    assert 0 < part.progress.step < 60
    assert equal(weights_of(charlstm.fit(resume=part, quiet=True)), weights_of(whole))


def test_an_interrupted_run_with_a_name_goes_on_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    whole = fitted(steps=60)
    charlstm.fit(VERSE * 40, **SMALL, steps=60, name="verse", on_report=stopping_at(20))
    assert 'go on with: charlstm.fit(resume="checkpoints/verse")' in capsys.readouterr().err
    assert equal(weights_of(charlstm.fit(resume="checkpoints/verse", quiet=True)), weights_of(whole))


def test_a_finished_run_becomes_longer_from_memory_and_from_a_file() -> None:
    model = fitted(val_fraction=0.0)  # of which the last is the best
    assert model.progress
    assert model.progress.step == 12
    model.save("model.pt")
    longer = charlstm.fit(resume=model, steps=20, quiet=True)
    assert longer.progress
    assert longer.progress.step == 20
    assert equal(weights_of(longer), weights_of(charlstm.fit(resume="model.pt", steps=20, quiet=True)))


RANDOM = "".join(random.Random(7).choices("abcdefgh \n", k=900))
"""A text that can only be learned by heart: validation is best early."""


def test_what_was_best_before_an_interruption_is_so_afterwards() -> None:
    settings = {"steps": 200, "dropout": 0.0, "learning_rate": 0.02, "hidden_size": 64}
    whole = fitted(RANDOM, **settings)
    assert whole.progress
    assert whole.progress.step < 100
    part = fitted(RANDOM, **settings, on_report=stopping_at(120))
    assert part.progress
    assert part.progress.step >= 120
    rest = charlstm.fit(resume=part, quiet=True)
    assert rest.progress
    assert (rest.progress.step, rest.progress.best) == (whole.progress.step, whole.progress.best)
    assert equal(weights_of(rest), weights_of(whole))
    again = charlstm.fit(resume=rest, quiet=True)  # is finished: the last step is what it goes on from
    assert equal(weights_of(again), weights_of(whole))
    named = charlstm.fit(resume=part, name="named", quiet=True)
    assert equal(weights_of(charlstm.load("checkpoints/named")), weights_of(named))
    assert equal(weights_of(named), weights_of(whole))


def test_a_file_of_a_model_goes_on_and_its_folder_stays_as_it_is() -> None:
    whole = fitted(steps=60)
    Path("models").mkdir()
    fitted(steps=60, on_report=stopping_at(20)).save("models/part.pt")
    assert equal(weights_of(charlstm.fit(resume="models/part.pt", quiet=True)), weights_of(whole))
    assert os.listdir("models") == ["part.pt"]
    assert equal(weights_of(charlstm.fit(resume="models/part.pt", name="rest", quiet=True)), weights_of(whole))
    assert {"last.pt", "best.pt"} <= set(os.listdir("checkpoints/rest"))


def test_an_error_in_a_listener_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(report: charlstm.Report) -> None:
        if report.step >= 20:
            raise ZeroDivisionError

    whole = fitted(steps=60)
    with pytest.raises(ZeroDivisionError):
        charlstm.fit(VERSE * 40, **SMALL, steps=60, on_report=fail)
    found = re.search(r'the run so far is kept: charlstm.fit\(resume="(.*)"\) goes on with it', capsys.readouterr().err)
    assert found
    assert equal(weights_of(charlstm.fit(resume=found[1], quiet=True)), weights_of(whole))
    shutil.rmtree(Path(found[1]).parent)


def test_dashes_that_the_model_wrote_stay_in_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    charlstm.fit("--steps he said --steps\n" * 90, **SMALL, steps=150, learning_rate=0.02)
    assert "--steps" in capsys.readouterr().err


def test_it_begins_with_the_weights_of_another_model(capsys: pytest.CaptureFixture[str]) -> None:
    model = fitted()
    model.save("model.pt")
    more = VERSE.replace("river", "Quay") * 40
    begun = charlstm.fit(more, init_from=model, steps=1, **SMALL)
    assert "a model in memory: 23 characters known" in capsys.readouterr().err
    assert equal(weights_of(begun), weights_of(fitted(more, init_from="model.pt", steps=1)))
    fewer = fitted(more, init_from=model, drop_unused=True, steps=1)
    assert set(fewer.vocab.characters) == set(more) < set(begun.vocab.characters)


def test_a_report_tells_how_it_goes() -> None:
    reports: list[charlstm.Report] = []
    model = fitted(on_report=reports.append, name="verse")
    assert [report.step for report in reports] == list(range(2, 13, 2))
    assert reports[-1].steps == 12
    assert model.progress
    best = [report for report in reports if report.is_best][-1]
    assert best.val_bits_per_char == model.progress.best == min(report.val_bits_per_char or 9 for report in reports)
    assert f"step {best.step}/12" in str(best)


def test_messages_and_mistakes_speak_of_arguments(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    charlstm.fit(text, minutes=0.001, **{name: SMALL[name] for name in ("hidden_size", "dtype")})
    told = capsys.readouterr()
    assert told.out == ""
    assert "batch_size" in told.err
    assert "--" not in told.err
    assert 'write with: "".join(model.generate())' in told.err


def test_notices_are_messages_like_others(capsys: pytest.CaptureFixture[str]) -> None:
    charlstm.fit("a few lines\n" * 30, steps=1, batch_size=64, seq_len=16)
    assert "note: the text has room for 20 lanes of 16 characters, not 64" in capsys.readouterr().err
    charlstm.fit("a few lines\n" * 30, steps=1, batch_size=64, seq_len=16, quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hidden_sise": 3}, "there is no setting hidden_sise: is it hidden_size?"),
        ({"lobster": 3}, r"there is no setting lobster: help\(charlstm.fit\) lists them all"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, not 0"),
        ({"vocab_size": 7}, "there is no setting vocab_size"),
        ({"steps": 1, "minutes": 1}, "steps and minutes contradict each other"),
        ({"text": "no line end"}, "'no line end': no such file; a text itself, and not its file's name, has line ends"),
        ({"text": Path("nowhere")}, "nowhere: no such file or folder"),
        ({"text": ""}, "'': no such file"),
        ({"text": []}, r"text must be a string, a path, or a list of paths, not \[\]"),
        ({"text": b"bytes\n"}, "text must be a string, a path, or a list of paths, not b'bytes"),
        ({"text": 7}, "text must be a string, a path, or a list of paths, not 7"),
        ({"text": ["one\n", "two\n"]}, "a list names files: make one text of several strings"),
        ({"text": "half \ud800\n" * 99}, "half a character: leave it out"),
        ({"encoding": "latin-1"}, "encoding is for files: a string has its characters already"),
        ({"encoding": "lobster"}, "encoding 'lobster' can't be read"),
        ({"text": "what? " * 100}, "no such file; a text itself"),
        ({"text": [3]}, "a list of texts must be of paths, and has 3"),
        ({"name": 3}, "name must be a string, not 3"),
        ({"checkpoints": 1}, "checkpoints must be a folder, not 1"),
        ({"cache": b"x"}, "cache must be a folder, not b'x'"),
        ({"on_report": 5}, "on_report must be a function, not 5"),
        ({"text": "a\0b\n" * 99}, "^the text: "),
        ({"resume": 3}, "resume must be a run's folder, a checkpoint's file or a model, not 3"),
        ({"init_from": b"x"}, "init_from must be a run's folder"),
        ({"page": True}, "page: it is kept in the folder of a run with a name"),
        ({"name": "a/b"}, "name 'a/b': a name is needed"),
        ({"checkpoints": "kept"}, "a run is kept there if it has a name: give name, too"),
        ({"resume": "nowhere"}, "nowhere: no such checkpoint or run's folder"),
        ({"init_from": "nowhere"}, "nowhere: no such checkpoint or run's folder"),
        ({"drop_unused": True}, "drop_unused is about the weights of init_from: give both, or neither"),
        ({"resume": "nowhere", "init_from": "nowhere"}, "resume and init_from contradict each other"),
    ],
)
def test_mistakes_are_told_in_a_line_and_leave_nothing(arguments: dict[str, typing.Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as told:
        fitted(arguments.pop("text", VERSE * 40), **arguments)
    assert "\n" not in str(told.value)
    assert list(Path().iterdir()) == []


def test_what_cannot_go_on_says_so() -> None:
    model = fitted(name="verse")
    loaded = charlstm.load("checkpoints/verse")
    with pytest.raises(InputError, match="the model: has the weights, and not what a training needs to go on exactly"):
        charlstm.fit(resume=loaded)
    with pytest.raises(InputError, match="hidden_size 17 contradicts the checkpoint's 16"):
        charlstm.fit(resume=model, hidden_size=17)
    with pytest.raises(InputError, match="a run is here already"):
        charlstm.fit(resume=model, name="verse", steps=20)
    with pytest.raises(InputError, match="name other contradicts the run's verse"):
        charlstm.fit(resume="checkpoints/verse", name="other")


@pytest.mark.usefixtures("scratch")
def test_a_training_that_goes_wrong_is_an_error() -> None:
    with pytest.raises(RunError, match="with a lower learning_rate than 1000"):
        fitted(steps=30, learning_rate=1000.0)


def test_every_setting_of_the_command_is_one_here_and_is_explained() -> None:
    names = [field for config in (TextConfig, ModelConfig, TrainConfig) for field in config.__dataclass_fields__]
    names.remove("vocab_size")
    hints = typing.get_type_hints(fitting.Settings)
    assert list(hints) == names
    for config in (TextConfig, ModelConfig, TrainConfig):
        own = typing.get_type_hints(config)
        assert [hints[name] for name in own if name in hints] == [own[name] | None for name in own if name in hints]
    assert {"fit", "load", "Report"} <= {*dir(charlstm)}
    parameters = inspect.signature(charlstm.fit).parameters
    assert parameters["hidden_size"].default == 512
    flags = cli.Parser("any", "thing")
    for config in (TextConfig, ModelConfig, TrainConfig):
        cli.add_settings(flags, config, "settings")
    for name in names:
        assert name in parameters
        assert f"        {name}: " in charlstm.fit.__doc__
    flags = {flag[2:].replace("-", "_") for flag in train_flags()}
    assert flags - {"help", "version", "no_tie_weights"} <= {*parameters}


def train_flags() -> list[str]:
    """Those that `charlstm.train --help` lists."""
    with pytest.raises(SystemExit), pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        said: list[str] = []
        patch.setattr(cli.Parser, "print_help", lambda parser: said.extend(parser._option_string_actions))
        train.main(["--help"])
    return [flag for flag in said if flag.startswith("--")]


def test_two_trainings_in_two_threads_do_not_disturb_each_other() -> None:
    alone = [fitted(seed=seed, ensemble_size=2, dropout=0.3) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        both = pool.map(lambda seed: fitted(seed=seed, ensemble_size=2, dropout=0.3), (1, 2))
    for one, other in zip(alone, both, strict=True):
        assert equal(weights_of(one), weights_of(other))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_may_learn_the_same_new_text() -> None:
    torch.set_num_threads(2)
    with get_context("fork").Pool(4) as pool:
        done = [pool.apply_async(bits_of, (VERSE * 2_000,)) for _ in range(4)]
        assert len({each.get(timeout=120) for each in done}) == 1


def bits_of(text: str) -> float:
    return fitted(text, steps=1).bits_per_char(VERSE)


def test_an_interruption_waits_until_an_import_is_over() -> None:
    program = f"""if True:
        import os, signal, threading
        import charlstm
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
        text = {VERSE!r} * 40
        try:
            print(charlstm.fit(text, steps=10**6, hidden_size=16, quiet=True).progress.step > 0)
        except KeyboardInterrupt:
            print(charlstm.fit(text, steps=2, hidden_size=16, quiet=True).progress.step == 2)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_thread_can_train_and_the_number_of_threads_is_as_before() -> None:
    before, models = torch.get_num_threads(), []
    thread = threading.Thread(target=lambda: models.append(fitted()))
    thread.start()
    thread.join()
    assert len(models) == 1
    fitted(threads=before + 1 if (os.cpu_count() or 1) > before else before)
    assert torch.get_num_threads() == before


def test_a_model_can_be_copied_and_pickled_and_goes_on_as_if_it_were_the_first() -> None:
    model = fitted()
    longer = weights_of(charlstm.fit(resume=model, steps=20, quiet=True))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert "".join(other.generate(seed=3)) == "".join(model.generate(seed=3))
        assert other.bits_per_char(VERSE) == model.bits_per_char(VERSE)
        assert equal(weights_of(charlstm.fit(resume=other, steps=20, quiet=True)), longer)
        with torch.no_grad():
            next(other.model.parameters()).zero_()
    assert equal(weights_of(charlstm.fit(resume=model, steps=20, quiet=True)), longer)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    "method",  # the others begin Python and PyTorch anew, which takes its time
    [each if each == "fork" else pytest.param(each, marks=pytest.mark.slow) for each in get_all_start_methods()],
)
def test_other_processes_use_a_model(method: str) -> None:
    model = fitted()
    torch.set_num_threads(2)  # the threads of a process are not there in one that is forked from it
    model.bits_per_char(VERSE * 20)
    texts = [VERSE, VERSE * 2, VERSE[::-1]]
    with get_context(method).Pool(2) as pool:
        found = pool.map_async(model.bits_per_char, texts).get(timeout=120)
    assert found == [model.bits_per_char(text) for text in texts]


CELL = """
import charlstm
model = charlstm.fit("The rain is on the river.\\n" * 200, steps=10**6, hidden_size=32, batch_size=4, seq_len=16)
print(model.progress.step, "steps in", model)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's client
def test_interrupting_a_kernel_returns_the_model() -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    try:
        client.execute(CELL)
        shown, interrupted = "", False
        while "steps in" not in shown:
            message = client.get_iopub_msg(timeout=60)
            assert message["msg_type"] != "error", message["content"]
            assert message["content"].get("name") != "stderr", message["content"]  # it would be red
            shown += message["content"].get("text", "")
            if "steps of 4 x 16" in shown and not interrupted:
                manager.interrupt_kernel()
                interrupted = True
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "go on with: model = charlstm.fit(resume=model)" in shown
    assert "steps in <charlstm.Generator: lstm, 1 x 32, 14 characters>" in shown
