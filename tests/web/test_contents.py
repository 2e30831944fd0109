from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.errors import InputError
from charlstm.generator import Generator
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import END, Vocab
from charlstm.web import contents
from charlstm.web.contents import LONGEST, known, make_page

TEXT = 'He said "no" and went. The END (of it).\n' * 8


@pytest.fixture
def model() -> Generator:
    torch.manual_seed(0)
    vocab = Vocab("".join(sorted(set(TEXT))))
    return Generator(CharLSTM(ModelConfig(vocab_size=len(vocab), hidden_size=8, embedding_dim=4)).eval(), vocab)


def data_in(page: contents.Page) -> Any:
    found = re.search('<script type="application/json" id="data">(.*?)</script>', page.html, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_it_holds_the_model_the_texts_and_what_was_found(model: Generator) -> None:
    run = {"step": 3, "text": {"places": ["/home/anna/secret/novel.txt"], "characters": 9}}
    data = data_in(make_page(model.model, model.vocab, "a", {"one": TEXT, "two": "no"}, [run]))
    assert data["vocab"] == model.vocab.characters
    assert data["model"]["hidden_size"] == 8
    assert [tensor["name"] for tensor in data["tensors"]] == list(model.model.state_dict())
    assert data["texts"] == [{"name": "one", "text": TEXT}, {"name": "two", "text": "no"}]
    assert data["runs"] == [{"step": 3, "text": {"places": ["novel.txt"], "characters": 9}}]
    assert 0 < len(data["units"]) <= contents.UNITS
    assert {"member", "layer", "unit", "property", "places", "lost_inside"} <= set(data["units"][0])
    assert data_in(make_page(model.model, model.vocab, "a", {"one": TEXT}, units=0))["units"] == []
    assert data_in(make_page(model.model, model.vocab, "a", {"short": "no"}))["units"] == []


def test_without_a_text_the_model_writes_one(model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    import charlstm.generator

    monkeypatch.setattr(charlstm.generator, "WRITTEN", 200)
    (text,) = data_in(model.page())["texts"]
    assert text == {"name": "written by the model", "text": model.preview(1, 200)}


def test_a_page_is_saved_and_shown(model: Generator, tmp_path: Path) -> None:
    page = model.page({"text": TEXT}, name="A & B")
    page.save(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text("utf-8") == page.html
    assert "<title>A &amp; B</title>" in page.html
    frame = re.fullmatch('<iframe srcdoc="([^"]*)" style="[^"]*"></iframe>', page._repr_html_())
    assert frame
    assert html.unescape(frame[1]) == page.html


def test_a_text_is_shown_as_far_as_it_can_be_read() -> None:
    assert known(Vocab(" ab"), "\ufeffaxb\r\nb") == "axb\nb"  # what is unknown is read as a space
    assert known(Vocab("ab"), f"axb{END}\nb") == "abb"
    assert len(known(Vocab(" ab"), "a" * 2 * LONGEST)) == LONGEST


@pytest.mark.parametrize(("precision", "told"), [("int8", "a page is for smaller models"), ("float32", "int8")])
def test_a_page_that_would_be_too_large_is_refused(
    model: Generator, precision: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "LARGEST", 100)
    with pytest.raises(InputError, match=told):
        make_page(model.model, model.vocab, "a", {"text": TEXT}, precision=precision)
