"""The recurrent cells, by name. Each is its equations; all else is `Cell`'s.

In all of them σ is the logistic function, ⊙ the product by elements, and h₋ and c₋ are those of the moment before.
"""

from __future__ import annotations

import functools
from typing import ClassVar

import torch
from torch import Tensor, nn

from charlstm.model.cell import Cell, CellState, Times
from charlstm.model.lstm import LSTM, PlainLSTM


class SimpleRNN(Cell):
    """The simple recurrent network (Elman 1990).

    h = tanh(W x + R h₋ + b)
    """

    gates = recurrent = 1
    learning_rate = 0.35

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equation above."""
        h, c = state
        return times("weight_hh", h, x).tanh(), c


class GRU(Cell):
    """The gated recurrent unit (Cho et al. 2014), with the reset gate where cuDNN and PyTorch have it, and one bias.

    r = σ(Wr x + Rr h₋ + br)            reset gate: how much of the old the new is made from
    z = σ(Wz x + Rz h₋ + bz)            update gate: how much of the old is kept
    n = tanh(Wn x + r ⊙ (Rn h₋) + bn)   candidate
    h = z ⊙ h₋ + (1 - z) ⊙ n            output, which is the memory too
    """

    gates = recurrent = 3
    learning_rate = 0.5

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above."""
        h, c = state
        own = times("weight_hh", h)
        gates = 2 * self.hidden_size
        r, z = (x[..., :gates] + own[..., :gates]).sigmoid().chunk(2, -1)
        n = (x[..., gates:] + r * own[..., gates:]).tanh()
        return torch.lerp(n, h, z), c


class PeepholeLSTM(PlainLSTM):
    """The LSTM whose gates see the memory (Gers & Schmidhuber 2000; the vanilla LSTM of Greff et al. 2015).

    i = σ(Wi x + Ri h₋ + pi ⊙ c₋ + bi)
    f = σ(Wf x + Rf h₋ + pf ⊙ c₋ + bf)
    g = tanh(Wg x + Rg h₋ + bg)
    c = f ⊙ c₋ + i ⊙ g
    o = σ(Wo x + Ro h₋ + po ⊙ c + bo)
    h = o ⊙ tanh(c)
    """

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        self.see_i, self.see_f, self.see_o = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(3))

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above."""
        h, c = state
        i, f, g, o = times("weight_hh", h, x).chunk(4, -1)
        i, f = torch.addcmul(i, self.see_i, c).sigmoid(), torch.addcmul(f, self.see_f, c).sigmoid()
        c = torch.addcmul(f * c, i, g.tanh())
        return torch.addcmul(o, self.see_o, c).sigmoid() * c.tanh(), c


class CoupledLSTM(Cell):
    """The LSTM whose input gate is what its forget gate leaves, "CIFG" (Greff et al. 2015), without peepholes.

    f = σ(Wf x + Rf h₋ + bf)
    g = tanh(Wg x + Rg h₋ + bg)
    o = σ(Wo x + Ro h₋ + bo)
    c = f ⊙ c₋ + (1 - f) ⊙ g
    h = o ⊙ tanh(c)
    """

    gates = recurrent = 3

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        nn.init.ones_(self.bias[:hidden_size].detach())

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above."""
        h, c = state
        f, g, o = times("weight_hh", h, x).chunk(3, -1)
        c = torch.lerp(g.tanh(), c, f.sigmoid())
        return o.sigmoid() * c.tanh(), c


class LowestDepthGated(PlainLSTM):
    """The LSTM below a `DepthGatedLSTM`, which shows its memory too."""

    def show(self, state: CellState) -> Tensor:
        """h and c, [B, 2H]."""
        return torch.cat(state, -1)


