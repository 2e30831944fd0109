"""The recurrent cells, by name. Each is the names of its gates and its equations; the rest is in `Cell`.

In the equations σ is the logistic function, ⊙ the product by elements, h₋ and c₋ are the output and the memory of the
step before. `wx` holds W x + b for all gates, one gate after the other.
"""

from __future__ import annotations

import itertools
from typing import ClassVar

import torch
from torch import Tensor, nn

from charlstm.model.cell import Cell, Signals, initialises
from charlstm.model.gru import GRU, ResetBeforeGRU
from charlstm.model.lstm import LSTM, FastLSTM
from charlstm.model.products import Linear, Matrix
from charlstm.model.steps import CellState


class SimpleRNN(Cell):
    """The simple recurrent network (Elman 1990).

    h = tanh(W x + R h₋ + b)
    """

    gates = ("h",)
    learning_rate = 0.35

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """h."""
        return {"h": linear("weight_hh", state.h, wx).tanh()}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """h is all of the state."""
        return CellState(signals["h"], state.c)


class PeepholeLSTM(LSTM):
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

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """i, f, g, o; and the new c, since o sees it."""
        i, f, g, o = linear("weight_hh", state.h, wx).chunk(4, -1)
        i = torch.addcmul(i, self.see_i, state.c).sigmoid()
        f = torch.addcmul(f, self.see_f, state.c).sigmoid()
        g = g.tanh()
        c = torch.addcmul(f * state.c, i, g)
        return {"i": i, "f": f, "g": g, "o": torch.addcmul(o, self.see_o, c).sigmoid(), "c": c}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """h."""
        return CellState(signals["o"] * signals["c"].tanh(), signals["c"])


