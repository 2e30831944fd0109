"""The weights of a model, moved into one that knows other characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from charlstm.model.charlstm import CharLSTM


@dataclass(frozen=True)
class Transplant:
    """What became of the characters.

    Attributes:
        known: characters that keep their rows.
        related: new ones that begin as a relative, of the other case or another width.
        fresh: new ones that keep their random initialisation.
        gone: old ones that the new model doesn't know.
    """

    known: int
    related: int
    fresh: int
    gone: int

    def __str__(self) -> str:
        return (
            f"{self.known} characters known, {self.related} new that begin as a relative,"
            f" {self.fresh} new that begin afresh, {self.gone} dropped"
        )


@torch.no_grad()
def transplant(
    weights: Mapping[str, Tensor], old: str, model: CharLSTM, new: str, like: Mapping[str, str] = MappingProxyType({})
) -> Transplant:
    """Put weights into a model that differs in its characters only. Rows of characters are matched by character.

    The row of a character without a match keeps its random initialisation. Its output bias is the old model's lowest,
    since a character that was never seen is a rare one.

    Args:
        weights: those of a `CharLSTM` with the characters `old`, in the order of their ids.
        model: the model to fill, with the characters `new`.
        like: more relatives: a character, and the other one that it is like.
    """
    place = {character: i for i, character in enumerate(old)}
    relatives = {_family(character): i for character, i in place.items()}
    sources = [place.get(character, relatives.get(_family(like.get(character, character)))) for character in new]
    matched = [(i, source) for i, source in enumerate(sources) if source is not None]
    to, source = torch.tensor(matched, dtype=torch.long).view(-1, 2).unbind(1)
    for name, own in model.state_dict().items():
        trained = weights[name].to(own.device)
        if name.endswith("head.bias"):
            own.fill_(trained.min())
        if ".embedding." in name or ".head." in name:
            own[to] = trained[source]
        else:
            own.copy_(trained)
    known = sum(character in place for character in new)
    return Transplant(known, len(matched) - known, len(new) - len(matched), len(set(old) - set(new)))


def _family(character: str) -> str:
    """What a character has in common with its other case and its other widths."""
    return unicodedata.normalize("NFKC", character).casefold()
