"""A mixture of predictions, with weights that are learned while a text is read."""

from __future__ import annotations

import numpy as np

from charlstm.text.ids import Ids
from charlstm.training.ngram import KINDS, Evidence, Floats

RATE = 1.0
"""The size of a step of the weights, as a part of a Newton step."""

CAUTION = 20.0
"""The curvature that each weight begins with: the larger, the longer it stays where it began."""

OF_EVIDENCE = 0.15
"""The weight that each kind of evidence begins with."""


class Mixer:
    """Weighs the predictions of several members, and the evidence of n-grams, in the domain of logarithms.

    The scores of the next character are s = Σ w log p over the members plus Σ w r over the evidence for it, with r its
    ratios; q = softmax(s). This is a product of experts (Hinton 2002), whose weights are learned online as in PAQ's
    mixers (Mahoney 2005).

    Args:
        members: the number of members. Before anything is learned, they have equal weights, of sum 1.
    """

    def __init__(self, members: int) -> None:
        self.of_members = _Weights(np.full(members, 1 / members))
        self.of_kinds = _Weights(np.full(KINDS, OF_EVIDENCE))

    def mix(self, logs: Floats, evidence: Evidence) -> Floats:
        """The logarithms of the mixed probabilities, [T, V], from those of the members', [members, T, V]."""
        scores: Floats = np.tensordot(self.of_members.values, logs, 1)
        added = self.of_kinds.values[evidence.kinds] * evidence.ratios
        scores += np.bincount(evidence.cells, added, scores.size).reshape(scores.shape)
        scores -= scores.max(1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(1, keepdims=True))
        return scores

    def learn(self, logs: Floats, evidence: Evidence, mixed: Floats, ids: Ids) -> None:
        """Learn from the characters that came, [T], after `mix` had made `mixed` of the same arguments."""
        error = -np.exp(mixed)
        error[np.arange(len(ids)), ids] += 1
        self.of_members.learn((error * logs).sum((1, 2)))
        errors = error.ravel()[evidence.cells] * evidence.ratios
        self.of_kinds.learn(np.bincount(evidence.kinds, errors, KINDS).astype(np.float64))


class _Weights:
    """Weights that are learned by steps along the gradient of the log-likelihood, each divided by its curvature so far.

    The curvature is estimated by the sum of the squared gradients. So weights that were used much take small steps.
    """

    def __init__(self, values: Floats) -> None:
        self.values, self.curvature = values, np.full_like(values, CAUTION)

    def learn(self, gradient: Floats) -> None:
        self.curvature += gradient**2
        self.values += RATE * gradient / self.curvature
