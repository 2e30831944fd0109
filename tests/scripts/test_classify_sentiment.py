from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.scripts.conftest import SCRIPTS

WORDS = {
    "good": ["a fine film", "lovely, warm and fine", "so fine a story"],
    "bad": ["dull", "a dull, dull film", "it drags"],
}


def table(path: str, rows: list[tuple[str, str]], names: str = "label,text") -> Path:
    file = Path(path)
    file.write_text(names + "\n" + "".join(f'{label},"{text}"\n' for label, text in rows), "utf-8")
    return file


@pytest.fixture
def data() -> Path:
    texts = [(label, f"{text} {n}") for n in range(10) for label, each in WORDS.items() for text in each]
    return table("data.csv", texts)


@pytest.fixture
def command(script: Callable[[str], ModuleType]) -> ModuleType:
    script("commands")
    return script("classify_sentiment")


@pytest.fixture
def parts(command: ModuleType) -> ModuleType:
    """The modules of the classifier."""
    import sentiment.explain
    import sentiment.features
    import sentiment.judge
    import sentiment.learning
    import sentiment.model
    import sentiment.texts
    import sentiment.training

    return sentiment


TRAINED: dict[tuple[bytes, tuple[str, ...]], bytes] = {}
"""Files that were trained before, by their data and flags: the same flags give the same file."""


def trained(command: ModuleType, data: Path, *flags: str, out: str = "judge.pt", again: bool = False) -> Path:
    key = (data.read_bytes(), flags)
    if again or key not in TRAINED:
        assert command.main(["train", str(data), "--out", out, *flags]) == 0
        TRAINED[key] = Path(out).read_bytes()
    Path(out).write_bytes(TRAINED[key])
    return Path(out)


SMALL = ["--hidden-size", "8", "--epochs", "4", "--batch-size", "8", "--learning-rate", "0.03"]


