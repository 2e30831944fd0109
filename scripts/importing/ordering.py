"""Which layer is which, in a file of weights alone: from their shapes, and then from their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from charlstm.errors import InputError
from importing.chain import Product, Recurrent


def stacked(blocks: Sequence[Sequence[Recurrent]]) -> list[Recurrent]:
    """The recurrent layers from the lowest up, where the order inside of each block is known.

    Of two blocks, the one that reads another number of values than the layers give is the lower one. Else the names
    count, which must differ in a number alone.

    Raises:
        InputError: when neither says it.
    """
    names = [block[0].name for block in blocks]
    parts = [re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL) for name in names]
    stems, numbers = {part[1] for part in parts if part}, [int(part[2] or 0) for part in parts if part]
    lowest = [block for block in blocks if block[0].input_size != block[0].hidden_size]
    if len(blocks) == 2 and len(lowest) == 1:
        blocks = sorted(blocks, key=lambda block: block is not lowest[0])
    elif len(stems) > 1 or len({*numbers}) < len(numbers):
        raise InputError(f"which of {', '.join(names)} is the lowest can't be told: number their names")
    else:
        blocks = [block for _, block in sorted(zip(numbers, blocks, strict=True), key=lambda pair: pair[0])]
    return [layer for block in blocks for layer in block]


def embedding_and_head(
    products: Sequence[Product], layers: Sequence[Recurrent], head_of: Callable[[Product], Product] = lambda head: head
) -> tuple[Product | None, Product]:
    """Which of the matrices is the embedding, [ids, embedding_dim], and which the last layer's, [ids, hidden_size].

    Args:
        products: of the whole model; an embedding may be missing.
        layers: the recurrent ones, from the lowest up.
        head_of: brings a matrix into the form of the last layer's.

    Raises:
        InputError: when that can't be told, or there are more.
    """
    names = " and ".join(product.name for product in products) or "nothing"
    if not 1 <= len(products) <= 2:
        raise InputError(f"besides recurrent layers it has {names}: an embedding and one linear layer can come")
    inputs, units = layers[0].input_size, layers[-1].hidden_size
    if len(products) == 1:
        if (head := head_of(products[0])).weight.shape[1] != units:
            raise InputError(f"besides recurrent layers it has {names} alone, which doesn't read their {units} units")
        return None, head
    fits = [
        (embedding, head)
        for embedding, head in ((products[0], head_of(products[1])), (products[1], head_of(products[0])))
        if embedding.bias is None and embedding.weight.shape[1] == inputs and head.weight.shape[1] == units
    ]
    if len(fits) > 1:
        fits = [pair for pair in fits if re.search("emb|enc", pair[0].name.lower())]
    if len(fits) != 1:
        raise InputError(f"which of {names} is the embedding, and which the last layer, can't be told")
    return fits[0]
