"""ONNX: one step of a model, (ids, h, c) → (logits, h_out, c_out), in primitive operations."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import onnx
import onnxruntime
import torch
from torch import Tensor

from charlstm.errors import InputError
from charlstm.model.charlstm import CharLSTM
from charlstm.saved.checkpoint import Checkpoint
from exporting.agreement import STEPS, OneStep, checked
from exporting.exported import Exported, described

INPUTS, OUTPUTS = ["ids", "h", "c"], ["logits", "h_out", "c_out"]
"""Each name in an ONNX graph stands for one value: h before the step and h after it can't share one."""

OPSET, IR_VERSION = 18, 8
"""Of January 2023: what onnxruntime reads from version 1.14 on. The exporter writes no older operators."""

LARGEST = 2_000_000_000
"""Bytes of a file: protobuf, in which ONNX is written, ends at 2 GiB."""


def to_onnx(saved: Checkpoint) -> Exported:
    """The step for a batch of any size; the metadata has what `described` gives.

        ids [B]                           int64
        h, c [members · layers, B, H]     float32; zeros before the first character
        logits [B, V]                     float32, of the next character

    Raises:
        InputError: for a model that is too large, and as of `described` and `checked`.
        RunError: as of `checked`.
    """
    metadata = described(saved)
    model = CharLSTM.with_weights(saved.model_config, saved.weights).eval()
    size = 4 * sum(weight.numel() for weight in model.parameters())
    if size > LARGEST:
        raise InputError(
            f"an ONNX file holds 2 GB, and these weights are {size / 1e9:.1f} GB: use --format safetensors"
        )
    proto = _graph(model)
    onnx.helper.set_model_props(proto, metadata)
    content = proto.SerializeToString()
    difference = checked(model, Session(content))
    found = f"in onnxruntime, {STEPS} steps differ from the checkpoint's by {difference:.1e} at most"
    use = "session = onnxruntime.InferenceSession({file})   # README.md, “To other programs”, writes text with it"
    return Exported(content, found, use)


def _graph(model: CharLSTM) -> onnx.ModelProto:
    """The step as PyTorch's exporter translates it, without its notes."""
    state = model.initial_state(2)  # of a batch of 1, the exporter would take the 1 for a constant
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            OneStep(model).eval(),
            (torch.zeros(2, dtype=torch.int64), *state),
            dynamo=True,
            verbose=False,
            input_names=INPUTS,
            output_names=OUTPUTS,
            opset_version=OPSET,
            dynamic_shapes={"ids": {0: "batch"}, "h": {1: "batch"}, "c": {1: "batch"}},
        )
    assert program is not None
    proto = program.model_proto
    # The notes tell where the source code lay, and are longer than a small model. Older readers don't know them.
    graph = proto.graph
    for part in chain([proto, graph], graph.node, graph.initializer, graph.value_info, graph.input, graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    proto.ir_version = IR_VERSION
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings, which are of its own parts."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


class Session:
    """An exported file as a `Step`, in onnxruntime."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inputs = {"ids": ids.numpy(), "h": h.numpy(), "c": c.numpy()}
        logits, h, c = map(torch.from_numpy, self.session.run(OUTPUTS, inputs))
        return logits, h, c
