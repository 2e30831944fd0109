from __future__ import annotations

import numpy as np
import pytest
import torch

from charlstm.training import mixing
from charlstm.training.mixing import CAUTION, RATE, Mixer
from charlstm.training.ngram import KINDS, Evidence, Floats

MEMBERS, T, V = 3, 5, 7
RANDOM = np.random.default_rng(0)
NOTHING = Evidence(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))


def some_logs() -> Floats:
    return torch.from_numpy(RANDOM.normal(size=(MEMBERS, T, V))).log_softmax(-1).numpy()


def some_evidence(entries: int = 40) -> Evidence:
    """Some characters have several entries, as they do when several contexts were seen."""
    return Evidence(RANDOM.integers(T * V, size=entries), RANDOM.random(entries), RANDOM.integers(KINDS, size=entries))


def test_the_probabilities_sum_to_one_whatever_was_learned() -> None:
    mixer = Mixer(MEMBERS)
    for _ in range(20):
        logs, evidence, ids = some_logs(), some_evidence(), RANDOM.integers(V, size=T)
        mixed = mixer.mix(logs, evidence)
        np.testing.assert_allclose(np.exp(mixed).sum(1), 1)
        mixer.learn(logs, evidence, mixed, ids)
    assert len(set(mixer.of_members.values)) == MEMBERS


def test_a_single_member_is_itself_where_there_is_no_evidence() -> None:
    logs = some_logs()[:1]
    np.testing.assert_allclose(Mixer(1).mix(logs, NOTHING), logs[0])


def test_it_is_the_product_of_its_experts() -> None:
    logs, evidence, mixer = some_logs(), some_evidence(), Mixer(MEMBERS)
    product = np.exp(logs).prod(0) ** (1 / MEMBERS)
    for cell, ratio in zip(evidence.cells, evidence.ratios, strict=True):
        product[cell // V, cell % V] *= np.exp(mixing.OF_EVIDENCE * ratio)
    np.testing.assert_allclose(np.exp(mixer.mix(logs, evidence)), product / product.sum(1, keepdims=True))


def test_a_step_is_along_the_gradient_and_divided_by_its_square() -> None:
    logs, evidence, ids, mixer = some_logs(), some_evidence(), RANDOM.integers(V, size=T), Mixer(MEMBERS)
    weights = [torch.from_numpy(each.values.copy()).requires_grad_() for each in (mixer.of_members, mixer.of_kinds)]
    mixer.learn(logs, evidence, mixer.mix(logs, evidence), ids)

    scores = torch.tensordot(weights[0], torch.from_numpy(logs), 1).flatten()
    cells, ratios, kinds = map(torch.from_numpy, evidence)
    scores = scores.index_add(0, cells, weights[1][kinds] * ratios).view(T, V)
    likelihood = -torch.nn.functional.cross_entropy(scores, torch.from_numpy(ids), reduction="sum")
    for before, after in zip(weights, (mixer.of_members, mixer.of_kinds), strict=True):
        (gradient,) = torch.autograd.grad(likelihood, before, retain_graph=True)
        expected = before.detach() + RATE * gradient / (CAUTION + gradient**2)
        np.testing.assert_allclose(after.values, expected.numpy())


@pytest.mark.parametrize("right", [True, False])
def test_evidence_gets_more_weight_where_it_is_right(right: bool) -> None:
    mixer, ids = Mixer(1), np.zeros(T, np.int64)
    logs = np.full((1, T, V), -np.log(V))
    cells = np.arange(T) * V + (0 if right else 1)
    evidence = Evidence(cells, np.ones(T), np.full(T, 3))
    for _ in range(50):
        mixer.learn(logs, evidence, mixer.mix(logs, evidence), ids)
    assert (mixer.of_kinds.values[3] > mixing.OF_EVIDENCE) == right
    assert (np.delete(mixer.of_kinds.values, 3) == mixing.OF_EVIDENCE).all()  # the others know nothing of it
