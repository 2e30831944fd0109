"""The order of a model's layers, where Keras writes which layer reads which."""

from __future__ import annotations

from typing import Any

from charlstm.errors import InputError


def in_order(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The layers from the lowest up. Those of a Sequential are in order already.

    Raises:
        InputError: where a layer reads several others, several read one, or one is used twice.
    """
    if not any("inbound_nodes" in each for each in described):
        return described
    reader: dict[str, dict[str, Any]] = {}
    first = []
    for each in described:
        name, read = _name(each), sources(each.get("inbound_nodes", []))
        if len(read) > 1:
            raise InputError(f"layer {name} ({each['class_name']}) reads {' and '.join(read)}: {CHAIN}")
        if not read:
            first.append(each)
        elif read[0] in reader:
            raise InputError(f"layer {read[0]} is read by {_name(reader[read[0]])} and {name}: {CHAIN}")
        else:
            reader[read[0]] = each
    if len(first) != 1:
        raise InputError(f"the model has {len(first)} inputs: {CHAIN}")
    ordered = first
    while (name := _name(ordered[-1])) in reader:
        ordered.append(reader.pop(name))
    if reader:
        raise InputError(f"layer {_name(next(iter(reader.values())))} is no part of the chain: {CHAIN}")
    return ordered


CHAIN = "only a chain of layers can come, each of which reads the one below"
"""What a model must be."""


def _name(described: dict[str, Any]) -> str:
    """The name by which other layers refer to a layer."""
    return str(described.get("name") or described["config"]["name"])


def sources(node: Any) -> list[str]:
    """The names of all layers that are read, in what Keras 3 writes of a layer's calls, or Keras 2.

    Raises:
        InputError: where a layer's memory is read, and not its output.
    """
    if isinstance(node, dict):
        if "keras_history" in node:
            name, _, tensor = node["keras_history"]
            return [_read(name, tensor)]
        return [name for value in node.values() for name in sources(value)]
    if isinstance(node, list):
        is_tensor = len(node) in (3, 4) and isinstance(node[0], str) and all(type(n) is int for n in node[1:3])
        if is_tensor:
            return [_read(node[0], node[2]), *(sources(node[3]) if len(node) == 4 else [])]
        return [name for value in node for name in sources(value)]
    return []


def _read(name: Any, tensor: Any) -> str:
    """The name of a layer whose output is read: its first tensor, or h, which is the same at the last step."""
    if tensor not in (0, 1):
        raise InputError(f"the memory of layer {name} is read, and not its output: {CHAIN}")
    return str(name)
