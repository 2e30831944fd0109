from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import charlstm
from charlstm.config import CELLS, ModelConfig
from charlstm.errors import InputError, RunError
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
