from __future__ import annotations

import copy
import itertools
import math
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import charlstm
from charlstm.config import CELLS, ModelConfig
from charlstm.errors import InputError, RunError
from charlstm.generator import Generator
from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint
from charlstm.text.vocab import END, UnknownCharacters, Vocab


@pytest.fixture
def generator(model: CharLSTM, vocab: Vocab) -> Generator:
    return Generator(model, vocab)


def test_text_comes_in_pieces_and_a_seed_gives_it_again(generator: Generator) -> None:
    pieces = generator.generate("abc", length=20, seed=3)
    first = "".join(itertools.islice(pieces, 5))
    assert len(first) == 5
    text = first + "".join(pieces)
    assert len(text) == 20
    assert text == "".join(generator.generate("abc", length=20, seed=3))
    assert text != "".join(generator.generate("abc", length=20, seed=4))


def test_one_stop_string_or_several(generator: Generator) -> None:
    text = "".join(generator.generate("abc", length=40, seed=3))
    for stop in (text[5:7], ("zzz", text[5:7])):
        assert "".join(generator.generate("abc", length=40, seed=3, stop=stop)) == text.partition(text[5:7])[0]


def test_mistakes_are_told_at_once(generator: Generator) -> None:
    with pytest.raises(InputError, match="temperature"):
        generator.generate("abc", temperature=-1)
    with pytest.raises(UnknownCharacters, match="'X'"):
        generator.generate("abX")


def test_loading_draws_no_weights(run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run("--steps", "1")
    monkeypatch.setattr(torch.nn.init, "orthogonal_", lambda weight: 1 / 0)
    assert len("".join(charlstm.load(folder).generate(length=5))) == 5
    with pytest.raises(ZeroDivisionError):
        CharLSTM(ModelConfig(vocab_size=2))


def test_scoring_needs_two_characters(generator: Generator) -> None:
    assert generator.bits_per_char("ab") > 0
    with pytest.raises(InputError, match="two characters"):
        generator.bits_per_char("a")


def test_loading_what_was_trained(run: Callable[..., Path]) -> None:
    folder = run("--steps", "5")
    from_folder, from_file = charlstm.load(folder), charlstm.load(str(folder / "best.pt"))
    assert "".join(from_folder.generate(seed=1)) == "".join(from_file.generate(seed=1))
    assert not from_folder.model.training


@pytest.mark.parametrize("cell", CELLS)
def test_a_model_in_double_precision_writes_scores_and_adapts(cell: str, vocab: Vocab) -> None:
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=12, num_layers=2, ensemble_size=2, cell=cell))
    single, double = Generator(copy.deepcopy(model), vocab), Generator(model.double(), vocab)
    text = "abcde abc" * 3
    assert double.bits_per_char(text) == pytest.approx(single.bits_per_char(text), rel=1e-5)
    written = ["".join(each.generate("ab", length=20, temperature=0, precision="float32")) for each in (single, double)]
    assert written[0] == written[1]
    assert next(double.adapted(text).model.parameters()).dtype == torch.float64


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = charlstm.nonsense


def test_what_python_programs_give_is_taken(generator: Generator) -> None:
    plain = "".join(generator.generate("", length=30, seed=3, top_k=4, temperature=0.5, stop=("zz", "e")))
    numbers = {"length": np.int64(30), "seed": np.uint8(3), "top_k": torch.tensor(4), "temperature": np.float32(0.5)}
    assert "".join(generator.generate(None, **numbers, stop=["zz", "e"])) == plain
    with pytest.raises(InputError, match="stop must be of type tuple"):
        generator.generate(stop=[1, 2])