@pytest.mark.parametrize("model", ["lstm", "bilstm", "stacked-bilstm"])
def test_a_table_becomes_a_classifier_that_tells_what_texts_feel(
    command: ModuleType, data: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = trained(command, data, "--model", model, *SMALL, again=True)
    told = capsys.readouterr().err
    assert "learning from 54 texts, choosing by 6 others" in told
    assert "epoch 4 of 4: " in told
    assert command.main(["evaluate", str(judge), str(data)]) == 0
    out = capsys.readouterr().out
    assert float(out.split()[1].rstrip("%")) > 90
    assert "label \\ answer" in out
    assert command.main(["predict", str(judge), "so fine and warm", "dull, it drags"]) == 0
    answers = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [label for label, _ in answers] == ["good", "bad"]
    assert all(0.5 <= float(probability) <= 1 for _, probability in answers)


def test_a_language_model_is_read_and_stays_as_it_is(
    command: ModuleType, data: Path, run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("--steps", "20")
    judge = trained(command, data, "--model", "features", "--language-model", str(folder))
    capsys.readouterr()
    assert command.main(["evaluate", str(judge), str(data)]) == 0
    assert float(capsys.readouterr().out.split()[1].rstrip("%")) > 80
    saved = torch.load(folder / "best.pt", weights_only=True)["model"]
    weights = torch.load(judge, weights_only=True)["weights"]
    assert all(torch.equal(weights[f"language_model.{name}"], weight) for name, weight in saved.items())


@pytest.mark.slow
def test_a_saved_classifier_says_the_same_in_a_new_process(
    command: ModuleType, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = trained(command, data, *SMALL)
    capsys.readouterr()
    assert command.main(["predict", str(judge), "a fine, dull film", "film"]) == 0
    words = [sys.executable, SCRIPTS / "classify_sentiment.py", "predict", judge, "-"]
    again = subprocess.run(
        words, input="a fine, dull film\n\nfilm\n", capture_output=True, encoding="utf-8", check=True
    )
    assert again.stdout == capsys.readouterr().out


TEXTS = ["fine", "a long, dull film that drags on and on", "雨 fine", "x", "lovely, warm"]


@pytest.fixture
def judges(command: ModuleType, data: Path, run: Callable[..., Path], parts: Any) -> list[Any]:
    """One of each kind of model."""
    folder = run("--steps", "2", "--num-layers", "2", "--ensemble-size", "2")
    files = [trained(command, data, "--model", m, *SMALL, out=m) for m in ("lstm", "bilstm", "stacked-bilstm")]
    files.append(trained(command, data, "--model", "features", "--language-model", str(folder), out="features"))
    return [parts.judge.Judge.load(file) for file in files]


def test_padding_batch_size_and_order_change_no_answer(
    judges: list[Any], parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for judge in judges:
        whole = judge.probabilities(TEXTS)
        torch.testing.assert_close(whole.sum(1), torch.ones(len(TEXTS)))
        torch.testing.assert_close(torch.cat([judge.probabilities([text]) for text in TEXTS]), whole)
        torch.testing.assert_close(judge.probabilities(TEXTS[::-1]).flip(0), whole)
        with monkeypatch.context() as patched:
            patched.setattr(parts.training, "AT_ONCE", 2)
            torch.testing.assert_close(judge.probabilities(TEXTS), whole)
        ids, lengths = torch.zeros(1, 9, dtype=torch.int64), torch.tensor([4])
        ids[:, 4:] = 3
        with torch.inference_mode():
            torch.testing.assert_close(judge.model(ids, lengths), judge.model(ids[:, :4], lengths))


def test_what_is_held_out_moves_nothing_that_is_fitted(
    parts: Any, run: Callable[..., Path], command: ModuleType
) -> None:
    import charlstm

    known = parts.texts.Labelled(["fine film", "dull film", "so fine", "so dull"] * 4, ["good", "bad"] * 8)
    one = parts.texts.Labelled(["fine"], ["good"])
    other = parts.texts.Labelled(["雨 dull dull dull dull"], ["bad"])
    found = []
    for held in (one, other):
        recipe = parts.training.Recipe(epochs=1, batch_size=4)
        judge, epoch = parts.learning.network(parts.model.Shape(hidden_size=8), recipe, known, held)
        assert epoch.number == 1
        assert judge.vocab.characters == "".join(sorted(set("fine film dull so\ufffd")))
        found.append(judge.model.state_dict())
    assert all(torch.equal(found[0][name], weight) for name, weight in found[1].items())

    folder, fitted = run("--steps", "2"), []
    for held in (one, other):
        judge, _ = parts.learning.on_language_model(charlstm.load(folder), known, held)
        fitted.append([judge.model.mean, judge.model.scale, judge.model.prototypes, judge.model.rarity])
    assert all(torch.equal(*pair) for pair in zip(*fitted, strict=True))


def test_a_text_is_a_bag_of_prototypes_of_its_states(
    parts: Any, run: Callable[..., Path], command: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import math

    import charlstm

    monkeypatch.setattr(parts.features, "STATES_EACH", 4)
    texts = ["fine film", "dull film", "so fine", "so dull", "dull, dull"]
    known = parts.texts.Labelled(texts, ["good", "bad", "good", "bad", "bad"])
    judge, _ = parts.learning.on_language_model(charlstm.load(run("--steps", "2")), known, known)
    model, encoded = judge.model, parts.texts.Encoded(texts, judge.vocab)
    assert len(model.prototypes) == 1 + len("".join(texts)) // 4

    found = []  # which prototypes each text has: each text read by itself, each character compared with each prototype
    for ids in encoded.ids:
        state = model.language_model.initial_state(1)
        prime = torch.cat([torch.tensor([model.opening]), ids])
        h, _ = model.language_model.each[0].stack(model.language_model.each[0].embedding(prime[None]), state)
        directions = (h[0, 1:] - model.mean) / model.scale
        directions /= directions.square().sum(1, keepdim=True).sqrt()
        found.append(torch.cdist(directions, model.prototypes).argmin(1).tolist())
    expected = torch.zeros(len(texts), len(model.prototypes))
    for row, prototypes in enumerate(found):
        for one in prototypes:
            rarity = 1 + math.log((1 + len(texts)) / (1 + sum(one in each for each in found)))
            expected[row, one] = (1 + math.log(prototypes.count(one))) * rarity
    expected /= expected.square().sum(1, keepdim=True).sqrt()
    batch = encoded.batch(range(len(texts)))
    torch.testing.assert_close(
        model(batch.ids, batch.lengths), expected @ model.head.weight.T + model.head.bias, rtol=1e-4, atol=1e-5
    )


def test_the_epoch_that_is_best_in_validation_is_kept(
    parts: Any, monkeypatch: pytest.MonkeyPatch, command: Any
) -> None:
    texts = parts.texts.Labelled(["fine film", "dull film"] * 4, ["good", "bad"] * 4)
    scores, weights = iter([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), []

    def answers(model: torch.nn.Module, held: object) -> torch.Tensor:
        weights.append({name: weight.clone() for name, weight in model.state_dict().items()})
        return torch.tensor([next(scores)])

    monkeypatch.setattr(parts.training, "probabilities", answers)
    held = parts.texts.Labelled(["bad"], ["bad"])
    judge, best = parts.learning.network(parts.model.Shape(hidden_size=4), parts.training.Recipe(epochs=3), texts, held)
    assert best.number == 2
    assert all(torch.equal(weights[1][name], weight) for name, weight in judge.model.state_dict().items())


def test_texts_of_a_batch_have_nearly_the_same_length_and_each_comes_once(parts: Any, command: Any) -> None:
    import numpy as np

    texts = ["a" * (1 + n * 7 % 40) for n in range(100)]
    encoded = parts.texts.Encoded(texts, parts.texts.known_characters(texts))
    batches = list(encoded.shuffled(4, np.random.default_rng(0)))
    assert sorted(row for batch in batches for row in batch.rows.tolist()) == list(range(100))
    padded = sum(batch.ids.numel() for batch in batches)
    assert padded < 1.1 * sum(map(len, texts))
    other = list(encoded.shuffled(4, np.random.default_rng(1)))
    assert [batch.rows.tolist() for batch in batches] != [batch.rows.tolist() for batch in other]


@pytest.mark.parametrize("by", ["omission", "prefix"])
def test_what_moved_the_answer(by: str, judges: list[Any], parts: Any) -> None:
    for judge in judges:
        found = parts.explain.explain(judge, "so fine", by)
        best = judge.classes.index(found.label)
        whole = judge.probabilities(["so fine"])[0, best].item()
        assert found.probability == pytest.approx(whole)
        assert len(found.moved) == 7
        if by == "omission":
            without = judge.probabilities(["s fine"])[0, best].item()
            assert found.moved[1] == pytest.approx(whole - without, abs=1e-6)
        else:
            before = judge.probabilities(["so fin"])[0, best].item()
            assert found.moved[6] == pytest.approx(whole - before, abs=1e-6)
        assert len(parts.explain.explain(judge, "x", by).moved) == 1


def test_an_explained_text_is_no_markup_and_no_order_to_a_terminal(
    parts: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = parts.explain.Explained("<script>&\x1b", "</h2>", 0.9, [0.1, -0.2, *[0.0] * 8])
    page = parts.explain.page([odd])
    assert "<script" not in page
    assert "</h2></h2>" not in page
    assert "&lt;" in page
    assert "default-src 'none'" in page
    assert parts.explain.on_terminal(odd).splitlines()[1] == "-0.2000\t's'"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = parts.explain.on_terminal(odd)
    assert "\\u001b" in shown
    assert "48;2;188;188;255m<" in shown
    assert "48;2;255;120;120ms" in shown


def test_predictions_are_explained_on_a_page(
    command: ModuleType, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = trained(command, data, *SMALL)
    flags = ["predict", str(judge), "fine", "--explain", "omission", "--html", "page.html"]
    assert command.main(flags) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len("fine")
    assert Path("page.html").read_text("utf-8").count("<span") == 4


def test_the_picture_of_an_evaluation(command: ModuleType, data: Path) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    judge = trained(command, data, *SMALL)
    assert command.main(["evaluate", str(judge), str(data), "--picture", "picture.png"]) == 0
    assert Path("picture.png").read_bytes().startswith(b"\x89PNG")


def test_the_texts_alone_are_those_that_train_learns_from(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(label, f"one\n{label} {n}") for n in range(4) for label in "ab"]
    table("two.csv", rows)
    assert command.main(["texts", "two.csv", "--validation", "two.csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [text.replace("\n", " ") for _, text in rows]
    assert command.main(["texts", "two.csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(rows) - 2  # one of each label validates


def test_f1_and_confusions() -> None:
    sys.path.insert(0, str(SCRIPTS))
    try:
        from sentiment.report import Report
    finally:
        sys.path.remove(str(SCRIPTS))
    targets, said = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 0])
    report = Report(["a", "b"], targets, torch.nn.functional.one_hot(said).float())
    assert report.confusion.tolist() == [[2, 1], [1, 1]]
    assert report.accuracy == pytest.approx(0.6)
    assert report.f1 == pytest.approx([4 / 6, 2 / 4])


FEATURES = ["--model", "features", "--language-model", "x", "--cell", "gru"]


@pytest.mark.parametrize(
    ("content", "flags", "told"),
    [
        (
            "label,text\na,x\nb,y\n",
            ["--label", "mood"],
            "no column has the name 'mood': give --label one of label, text",
        ),
        ("mood,text\na,x\nb,y\n", [], "no column has the usual name: give --label one of mood, text"),
        ("label,text\na,x\n,y\n", [], "line 3 has no label"),
        ("label,text\na,x\nb,\n", [], "line 3 has no text"),
        ("label,text\na,x\na,y\n", [], "all texts have the label 'a': there must be two or more"),
        ("label,text\na,x,z\n", [], "line 2 has 3 fields, and the first one 2"),
        ("label,text\n", [], "there are no texts in it"),
        ("", [], "an empty file"),
        ("label,text\na,x\nb,y\n", ["--label", "text", "--text", "text"], "can't be both"),
        ('label,text\na,"x\n', [], "is no line of a CSV file"),
        ("label,text\na,x\nb,y\n", ["--model", "features"], "needs --language-model RUN"),
        ("label,text\na,x\nb,y\n", ["--language-model", "x"], "--language-model is for --model features"),
        (
            "label,text\na,x\nb,y\n",
            ["--model", "features", "--language-model", "x", "--cell", "gru"],
            "--cell is not for --model features",
        ),
        ("label,text\na,x\nb,y\n", [], "no label has two texts"),
        ("label,text\na,x\na,z\nb,y\n", ["--out", "data.csv"], "data.csv: exists already, and is no such model"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_in_a_line(
    command: ModuleType, content: str, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data.csv").write_text(content, "utf-8")
    assert command.main(["train", "data.csv", "--out", "judge.pt", *flags]) == 2
    err = capsys.readouterr().err.splitlines()
    assert told in err[-1]
    assert not Path("judge.pt").exists()
    assert Path("data.csv").read_text("utf-8") == content


def test_other_mistakes_are_told_in_a_line(
    command: ModuleType, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = str(trained(command, data, *SMALL))
    strange = str(table("strange.csv", [("odd", "x")]))
    Path("latin.csv").write_bytes("label,text\na,é\n".encode("latin-1"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n\n")))
    for arguments, told in [
        (["predict", "missing.pt", "x"], "missing.pt: no such file"),
        (["predict", str(data), "x"], "not a checkpoint"),
        (["predict", judge, ""], "an empty text says nothing"),
        (["predict", judge, "-"], "standard input has no text in it"),
        (["predict", judge, "x", "--html", "page.html"], "give --explain"),
        (["predict", judge, "x", "--explain", "prefix", "--html", judge], "ends in .html"),
        (["evaluate", judge, str(data), "--picture", str(data)], "ends in .png"),
        (["train", str(data), "--out", "o", "--learning-rate", "1e300"], "at most 10"),
        (["train", str(data), "--out", "o", "--epochs", "1e3"], "must be a whole number"),
        (["evaluate", judge, strange], "the label 'odd' was not learned: the labels are bad, good"),
        (["evaluate", judge, "latin.csv"], "not UTF-8"),
        (["train", str(data), "--out", "o", "--hidden-size", "7"], "give an even number"),
        (["train", str(data), "--out", "o", "--seed", "-1"], "must be from 0"),
        (["train", str(data), "--out", "o", "--dropout", "1"], "must be from 0 to below 1"),
        (["train", ".", "--out", "o"], "can't be read"),
        (["evaluate", judge, str(data), "--picture", "."], "a folder"),
        (["train", str(data)], "--out"),
        ([], "COMMAND"),
        (["train", str(data), "--out", "o", "--validation", strange], "in the validation part alone"),
    ]:
        capsys.readouterr()
        assert command.main(arguments) == 2
        assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": ["a"]}, "it has no labels"),
        ({"vocab": "ba"}, "sorted by code point"),
        ({"shape": {"model": "bilstm", "hidden_size": 10**9}}, "its weights don't fit"),
        ({"shape": {"depth": 3}}, "depth"),
        ({"weights": {}}, "its weights don't fit"),
    ],
)
def test_a_file_that_makes_no_sense_is_told(
    command: ModuleType, data: Path, changes: dict[str, object], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = trained(command, data, *SMALL)
    torch.save({**torch.load(judge, weights_only=True), **changes}, judge)
    assert command.main(["predict", str(judge), "x"]) == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
