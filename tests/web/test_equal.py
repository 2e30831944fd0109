"""The page computes what Python computes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from charlstm.config import ModelConfig
from charlstm.generator import Generator
from charlstm.inside.trace import trace
from charlstm.model.cells import CELLS
from charlstm.model.charlstm import CharLSTM
from charlstm.text.vocab import Vocab
from tests.web.conftest import Opened, html_of

pytestmark = pytest.mark.browser

WITHOUT_MEMORY = ("gru", "gru-reset-before", "rnn", "clockwork")

TEXT = "The river 😀 rains on the river 雨在河上，河在雨中。😀\n" * 3

TRACED = """
(async () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const bytes = await modules["weights.js"].unpacked(document.getElementById("weights").textContent);
  const tensors = modules["weights.js"].tensorsIn(bytes, data.tensors, data.precision);
  const model = new modules["model.js"].Model(data.model, tensors), vocab = new modules["vocab.js"].Vocab(data.vocab);
  const state = model.initialState(), found = { ids: vocab.encode(TEXT).ids, logits: [], signals: [] };
  for (const id of found.ids) {
    found.logits.push(Array.from(model.step(id, state)));
    found.signals.push(model.members.map((member, m) => member.layers.map((layer, l) =>
      Object.fromEntries(modules["cells.js"].signalsOf(layer).map((name) =>
        [name, Array.from(layer.signals[name] ?? state[m][l][name])])))));
  }
  return JSON.stringify(found);
})()
"""


EQUATIONS = """
(() => {
  const trace = { of: (member, layer) => (name, at, unit) => SIGNALS[layer][name][at][unit] };
  const { equationsOf, numberOf } = modules["equations.js"], { wordsOf } = modules["words.js"], errors = [];
  for (const layer of [0, 1]) for (const { products, result } of equationsOf("CELL", layer)) {
    const number = (name) => numberOf(name, trace, { member: 0, layer, unit: 2, at: 5 });
    const sum = products.reduce((so, far) => so + far.map(number).reduce((x, y) => x * y), 0);
    errors.push(Math.abs(sum - number(result)));
  }
  return JSON.stringify({ errors, told: ["en", "zh"].map((language) => "CELL" in wordsOf(language).formula) });
})()
"""


def lively(config: ModelConfig, vocab: Vocab) -> Generator:
    """A model with large weights of all kinds, zeros nowhere: what isn't computed shows."""
    torch.manual_seed(0)
    model = CharLSTM(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.25)  # so that a difference fades, and doesn't grow from step to step
    return Generator(model.eval(), vocab)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("layers", "members"), [(1, 1), (2, 1), (2, 2)])
def test_logits_and_all_signals_are_pythons(
    cell: str, layers: int, members: int, opened: Callable[..., Opened], capsys: pytest.CaptureFixture[str]
) -> None:
    vocab = Vocab("".join(sorted(set(TEXT))))
    config = ModelConfig(
        vocab_size=len(vocab), cell=cell, hidden_size=19, num_layers=layers, ensemble_size=members, embedding_dim=7
    )
    model = lively(config, vocab)
    shown = opened(html_of(model, {"text": TEXT}, precision="float32"))
    found = json.loads(shown.value(TRACED.replace("TEXT", json.dumps(TEXT))))
    assert found["ids"] == vocab.encode(TEXT).tolist()
    expected = trace(model.model, torch.tensor([found["ids"]]))
    largest = (torch.tensor(found["logits"]) - expected.logits[0]).abs().max().item()
    for m, member in enumerate(expected.signals):
        for number, layer in enumerate(member):
            has_memory = cell not in WITHOUT_MEMORY
            assert set(found["signals"][0][m][number]) == set(layer) - (set() if has_memory else {"c"})
            for name in found["signals"][0][m][number]:
                values = torch.tensor([step[m][number][name] for step in found["signals"]])
                largest = max(largest, (values - layer[name][0]).abs().max().item())
    with capsys.disabled():
        print(f"\n{cell}, {layers} layers, {members} members: the largest difference is {largest:.1e}")
    assert largest < 1e-5
    assert not shown.complaints


@pytest.mark.parametrize("cell", CELLS)
def test_the_equations_that_are_shown_hold(cell: str, opened: Callable[..., Opened]) -> None:
    vocab = Vocab("abc")
    model = lively(ModelConfig(vocab_size=3, cell=cell, hidden_size=4, num_layers=2, embedding_dim=4), vocab)
    signals = trace(model.model, torch.tensor([[0, 1, 2, 0, 2, 1]])).signals[0]
    given = [{name: values[0].tolist() for name, values in layer.items()} for layer in signals]
    shown = opened(html_of(model, {"text": "abc"}, precision="float32"))
    found = json.loads(shown.value(EQUATIONS.replace("SIGNALS", json.dumps(given)).replace("CELL", cell)))
    has_memory, has_gates = cell not in WITHOUT_MEMORY, cell not in ("rnn", "clockwork")
    assert len(found["errors"]) == 2 * (has_memory + has_gates)  # of c and of h, in each of two layers
    assert max(found["errors"], default=0) < 1e-6
    assert found["told"] == [not has_memory or cell == "lstm"] * 2  # the others are told in the LSTM's words


@pytest.mark.parametrize("precision", ["int8", "float16", "float32"])
def test_weights_arrive_as_they_were_rounded(precision: str, opened: Callable[..., Opened]) -> None:
    vocab = Vocab("abc")
    model = lively(ModelConfig(vocab_size=3, hidden_size=6, embedding_dim=6, tie_weights=True), vocab)
    shown = opened(html_of(model, {"text": "abc"}, precision=precision))
    read = """
    (async () => {
      const data = JSON.parse(document.getElementById("data").textContent);
      const bytes = await modules["weights.js"].unpacked(document.getElementById("weights").textContent);
      const found = modules["weights.js"].tensorsIn(bytes, data.tensors, data.precision);
      const arrays = Object.entries(found).map(([name, { data }]) => [name, Array.from(data)]);
      return JSON.stringify(Object.fromEntries(arrays));
    })()
    """
    found = json.loads(shown.value(read))
    weights = model.model.state_dict()
    assert list(found) == list(weights)
    for name, weight in weights.items():
        if weight.dim() > 1 and precision == "int8":
            scale = weight.abs().amax(1, keepdim=True) / 127
            weight = (weight / scale).round() * scale
        elif weight.dim() > 1 and precision == "float16":
            weight = weight.half().float()
        torch.testing.assert_close(torch.tensor(found[name]), weight.flatten(), rtol=1e-6, atol=1e-7)
