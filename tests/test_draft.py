from __future__ import annotations

import pytest
import torch

from charlstm.config import SampleConfig
from charlstm.draft import Draft
from charlstm.errors import InputError
from charlstm.generator import Generator
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import END, UNKNOWN, Vocab

CONFIG = SampleConfig(length=10)


@pytest.fixture
def draft(model: CharLSTM, vocab: Vocab) -> Draft:
    return Draft(Generator(model, vocab), seed=1)


def scores(draft: Draft) -> list[tuple[str, float]]:
    return [(c, round(p, 5)) for c, p in draft.likeliest(7)]


def test_the_model_goes_on_from_all_that_was_typed_and_written(draft: Draft) -> None:
    first = "".join(draft.go_on("abc", CONFIG))
    second = "".join(draft.go_on("de", CONFIG))
    assert (len(first), len(second)) == (10, 10)
    assert draft.text == f"abc{first}de{second}"
    whole = Draft(draft.model, seed=1)
    whole.take(draft.text)
    assert scores(whole) == scores(draft)


def test_writing_can_be_stopped_and_what_was_given_out_stays(draft: Draft) -> None:
    pieces = draft.go_on("abc", CONFIG)
    written = "".join(next(pieces) for _ in range(4))
    assert draft.text == "abc" + written  # even before it is closed
    pieces.close()
    again = Draft(draft.model, seed=1)
    again.take("abc" + written)
    assert scores(again) == scores(draft)


def test_turns_are_taken_back_one_by_one(draft: Draft) -> None:
    states = [scores(draft)]
    for typed in ("ab", "", "c"):
        list(draft.go_on(typed, CONFIG))
        states.append(scores(draft))
    for typed, before in zip(("c", "", "ab"), states[2::-1], strict=True):
        assert draft.undo() == typed
        assert scores(draft) == before
    assert draft.text == ""
    assert draft.undo() is None


def test_a_turn_again_is_written_otherwise_and_a_seed_gives_it_again(draft: Draft) -> None:
    first = "".join(draft.go_on("abc", CONFIG))
    draft.undo()
    assert "".join(draft.go_on("abc", CONFIG)) != first
    assert "".join(Draft(draft.model, seed=1).go_on("abc", CONFIG)) == first


def test_a_fresh_draft_begins_as_a_sample_does(draft: Draft) -> None:
    list(draft.go_on("abc", CONFIG))
    before = draft.text, scores(draft)
    draft.clear()
    assert draft.text == ""
    assert scores(draft) == scores(Draft(draft.model, seed=1))
    draft.undo()
    assert (draft.text, scores(draft)) == before


def test_the_likeliest_come_first_with_their_probabilities(draft: Draft) -> None:
    draft.take("abc")
    offered = draft.likeliest(7)
    assert sorted(c for c, _ in offered) == sorted("\n abcde")
    assert [p for _, p in offered] == sorted((p for _, p in offered), reverse=True)
    assert sum(p for _, p in offered) == pytest.approx(1)
    assert draft.likeliest(2) == offered[:2]
    assert len(draft.likeliest(99)) == 7


def test_a_stop_string_is_not_part_of_the_text(draft: Draft) -> None:
    text = "".join(draft.go_on("abc", CONFIG))
    stopped = Draft(draft.model, seed=1)
    assert "".join(stopped.go_on("abc", SampleConfig(length=10, stop=(text[3:5],)))) == text.partition(text[3:5])[0]
    assert stopped.text == "abc" + text.partition(text[3:5])[0]


def test_what_is_never_written_is_not_offered(model: CharLSTM) -> None:
    draft = Draft(Generator(model, Vocab("\n abcd" + UNKNOWN)), seed=1)
    assert sorted(c for c, _ in draft.likeliest(99)) == sorted("\n abcd")


def test_no_run_of_an_earlier_turn_is_repeated(draft: Draft) -> None:
    draft.take("abcdabcd")
    config = SampleConfig(length=60, no_repeat=3)
    list(draft.go_on("", config))
    list(draft.go_on("", config))
    written = draft.text[8:]
    runs = [draft.text[i : i + 3] for i in range(len(draft.text) - 2)]
    assert len(written) == 120
    assert len(set(runs[6:]) & set(runs[:6])) == 0


def test_settings_that_cannot_be_followed_are_refused_before_anything_is_read(draft: Draft) -> None:
    with pytest.raises(InputError, match="--documents"):
        next(draft.go_on("abc", SampleConfig(until_document_end=True)))
    assert draft.text == ""
    assert not draft.wrote


def test_a_document_ends_and_another_begins(model: CharLSTM) -> None:
    with torch.no_grad():
        model.members[0].head.bias[6] = 2.0
    draft = Draft(Generator(model, Vocab(f"\n abcd{END}")), seed=1)
    written = "".join(draft.go_on("ab", SampleConfig(until_document_end=True)))
    assert END not in written
    assert draft.text == f"ab{written}{END}"
    assert scores(draft) == scores(Draft(draft.model, seed=1))  # as if nothing had been read before
    list(draft.go_on("c", SampleConfig(until_document_end=True)))
    assert draft.text.startswith(f"ab{written}{END}c")
    draft.undo()
    draft.take(f"d{END}")
    assert scores(draft) == scores(Draft(draft.model, seed=1))
