"""safetensors: the weights under the names of the checkpoint, and the rest in the metadata."""

from __future__ import annotations

import json

from safetensors.torch import load, save

from charlstm.config import ModelConfig
from charlstm.model.charlstm import CharLSTM
from charlstm.saved.checkpoint import Checkpoint
from exporting.agreement import STEPS, OneStep, checked
from exporting.exported import Exported, described


def to_safetensors(saved: Checkpoint) -> Exported:
    """The weights in float32; the metadata has what `described` gives, and `tied`.

    `tied` is a JSON object: the name of each weight that is not in the file → the name of the weight that it equals.

    Raises:
        InputError, RunError: as of `described` and `checked`.
    """
    model = CharLSTM.with_weights(saved.model_config, saved.weights).eval()
    tied = _tied(saved.model_config)
    weights = {name: weight for name, weight in model.state_dict().items() if name not in tied}
    content = save(weights, {**described(saved), "tied": json.dumps(tied)})

    read = load(content)
    read |= {name: read[equal] for name, equal in tied.items()}
    difference = checked(model, OneStep(CharLSTM.with_weights(saved.model_config, read).eval()), tolerance=0)
    found = f"read again, {STEPS} steps differ from the checkpoint's by {difference:g}"
    use = "file = safetensors.safe_open({file}, 'pt')   # file.metadata()['vocab'], file.get_tensor(file.keys()[0])"
    return Exported(content, found, use)


def _tied(config: ModelConfig) -> dict[str, str]:
    """The weights that are the same matrix as another one."""
    members = [f"members.{number}" for number in range(config.ensemble_size)] if config.tie_weights else []
    return {f"{member}.head.weight": f"{member}.embedding.weight" for member in members}
