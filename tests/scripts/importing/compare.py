"""What both imports are compared by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlstm.model.charlstm import CharLSTM
from charlstm.saved import checkpoint

CHARACTERS = "\n ,.aeh雨"
"""The characters of the models, by their ids in a vocabulary that isn't sorted: see `by_id`."""

TEXT = "a hea, eh.\n雨 ahh ea. " * 4
"""84 characters."""


def by_id() -> str:
    """The characters in the order of the ids of the other model."""
    return CHARACTERS[::-1]


def vocab(name: str = "chars.json") -> Path:
    """A file of char2idx."""
    file = Path(name)
    file.write_text(json.dumps({character: number for number, character in enumerate(by_id())}), "utf-8")
    return file


def ids(text: str = TEXT) -> npt.NDArray[np.int64]:
    """The ids of a text in the other model, [1, T]."""
    return np.array([[by_id().index(character) for character in text]])


def logits(file: Path = Path("out.pt"), text: str = TEXT) -> Tensor:
    """What a checkpoint makes of a text in three pieces, with the state carried, [T, ids of the other model]."""
    made = checkpoint.load(file)
    model = CharLSTM.with_weights(made.model_config, made.weights).eval()
    state, found = model.initial_state(1), []
    with torch.inference_mode():
        for piece in torch.from_numpy(made.vocab.encode(text).astype(np.int64))[None].tensor_split([30, 31], 1):
            answer, state = model(piece, state)
            found.append(answer[0])
    order = [made.vocab.characters.index(character) for character in by_id()]
    return torch.cat(found)[:, order]


def difference(theirs: npt.ArrayLike, ours: Tensor, what: str) -> float:
    """The largest difference of logits, which is printed."""
    largest = float((torch.as_tensor(np.asarray(theirs)) - ours).abs().max())
    print(f"{what}: {largest:.1e}")
    return largest