@pytest.mark.parametrize(("known", "other"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("unknown", ["error", "skip", "replace"])
def test_accents_of_a_prime_and_of_a_text_are_read_in_either_form(known: str, other: str, unknown: str) -> None:
    text = "café Zoë "
    vocab = Vocab("".join(sorted(set(unicodedata.normalize(known, text)))))
    torch.manual_seed(0)
    generator = Generator(CharLSTM(ModelConfig(vocab_size=len(vocab), hidden_size=6, embedding_dim=5)), vocab)
    ours, theirs = (unicodedata.normalize(form, text) for form in (known, other))
    assert generator.readable(theirs, unknown) == ours
    assert generator.bits_per_char(theirs) == generator.bits_per_char(ours)
    adapted = [generator.adapted(each * 9).model.state_dict()["members.0.head.bias"] for each in (ours, theirs)]
    assert torch.equal(*adapted)


def test_the_likeliest_next_characters_sum_to_one(generator: Generator) -> None:
    everything = generator.next("abc", 99)
    assert sorted(c for c, _ in everything) == sorted(generator.vocab.characters)
    assert sum(p for _, p in everything) == pytest.approx(1)
    assert [p for _, p in everything] == sorted((p for _, p in everything), reverse=True)
    assert generator.next("abc", 2) == everything[:2]
    assert generator.next() == generator.next("") == generator.next("\n")
    greedy = next(generator.generate("abc", temperature=0, precision="float32"))
    assert greedy == everything[0][0]
    with pytest.raises(UnknownCharacters, match="'X'"):
        generator.next("abX")
    for count in (0, -1, 2.5):
        with pytest.raises(InputError, match=f"count must be a whole number, at least 1, not {count}"):
            generator.next("abc", count)


def test_the_mean_of_all_surprises_is_the_bits_per_character(generator: Generator) -> None:
    text = "abc de\n" * 60  # longer than what is read in one call
    surprises = generator.surprise(text)
    assert "".join(c for c, _ in surprises) == text
    assert math.isnan(surprises[0][1])
    bits = [bits for _, bits in surprises[1:]]
    assert sum(bits) / len(bits) == pytest.approx(generator.bits_per_char(text), rel=1e-6)
    probability = dict(generator.next("abc de", 99))["\n"]
    assert bits[5] == pytest.approx(-math.log2(probability), rel=1e-4)
    with pytest.raises(InputError, match="two characters"):
        generator.surprise("a")


def test_in_a_model_of_documents_the_first_character_is_a_surprise_too(model: CharLSTM) -> None:
    generator = Generator(model, Vocab("\n abcd" + END))
    surprises = generator.surprise("abc")
    assert [c for c, _ in surprises] == ["a", "b", "c"]
    assert sum(bits for _, bits in surprises) / 3 == pytest.approx(generator.bits_per_char("abc"), rel=1e-6)
    assert surprises[0][1] == pytest.approx(-math.log2(dict(generator.next("", 99))["a"]), rel=1e-4)
    assert generator.trace("abc")["i"].shape == (3, 6)


def test_a_model_of_lines_reads_one_at_a_time(model: CharLSTM) -> None:
    generator = Generator(model, Vocab(" abcde" + END))
    for call in (generator.bits_per_char, generator.surprise, generator.trace, generator.adapted):
        with pytest.raises(InputError, match="give one line at a time"):
            call("ab\ncd")


def test_a_surprise_that_is_no_number_is_an_error(generator: Generator) -> None:
    torch.nn.init.constant_(generator.model.members[0].head.bias, torch.nan)
    for call in (generator.surprise, generator.next):
        with pytest.raises(RunError, match="not finite"):
            call("abc")


def test_a_trace_has_every_gate_of_a_layer_and_the_state(vocab: Vocab) -> None:
    torch.manual_seed(0)
    model = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, num_layers=2, embedding_dim=5, ensemble_size=2)).eval()
    generator = Generator(model, vocab)
    text = "abc de"
    _, state = model(torch.from_numpy(vocab.encode(text)).long()[None], model.initial_state(1))
    for member in range(2):
        for layer in range(2):
            found = generator.trace(text, layer=layer, member=member)
            assert {name: values.shape for name, values in found.items()} == dict.fromkeys("ifgohc", (6, 6))
            np.testing.assert_allclose(found["h"][-1], state.h[2 * member + layer, 0].detach(), atol=1e-6)
            np.testing.assert_allclose(found["c"][-1], state.c[2 * member + layer, 0].detach(), atol=1e-6)
            before = np.vstack([np.zeros(6), found["c"][:-1]])
            np.testing.assert_allclose(found["f"] * before + found["i"] * found["g"], found["c"], atol=1e-6)
    np.testing.assert_array_equal(generator.trace(text, layer=-1)["h"], generator.trace(text, layer=1)["h"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": ""}, "give one character at least"),
        ({"text": "aX"}, "'X'"),
        ({"text": "a", "layer": 2}, "layer 2: the model has 2, and the first one is 0"),
        ({"text": "a", "layer": -3}, "layer -3"),
        ({"text": "a", "member": 1}, "member 1: the model has 1"),
    ],
)
def test_what_cannot_be_traced_is_told(arguments: dict[str, Any], words: str, generator: Generator) -> None:
    with pytest.raises(InputError, match=words):
        generator.trace(**arguments)


