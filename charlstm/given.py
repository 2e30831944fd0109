"""The settings that were given, and what becomes of them: in a new run, in one that goes on, on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from charlstm.config import DEFAULT_MINUTES, LENGTHS, ModelConfig, TextConfig, TrainConfig, flag_of
from charlstm.device import choose_device, choose_dtype, has_layout, processor
from charlstm.errors import InputError, notice
from charlstm.saved.record import RunRecord
from charlstm.training.processes import ALONE, Processes


@dataclass(frozen=True)
class Given:
    """The settings that were given, by name; the others are the defaults', the chosen ones or the checkpoint's."""

    text: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]

    def begun(self) -> tuple[TextConfig, dict[str, Any], TrainConfig]:
        """The settings of a new run, checked before a long text is read."""
        text_config, config = TextConfig(**self.text), TrainConfig(**self.train)
        model_settings = dict(self.model)
        if model_settings.get("tie_weights") and model_settings.get("embedding_dim"):
            model_settings.setdefault("hidden_size", model_settings["embedding_dim"])
        ModelConfig(vocab_size=1, **model_settings)
        if all(getattr(config, name) is None for name in LENGTHS):
            config = replace(config, minutes=DEFAULT_MINUTES)
        return text_config, model_settings, replace(config, device=choose_device(config.device).type)

    def resumed(self, record: RunRecord, model_config: ModelConfig) -> TrainConfig:
        """The config of a run that goes on here, with its new length if one was given."""
        movable = {*LENGTHS, "device", "threads"}
        refuse_contradictions(self.text, asdict(record.text.config))
        refuse_contradictions(self.model, asdict(model_config))
        refuse_contradictions({k: v for k, v in self.train.items() if k not in movable}, asdict(record.train_config))
        config = _moved(record.train_config, self.train)
        if config.device == "cpu" and record.processor not in ("", processor()):
            _warn_of_move(f"on {record.processor}", f"on {processor()}")
        if any(name in self.train and self.train[name] != getattr(config, name) for name in LENGTHS):
            return TrainConfig(**{**asdict(config), **{name: self.train.get(name) for name in LENGTHS}})
        return config


def refuse_contradictions(given: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    """Raise InputError for a given setting that differs from the recorded one."""
    for name, value in given.items():
        if value != recorded[name] and (name, value) != ("dtype", "auto"):
            raise InputError(f"{flag_of(name)} {value} contradicts the checkpoint's {recorded[name]}: leave it out")


def on_this_machine(config: TrainConfig, processes: Processes = ALONE) -> TrainConfig:
    """The config with `threads` and `dtype` settled."""
    if config.threads:
        _warn_of_crowd(config.threads)
    dtype = choose_dtype(config.dtype, torch.device(config.device))
    return _computable(replace(config, threads=processes.use_threads(config.threads), dtype=dtype))


def _computable(config: TrainConfig) -> TrainConfig:
    """The config with products in float32 where bfloat16 would be worked out bit by bit, in many times the time."""
    if config.dtype == "bfloat16" and config.device == "cpu" and not has_layout(torch.bfloat16):
        notice("this processor has no instructions for bfloat16: the products are in float32")
        return replace(config, dtype="float32")
    return config


def _moved(config: TrainConfig, given: Mapping[str, Any]) -> TrainConfig:
    """The config for this machine, with a warning where the rest of the run won't be bit for bit what it would be."""
    try:
        device = choose_device(given.get("device", config.device)).type
    except InputError:
        if "device" in given:
            raise
        device = choose_device("auto").type
    if device != config.device:
        _warn_of_move(f"on {config.device}", f"on {device}")
    threads = given.get("threads", config.threads)
    if threads != config.threads:
        _warn_of_move(f"with {config.threads} threads", f"with {threads}")
    if threads:
        _warn_of_crowd(threads, ", though not bit for bit what the run would have been")
    return _computable(replace(config, device=device, threads=threads))


def _warn_of_crowd(threads: int, but: str = "") -> None:
    if threads > (cores := os.cpu_count() or 1):
        notice(f"{threads} threads on {cores} processors: --threads {cores} is faster{but}")


def _warn_of_move(then: str, now: str) -> None:
    notice(f"the run began {then}, and continues {now}: not bit for bit as it would have")
