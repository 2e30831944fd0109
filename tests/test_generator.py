from __future__ import annotations

import copy
import itertools
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import charlstm
from charlstm.config import CELLS, ModelConfig, SampleConfig
from charlstm.errors import InputError, Notice, RunError
from charlstm.generator import Generator
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import UNKNOWN, UnknownCharacters, Vocab


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


def test_without_a_prime_it_begins_as_a_line_does(generator: Generator) -> None:
    assert "".join(generator.generate("", seed=1)) == "".join(generator.generate("\n", seed=1))


def test_a_vocabulary_without_line_ends_can_begin_too(model: CharLSTM) -> None:
    assert len("".join(Generator(model, Vocab("abcdefg")).generate(length=5))) == 5


def test_one_stop_string_or_several(generator: Generator) -> None:
    text = "".join(generator.generate("abc", length=40, seed=3))
    for stop in (text[5:7], ("zzz", text[5:7])):
        assert "".join(generator.generate("abc", length=40, seed=3, stop=stop)) == text.partition(text[5:7])[0]


def test_mistakes_are_told_at_once(generator: Generator) -> None:
    with pytest.raises(InputError, match="temperature"):
        generator.generate("abc", temperature=-1)
    with pytest.raises(UnknownCharacters, match="'X'"):
        generator.generate("abX")


def test_what_becomes_of_unknown_characters(model: CharLSTM, vocab: Vocab) -> None:
    generator = Generator(model, vocab)
    assert generator.readable("aXb", "skip") == "ab"
    assert generator.readable("aXb", "replace") == "a b"
    with_room = Generator(model, Vocab("\n abcd" + UNKNOWN))
    assert with_room.readable("aXb", "replace") == f"a{UNKNOWN}b"
    with_neither = Generator(model, Vocab("abcdefg"))
    with pytest.raises(UnknownCharacters):
        with_neither.readable("aXb", "replace")


def test_the_replacement_character_is_never_written(model: CharLSTM) -> None:
    with torch.no_grad():
        model.members[0].head.bias[6] = 100.0
    text = "".join(Generator(model, Vocab("\n abcd" + UNKNOWN)).generate(length=50))
    assert UNKNOWN not in text


def test_a_preview_leaves_a_model_in_training_as_it_is(generator: Generator) -> None:
    generator.model.train()
    random = torch.get_rng_state()
    assert generator.preview(1, length=30) == generator.preview(1, length=30)
    assert generator.model.training
    assert torch.equal(torch.get_rng_state(), random)


def test_a_model_in_training_writes_without_dropout(vocab: Vocab) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 8, "num_layers": 2, "dropout": 0.9}
    model = CharLSTM(ModelConfig(vocab_size=len(vocab), **shape))
    random = torch.get_rng_state()
    assert model.training
    written = "".join(Generator(model, vocab).generate(length=40, seed=1))
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert written == "".join(Generator(model.eval(), vocab).generate(length=40, seed=1))


def test_loading_draws_no_weights(run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run("--steps", "1")
    monkeypatch.setattr(torch.nn.init, "orthogonal_", lambda weight: 1 / 0)
    assert len("".join(charlstm.load(folder).generate(length=5))) == 5
    with pytest.raises(ZeroDivisionError):
        CharLSTM(ModelConfig(vocab_size=2))


def test_a_preview_that_fails_leaves_it_so_too(generator: Generator) -> None:
    generator.model.train()
    torch.nn.init.constant_(generator.model.members[0].head.bias, torch.nan)
    with pytest.raises(RunError):
        generator.preview(1)
    assert generator.model.training


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


def test_a_model_that_can_write_nothing_says_so() -> None:
    model = CharLSTM(ModelConfig(vocab_size=1, hidden_size=6, embedding_dim=5))
    with pytest.raises(InputError, match="knows no character that could be written"):
        Generator(model, Vocab(UNKNOWN)).generate()


@pytest.mark.parametrize(
    ("stop", "words"), [("€", "never writes '€'"), ("\\n", "a line end"), (UNKNOWN, "never writes")]
)
def test_a_string_that_cannot_come_is_told(stop: str, words: str) -> None:
    model = CharLSTM(ModelConfig(vocab_size=4, hidden_size=6, embedding_dim=5))
    generator = Generator(model, Vocab("\nan" + UNKNOWN))
    generator.warn_of_stops(SampleConfig(stop=("an", "\n")))
    with pytest.warns(Notice, match=f"the text won't stop at .*{words}"):
        generator.warn_of_stops(SampleConfig(stop=("an", stop)))