def test_what_is_saved_is_loaded_again(generator: Generator, run: Callable[..., Path]) -> None:
    generator.save("model.pt")
    again = charlstm.load("model.pt")
    assert "".join(again.generate("abc", seed=1)) == "".join(generator.generate("abc", seed=1))
    trained = charlstm.load(run("--steps", "5"))
    trained.save(Path("copy.pt"))
    assert checkpoint.load(Path("copy.pt")).trained() == checkpoint.load(Path("checkpoints/verse/best.pt")).trained()
    trained.save("new/folder/model.pt")
    with pytest.raises(InputError, match="checkpoints: a folder: give a file in it"):
        trained.save("checkpoints")
    Path("novel.txt").write_text("It was a dark and stormy night.")
    with pytest.raises(InputError, match=r"novel.txt: exists already, and is no such model: choose another name"):
        trained.save("novel.txt")


@pytest.mark.parametrize("call", ["generate", "next", "bits_per_char", "surprise", "trace", "adapted"])
def test_a_text_must_be_a_string(call: str, generator: Generator) -> None:
    with pytest.raises(InputError, match="a text must be a string, not 5"):
        getattr(generator, call)(5)


def test_other_arguments_of_other_types_are_told(generator: Generator) -> None:
    for wrong in (lambda: charlstm.load(5), lambda: generator.save(None)):
        with pytest.raises(InputError, match="a file's name must be a string or a path, not"):
            wrong()
    with pytest.raises(InputError, match="texts must be a dictionary"):
        generator.page("a text")
    with pytest.raises(InputError, match="layer 0.5: the model has 2"):
        generator.trace("abc", layer=0.5)


def test_a_model_says_what_it_is(generator: Generator) -> None:
    assert repr(generator) == "<charlstm.Generator: lstm, 2 x 6, 7 characters>"
    several = CharLSTM(ModelConfig(vocab_size=7, hidden_size=6, ensemble_size=3, cell="gru"))
    assert repr(Generator(several, generator.vocab)) == "<charlstm.Generator: gru, 3 of 1 x 6, 7 characters>"


def test_one_model_in_two_threads_and_two_models_in_two_threads(vocab: Vocab) -> None:
    def model(seed: int) -> Generator:
        torch.manual_seed(seed)
        return Generator(CharLSTM(ModelConfig(vocab_size=7, hidden_size=12, num_layers=2)), vocab)

    def use(generator: Generator) -> tuple[str, float, dict[str, Any]]:
        written = "".join(generator.generate("abc", length=60, seed=1))
        return written, generator.bits_per_char("abc de" * 20), generator.trace("abc")

    models = [model(1), model(2)] * 3  # in training, with dropout
    expected = [use(each) for each in models[:2]] * 3
    with ThreadPoolExecutor(6) as pool:
        for found, wanted in zip(pool.map(use, models), expected, strict=True):
            assert found[:2] == wanted[:2]
            assert all(np.array_equal(found[2][name], wanted[2][name]) for name in wanted[2])
    assert all(each.model.training for each in models)
