from __future__ import annotations

import pytest
import torch

from charlstm.model.bidirectional import BidirectionalStack
from charlstm.model.cells import CELLS

LENGTHS = [1, 7, 4]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_padding_never_changes_an_answer(cell: str, layers: int) -> None:
    torch.manual_seed(0)
    stack = BidirectionalStack(5, 4, layers, cell=cell)
    x = torch.randn(3, 9, 5)
    for row, length in enumerate(LENGTHS):
        x[row, length:] = torch.nan
    x.requires_grad_()
    y, ends = stack(x, torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        alone, end = stack(x[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(y[row : row + 1, :length], alone)
        torch.testing.assert_close(ends[row : row + 1], end)
        assert not y[row, length:].any()
    gradient, *of_weights = torch.autograd.grad(y.square().sum() + ends.sum(), [x, *stack.parameters()])
    assert all(each.isfinite().all() for each in of_weights)
    for row, length in enumerate(LENGTHS):
        assert gradient[row, :length].any(-1).all()
        assert not gradient[row, length:].any()


def test_pytorch_has_the_same() -> None:
    ours, theirs = BidirectionalStack(5, 4, 2), torch.nn.LSTM(5, 4, 2, batch_first=True, bidirectional=True)
    weights = dict(theirs.named_parameters())
    with torch.no_grad():
        for layer in range(2):
            for end, cell in zip(("", "_reverse"), ours.layers[layer], strict=True):  # type: ignore[arg-type]
                for name, own in (("weight_ih", cell.weight_ih), ("weight_hh", cell.weight_hh), ("bias_ih", cell.bias)):
                    weights[f"{name}_l{layer}{end}"].copy_(own)
                weights[f"bias_hh_l{layer}{end}"].zero_()
    x = torch.randn(3, 7, 5)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(x, torch.tensor(LENGTHS))[0], expected)


@pytest.mark.parametrize("lengths", [[0, 1, 2], [1, 2, 10]])
def test_lengths_that_cannot_be(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="lengths must be from 1 to 9"):
        BidirectionalStack(5, 4, 1)(torch.randn(3, 9, 5), torch.tensor(lengths))


@pytest.mark.parametrize("lengths", [torch.tensor([5.0, 5.0]), torch.tensor([5]), torch.ones(0, dtype=torch.int64)])
def test_lengths_that_belong_to_other_texts(lengths: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="one a text"):
        BidirectionalStack(5, 4, 1)(torch.randn(len(lengths) if len(lengths) != 1 else 2, 9, 5), lengths)


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 0), ("perceptron", 1)])
def test_layers_that_cannot_be(cell: str, layers: int) -> None:
    with pytest.raises(ValueError, match="there must be a layer at least, of lstm, gru"):
        BidirectionalStack(5, 4, layers, cell=cell)