class CoupledLSTM(Cell):
    """The LSTM whose input gate is what its forget gate leaves, "CIFG" (Greff et al. 2015), without peepholes.

    f = σ(Wf x + Rf h₋ + bf)
    g = tanh(Wg x + Rg h₋ + bg)
    o = σ(Wo x + Ro h₋ + bo)
    c = f ⊙ c₋ + (1 - f) ⊙ g
    h = o ⊙ tanh(c)
    """

    gates = ("f", "g", "o")

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """f, g and o."""
        f, g, o = linear("weight_hh", state.h, wx).chunk(3, -1)
        return {"f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """c and h."""
        c = torch.lerp(signals["g"], state.c, signals["f"])
        return CellState(signals["o"] * c.tanh(), c)


class DepthGatedLSTM(LSTM):
    """The LSTM with a gate to the memory of the layer below, c', at the same step (Yao et al. 2015).

        i, f, g, o                                          as the LSTM's
        d = σ(Wd x + wc ⊙ c₋ + wl ⊙ c' + bd)                depth gate
        c = f ⊙ c₋ + i ⊙ g + d ⊙ c'
        h = o ⊙ tanh(c)

    The lowest layer has nothing below it, and is an LSTM.
    """

    gates = ("i", "f", "g", "o", "d")
    input_only = ("d",)
    reads_below = True
    lowest = LSTM

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        self.see_own, self.see_below = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(2))

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """i, f, g, o and d."""
        assert state.below is not None
        ifgo, d = torch.split(wx, [4 * self.hidden_size, self.hidden_size], -1)
        d = (d + self.see_own * state.c + self.see_below * state.below).sigmoid()
        return {**super().activations(ifgo, state, linear), "d": d}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """c and h."""
        assert state.below is not None
        c = signals["f"] * state.c + signals["i"] * signals["g"] + signals["d"] * state.below
        return CellState(signals["o"] * c.tanh(), c)


class ClockworkRNN(Cell):
    """The simple recurrent network in modules, each of which has its own period (Koutník et al. 2014).

        h_i = tanh(W_i x + Σ_{j ≥ i} R_ij h_j₋ + b_i)       at steps t that are multiples of T_i = 2^i
        h_i = h_i₋                                          at all others

    for the modules i = 0 … 7, as equal in size as the units allow: the slow ones feed the fast ones. `c` is the clock:
    it holds t, for each text, in all its numbers.
    """

    gates = ("h",)
    learning_rate = 0.75
    MODULES: ClassVar[int] = 8

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        # Where the units of each module end; of 10 units: 2 3 4 5 7 8 9 10.
        self.ends = [-(-n * hidden_size // self.MODULES) for n in range(1, self.MODULES + 1)]
        super().__init__(input_size, hidden_size, recurrent_dropout)

    def init_recurrent(self, weight_hh: Tensor) -> None:
        """Initialise `weight_hh`: for each module, an orthogonal matrix over the units that it reads."""
        for begin, end in itertools.pairwise([0, *self.ends]):
            nn.init.orthogonal_(weight_hh[begin:end, begin:])
            weight_hh[begin:end, :begin] = 0

    @property
    def unused(self) -> int:
        """How many numbers of `weight_hh` never count, since a slow module doesn't read a faster one."""
        return sum((end - begin) * begin for begin, end in itertools.pairwise([0, *self.ends]))

    def matrices(self, weight_hh: Tensor) -> dict[str, Matrix]:
        """The rows of the first n units, by n: the units that change at a step are always the first ones."""
        begins = [begin for begin, end in itertools.pairwise([0, *self.ends]) for _ in range(begin, end)]
        first_read = torch.tensor(begins, device=weight_hh.device).unsqueeze(1)
        feeds = torch.arange(self.hidden_size, device=weight_hh.device) >= first_read
        weight = weight_hh * feeds
        return {str(n): (weight[:n], None) for n in self.ends}

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """h. Where all texts have come equally far, only the units that change are computed."""
        h, clock = state.h, state.c
        counts = {self.hidden_size}
        can_ask = clock.device.type == "cpu" and not torch.compiler.is_exporting()  # a GPU would have to be waited for
        if can_ask:
            counts = {self._changing(t) for t in clock[:, 0].tolist()}
        n = max(counts)
        new = linear(str(n), h, wx[:, :n]).tanh()
        if len(counts) > 1 or not can_ask:
            new = torch.where(clock[:, :n] % self._periods(clock)[:n] == 0, new, h[:, :n])
        return {"h": torch.cat([new, h[:, n:]], -1)}

    def update(self, signals: Signals, state: CellState) -> CellState:
        """h, and the clock goes on. It begins again when all modules have changed at once."""
        return CellState(signals["h"], (state.c + 1) % 2**self.MODULES)

    def _changing(self, t: float) -> int:
        """How many of the units change at step t."""
        turns = [n for module, n in enumerate(self.ends) if t % 2**module == 0]
        if not turns:
            raise ValueError(f"a clock must be at a whole number, not {t}")
        return turns[-1]

    def _periods(self, like: Tensor) -> Tensor:
        """The period of each unit, [H]."""
        module = torch.arange(self.hidden_size, device=like.device) * self.MODULES // self.hidden_size
        return (2**module).to(like.dtype)


class MogrifierLSTM(LSTM):
    """The LSTM whose input and output gate each other first (Melis et al. 2020), in four rounds:

        x ← 2σ(Q₁ h₋ + q₁) ⊙ x,  h₋ ← 2σ(Q₂ x + q₂) ⊙ h₋,  x ← …

    and then the LSTM's equations. Recurrent dropout is of what these read, and not of the rounds.
    """

    learning_rate = 0.5
    ROUNDS: ClassVar[int] = 4

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size, hidden_size, recurrent_dropout)
        sizes = [(input_size, hidden_size), (hidden_size, input_size)] * self.ROUNDS
        self.mogrify = nn.ParameterList(torch.empty(size) for size in sizes[: self.ROUNDS])
        self.mogrify_bias = nn.ParameterList(torch.zeros(size) for size, _ in sizes[: self.ROUNDS])
        if initialises():
            for weight in self.mogrify:
                nn.init.xavier_uniform_(weight.detach())

    def project(self, x: Tensor, linear: Linear | None = None) -> Tensor:
        """x itself: the gates depend on the input only after h has gated it."""
        return x

    def matrices(self, weight_hh: Tensor) -> dict[str, Matrix]:
        """Those of the rounds, q1 to q4, and the LSTM's for x and h together."""
        rounds = zip(self.mogrify, self.mogrify_bias, strict=True)
        matrices: dict[str, Matrix] = {f"q{number}": matrix for number, matrix in enumerate(rounds, 1)}
        return {**matrices, "both": (torch.cat([self.weight_ih, weight_hh], 1), self.bias)}

    def activations(self, wx: Tensor, state: CellState, linear: Linear) -> Signals:
        """q1 to q4, what each round multiplies with; then i, f, g and o."""
        h, x = state.h, wx.to(state.h.dtype)
        rounds = {}
        for number in range(1, self.ROUNDS + 1):
            name = f"q{number}"
            rounds[name] = 2 * linear(name, h if number % 2 else x).sigmoid()
            if number % 2:
                x = rounds[name] * x
            else:
                h = rounds[name] * h
        return {**rounds, **self.squashed(linear("both", torch.cat([x, h], -1)))}


CELLS: dict[str, type[Cell]] = {
    "lstm": FastLSTM,
    "gru": GRU,
    "gru-reset-before": ResetBeforeGRU,
    "rnn": SimpleRNN,
    "peephole": PeepholeLSTM,
    "cifg": CoupledLSTM,
    "depth-gated": DepthGatedLSTM,
    "clockwork": ClockworkRNN,
    "mogrifier": MogrifierLSTM,
}
"""By the names that `--cell` knows."""
