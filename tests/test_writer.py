from __future__ import annotations

import pytest
import torch

from charlstm.config import ModelConfig, SampleConfig
from charlstm.errors import InputError, Notice, RunError
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import UNKNOWN, UnknownCharacters, Vocab
from charlstm.writer import Writer


@pytest.fixture
def writer(model: CharLSTM, vocab: Vocab) -> Writer:
    return Writer(model, vocab)


def written(writer: Writer, prime: str = "", length: int = 40) -> str:
    return "".join(writer.sample(prime, SampleConfig(length=length), seed=1))


def test_without_a_prime_it_begins_as_a_line_does(writer: Writer) -> None:
    assert written(writer, "") == written(writer, "\n")


def test_a_vocabulary_without_line_ends_can_begin_too(model: CharLSTM) -> None:
    assert len(written(Writer(model, Vocab("abcdefg")), length=5)) == 5


def test_what_becomes_of_unknown_characters(model: CharLSTM, vocab: Vocab) -> None:
    writer = Writer(model, vocab)
    assert writer.readable("aXb", "skip") == "ab"
    assert writer.readable("aXb", "replace") == "a b"
    with_room = Writer(model, Vocab("\n abcd" + UNKNOWN))
    assert with_room.readable("aXb", "replace") == f"a{UNKNOWN}b"
    with_neither = Writer(model, Vocab("abcdefg"))
    with pytest.raises(UnknownCharacters):
        with_neither.readable("aXb", "replace")


def test_the_replacement_character_is_never_written(model: CharLSTM) -> None:
    with torch.no_grad():
        model.members[0].head.bias[6] = 100.0
    text = written(Writer(model, Vocab("\n abcd" + UNKNOWN)), length=50)
    assert UNKNOWN not in text


def test_a_preview_leaves_a_model_in_training_as_it_is(writer: Writer) -> None:
    writer.model.train()
    random = torch.get_rng_state()
    assert writer.preview(1, length=30) == writer.preview(1, length=30)
    assert writer.model.training
    assert torch.equal(torch.get_rng_state(), random)


def test_a_model_in_training_writes_without_dropout(vocab: Vocab) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 8, "num_layers": 2, "dropout": 0.9}
    model = CharLSTM(ModelConfig(vocab_size=len(vocab), **shape))
    random = torch.get_rng_state()
    assert model.training
    in_training = written(Writer(model, vocab))
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert in_training == written(Writer(model.eval(), vocab))


def test_a_preview_that_fails_leaves_it_so_too(writer: Writer) -> None:
    writer.model.train()
    torch.nn.init.constant_(writer.model.members[0].head.bias, torch.nan)
    with pytest.raises(RunError):
        writer.preview(1)
    assert writer.model.training


def test_a_model_that_can_write_nothing_says_so() -> None:
    model = CharLSTM(ModelConfig(vocab_size=1, hidden_size=6, embedding_dim=5))
    with pytest.raises(InputError, match="knows no character that could be written"):
        written(Writer(model, Vocab(UNKNOWN)))


@pytest.mark.parametrize(
    ("stop", "words"), [("€", "never writes '€'"), ("\\n", "a line end"), (UNKNOWN, "never writes")]
)
def test_a_string_that_cannot_come_is_told(stop: str, words: str) -> None:
    model = CharLSTM(ModelConfig(vocab_size=4, hidden_size=6, embedding_dim=5))
    writer = Writer(model, Vocab("\nan" + UNKNOWN))
    writer.warn_of_stops(SampleConfig(stop=("an", "\n")))
    with pytest.warns(Notice, match=f"the text won't stop at .*{words}"):
        writer.warn_of_stops(SampleConfig(stop=("an", stop)))