class DepthGatedLSTM(LowestDepthGated):
    """The LSTM with a gate to the memory of the layer below, c', at the same moment (Yao et al. 2015).

        i, f, g, o                                          as the LSTM's
        d = σ(Wd x + wc ⊙ c₋ + wl ⊙ c' + bd)                depth gate
        c = f ⊙ c₋ + i ⊙ g + d ⊙ c'
        h = o ⊙ tanh(c)

    The lowest layer has nothing below it, and is an LSTM.
    """

    gates = 5
    lowest = LowestDepthGated

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        self.see_own, self.see_below = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(2))

    def project(self, x: Tensor, times: Times) -> Tensor:
        """x [..., input_size + H], what is below and its memory → [..., 5H + H]."""
        shown, memory = torch.split(x, [self.input_size, self.hidden_size], -1)
        return torch.cat([super().project(shown, times), memory], -1)

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above."""
        (h, c), size = state, self.hidden_size
        given, d, below = torch.split(x, [4 * size, size, size], -1)
        i, f, g, o = times("weight_hh", h, given).chunk(4, -1)
        d = (d + self.see_own * c + self.see_below * below).sigmoid()
        c = f.sigmoid() * c + i.sigmoid() * g.tanh() + d * below
        return o.sigmoid() * c.tanh(), c


class ClockworkRNN(Cell):
    """The simple recurrent network in modules of which each has its period (Koutník et al. 2014).

        h_i = tanh(W_i x + Σ_{j ≥ i} R_ij h_j₋ + b_i)       where t is a multiple of T_i = 2^i
        h_i = h_i₋                                          elsewhere

    for the modules i = 0 … 7, as equal in size as the units allow: the slow ones feed the fast ones. `c` is the clock:
    t, of each text, in all its numbers.
    """

    gates = recurrent = 1
    learning_rate = 0.75
    MODULES: ClassVar[int] = 8

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        module = torch.arange(hidden_size) * self.MODULES // hidden_size
        self.period: Tensor
        self.feeds: Tensor
        self.register_buffer("period", 2.0**module, persistent=False)
        self.register_buffer("feeds", (module[:, None] <= module).float(), persistent=False)

    def draw_recurrent(self, weight_hh: Tensor) -> None:
        """First values for `weight_hh`: orthogonal, module by module, over what each reads."""
        for begin, end in zip([0, *self.ends], self.ends, strict=False):
            nn.init.orthogonal_(weight_hh[begin:end, begin:])
            weight_hh[begin:end, :begin] = 0

    @functools.cached_property
    def ends(self) -> list[int]:
        """Where the units of each module end."""
        return [-(-n * self.hidden_size // self.MODULES) for n in range(1, self.MODULES + 1)]

    @property
    def unused(self) -> int:
        """How many numbers of `weight_hh` have no part in anything."""
        return sum((end - begin) * begin for begin, end in zip([0, *self.ends], self.ends, strict=False))

    def matrices(self, weight_hh: Tensor) -> dict[str, Tensor]:
        """The rows of the first units, by how many of them change."""
        weight = weight_hh * self.feeds
        return {str(n): weight[:n] for n in self.ends}

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above. Where the texts have come equally far, only what changes is computed."""
        h, clock = state
        on_cpu = clock.device.type == "cpu"  # another device would have to be waited for
        changing = {self._changing(t) for t in clock[:, 0].tolist()} if on_cpu else {self.hidden_size}
        n = max(changing)
        new = times(str(n), h, x[:, :n]).tanh()
        if len(changing) > 1 or not on_cpu:
            new = torch.where(clock[:, :n] % self.period[:n] == 0, new, h[:, :n])
        return torch.cat([new, h[:, n:]], -1), (clock + 1) % 2**self.MODULES

    def _changing(self, t: float) -> int:
        """How many of the units change at this moment."""
        return next(n for module, n in reversed(list(enumerate(self.ends))) if t % 2**module == 0)


class MogrifierLSTM(PlainLSTM):
    """The LSTM whose input and output gate each other first (Melis et al. 2020), in four rounds:

        x ← 2σ(Q₁ h₋ + q₁) ⊙ x,  h₋ ← 2σ(Q₂ x + q₂) ⊙ h₋,  x ← …

    and then the LSTM's equations. Recurrent dropout is of what these read, and not of the rounds.
    """

    learning_rate = 0.5
    ROUNDS: ClassVar[int] = 4

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        sizes = [(input_size, hidden_size), (hidden_size, input_size)] * self.ROUNDS
        self.mogrify = nn.ParameterList(nn.init.xavier_uniform_(torch.empty(size)) for size in sizes[: self.ROUNDS])
        self.mogrify_bias = nn.ParameterList(torch.zeros(size) for size, _ in sizes[: self.ROUNDS])

    def project(self, x: Tensor, times: Times) -> Tensor:
        """Nothing is known of what an input gives before h is."""
        return x

    def matrices(self, weight_hh: Tensor) -> dict[str, Tensor]:
        """Those of the rounds, by number, and the LSTM's for both that were gated."""
        rounds = {str(number): weight for number, weight in enumerate(self.mogrify)}
        return {**rounds, "both": torch.cat([self.weight_ih, weight_hh], 1)}

    def step(self, x: Tensor, state: CellState, times: Times) -> CellState:
        """The equations above."""
        h, c = state
        x = x.to(h.dtype)
        for number, bias in enumerate(self.mogrify_bias):
            if number % 2:
                h = 2 * times(str(number), x, bias).sigmoid() * h
            else:
                x = 2 * times(str(number), h, bias).sigmoid() * x
        return self.gated(times("both", torch.cat([x, h], -1), self.bias), c)


CELLS: dict[str, type[Cell]] = {
    "lstm": LSTM,
    "gru": GRU,
    "rnn": SimpleRNN,
    "peephole": PeepholeLSTM,
    "cifg": CoupledLSTM,
    "depth-gated": DepthGatedLSTM,
    "clockwork": ClockworkRNN,
    "mogrifier": MogrifierLSTM,
}
"""By the names that `--cell` knows."""
