"""Every setting, as frozen dataclasses that check themselves.

Each field is also a flag. `hidden_size` is `--hidden-size` on the command line, with the same default, help and limits:
`charlstm/cli.py` reads them from the fields. This module imports neither torch nor numpy, so `--help` answers at once.
"""

from __future__ import annotations

import codecs
import dataclasses
import math
import operator
import reprlib
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from charlstm.errors import InputError

T = TypeVar("T")


_HOLDS = {"at_least": operator.ge, "above": operator.gt, "at_most": operator.le, "below": operator.lt}
"""The comparison of a value with each kind of limit."""


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    choices: tuple[str, ...] | None = None,
    chosen: bool = False,
    **limits: float,
) -> Any:
    """A dataclass field with its `--help` text, and with the choices and limits that `check` enforces.

    The default of a `chosen` setting is for a run with a length in steps or epochs. For a length in minutes,
    `training/plan.py` chooses the value.
    """
    assert limits.keys() <= _HOLDS.keys()
    metadata = {"help": help, "limits": limits, "choices": choices, "chosen": chosen}
    return dataclasses.field(default=default, metadata=metadata)


def flag_of(name: str) -> str:
    """`hidden_size` → `--hidden-size`."""
    return "--" + name.replace("_", "-")


def help_of(field: dataclasses.Field[Any]) -> str:
    """What a setting means, and its default."""
    help: str = field.metadata["help"]
    if field.default in (None, ()) or "default" in help:
        return help
    return f"{help} (default: {'chosen with --minutes, else ' * field.metadata['chosen']}{field.default})"


def value_type(config: type, name: str) -> tuple[type, bool]:
    """The type of a setting, and whether it may be None: `int | None` gives `(int, True)`.

    The type `tuple` is for a setting that can be given several times, each time as a string.
    """
    hint = typing.get_type_hints(config)[name]
    if isinstance(hint, types.UnionType):
        return typing.get_args(hint)[0], True
    return typing.get_origin(hint) or hint, False


def check(config: Any) -> None:
    """Check the type and the limits of every setting.

    Raises:
        InputError: for a wrong value. The message names the setting, the limit and the value.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if getattr(value, "ndim", None) == 0:  # a number of NumPy's or PyTorch's
            object.__setattr__(config, field.name, value := value.item())
        wanted, optional = value_type(type(config), field.name)
        if value is None and optional:
            continue
        if not _is_of_type(value, wanted):
            raise InputError(f"{field.name} must be of type {wanted.__name__}, not {reprlib.repr(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{field.name} must be a finite number, not {value}")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise InputError(f"{field.name} must be below 2**63, not {reprlib.repr(value)}")
        choices = field.metadata.get("choices")
        if choices and value not in choices:
            raise InputError(f"{field.name} must be one of {', '.join(choices)}, not {reprlib.repr(value)}")
        for kind, limit in field.metadata.get("limits", {}).items():
            if not _HOLDS[kind](value, limit):
                raise InputError(f"{field.name} must be {kind.replace('_', ' ')} {limit}, not {value}")


def _is_of_type(value: Any, wanted: type) -> bool:
    """Whether a value has a type from `value_type`: a `tuple` must hold strings, and True isn't a number."""
    if wanted is tuple:
        return isinstance(value, tuple) and all(isinstance(string, str) for string in value)
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def from_plain(config: type[T], values: Any) -> T:
    """The inverse of `dataclasses.asdict`, also for nested dataclasses.

    Raises:
        InputError: when a value is missing, unknown, of the wrong type or outside its limits.
    """
    if not isinstance(values, dict):
        raise InputError(f"{config.__name__} must be a dictionary, not {reprlib.repr(values)}")
    defaults = {field.name: field.default for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    if unknown := [name for name in values if name not in defaults]:
        raise InputError(f"{config.__name__} has no {reprlib.repr(unknown[0])}")
    if missing := [n for n, default in defaults.items() if n not in values and default is dataclasses.MISSING]:
        raise InputError(f"{missing[0]} of {config.__name__} is missing")
    given = {}
    for name, value in values.items():
        kind, _ = value_type(config, name)
        if dataclasses.is_dataclass(kind):
            value = from_plain(kind, value)
        given[name] = tuple(value) if kind is tuple and isinstance(value, list) else value
    return config(**given)


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """How text files become ids, and how much of the text is for validation and for testing."""

    encoding: str = setting("utf-8", "the text's encoding")
    min_count: int = setting(1, "fold characters that occur less often into U+FFFD", at_least=1, at_most=10**12)
    documents: str = setting(
        "none",
        "read each line, paragraph (between blank lines) or file as a separate text, in a new order every epoch",
        choices=("none", "lines", "paragraphs", "files"),
    )
    val_fraction: float = setting(0.1, "share of the text kept for validation", at_least=0, below=1)
    test_fraction: float = setting(0.0, "share of the text kept for testing, at its end", at_least=0, below=1)

    def __post_init__(self) -> None:
        check(self)
        try:
            "".encode(self.encoding)
            codecs.getincrementaldecoder(self.encoding)
            if codecs.lookup(self.encoding).name in ("idna", "punycode"):  # of names, and not of files
                raise LookupError
        except (LookupError, UnicodeError):
            tries = "utf-8, gb18030, big5, shift_jis, latin-1 or utf-16"
            raise InputError(f"encoding {reprlib.repr(self.encoding)} can't be read: try {tries}") from None
        if self.val_fraction + self.test_fraction >= 1:
            raise InputError(
                f"val_fraction {self.val_fraction} and test_fraction {self.test_fraction} leave nothing to train on:"
                " their sum must be below 1"
            )


CELLS = ("lstm", "gru", "gru-reset-before", "rnn", "peephole", "cifg", "depth-gated", "clockwork", "mogrifier")
"""The cells in `charlstm/model/cells.py`."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of a model; `vocab_size` comes from the text."""

    vocab_size: int = setting(help="number of different characters", at_least=1)
    cell: str = setting("lstm", "kind of recurrent unit", choices=CELLS)
    hidden_size: int = setting(512, "units in each recurrent layer", at_least=1, at_most=2**16, chosen=True)
    num_layers: int = setting(1, "recurrent layers", at_least=1, at_most=100, chosen=True)
    ensemble_size: int = setting(1, "networks that learn and predict together", at_least=1, at_most=100, chosen=True)
    embedding_dim: int | None = setting(
        None, "length of an embedding (default: 128, with tie_weights hidden_size)", at_least=1, at_most=2**16
    )
    dropout: float = setting(0.1, "share of each layer's units zeroed in training", at_least=0, below=1, chosen=True)
    recurrent_dropout: float = setting(0.0, "share of units zeroed in the recurrence", at_least=0, below=1, chosen=True)
    tie_weights: bool = setting(False, "one matrix for embedding and output; needs embedding_dim = hidden_size")

    def __post_init__(self) -> None:
        check(self)
        if self.embedding_dim is None:
            object.__setattr__(self, "embedding_dim", self.hidden_size if self.tie_weights else 128)
        if self.tie_weights and self.embedding_dim != self.hidden_size:
            raise InputError(
                f"tie_weights needs embedding_dim equal to hidden_size, not {self.embedding_dim} and"
                f" {self.hidden_size}: give both the same value"
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained, and how long: at most one of `steps`, `epochs` and `minutes` is given."""

    steps: int | None = setting(None, "train this many steps in all", at_least=1, at_most=10**12)
    epochs: float | None = setting(None, "train this many passes over the text in all", above=0, at_most=10**6)
    minutes: float | None = setting(None, "train about this long in all (the default: 5)", above=0, at_most=10**6)
    batch_size: int = setting(16, "lanes of text read side by side", at_least=1, at_most=2**20, chosen=True)
    seq_len: int = setting(64, "characters a step goes back in time", at_least=1, at_most=2**20, chosen=True)
    learning_rate: float = setting(7e-3, "AdamW's peak learning rate", above=0, chosen=True)
    weight_decay: float = setting(0.01, "AdamW's decay of the weight matrices", at_least=0)
    grad_clip: float = setting(1.0, "largest norm of a model's whole gradient", above=0)
    dtype: str = setting("auto", "arithmetic of the training step", choices=("auto", "float32", "bfloat16"))
    device: str = setting("auto", "where to compute", choices=("auto", "cpu", "cuda", "mps"))
    seed: int = setting(1, "random seed of weights, dropout and the order of documents", at_least=0, below=2**63)
    threads: int | None = setting(None, "processor threads (default: one for each core)", at_least=1, at_most=1024)
    patience: int | None = setting(None, "stop after this many reports without a better validation", at_least=1)
    checkpoint_every: int | None = setting(None, "steps between saves (default: each report and minute)", at_least=1)
    sync_every: int = setting(1, "steps that processes learn alone before they average", at_least=1, at_most=10**6)

    def __post_init__(self) -> None:
        check(self)
        if self.checkpoint_every and self.checkpoint_every % self.sync_every:
            raise InputError(
                f"checkpoint_every {self.checkpoint_every} must be a multiple of sync_every {self.sync_every}: between"
                " two of those steps no process knows the model"
            )
        given = [name for name in LENGTHS if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} contradict each other: give only one of them")


LENGTHS = ("steps", "epochs", "minutes")
"""The settings that say how long to train."""

DEFAULT_MINUTES = 5.0
"""How long to train when none of `LENGTHS` is given."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """How a model writes text."""

    length: int = setting(500, "new characters to write", at_least=0, at_most=10**12)
    temperature: float = setting(0.8, "below 1 plainer, above 1 wilder, 0 always the likeliest", at_least=0)
    top_k: int | None = setting(None, "draw among the k likeliest characters only", at_least=1)
    top_p: float | None = setting(None, "draw among the likeliest with this total probability", above=0, at_most=1)
    seed: int | None = setting(None, "random seed (default: a new one, which is reported)", at_least=0, below=2**63)
    num_samples: int = setting(1, "number of texts to write", at_least=1, at_most=10**9)
    min_p: float | None = setting(
        None, "draw among characters at least this share as likely as the likeliest", above=0, at_most=1
    )
    no_repeat: int | None = setting(
        None, "against loops: never write this many characters in a row a second time", at_least=2, at_most=10**6
    )
    stop: tuple[str, ...] = setting((), "end before this string; can be given several times")
    until_document_end: bool = setting(False, "write until the document ends, at any length")
    precision: str = setting(
        "auto",
        "number type of the weights on a processor; auto is the fastest",
        choices=("auto", "float32", "bfloat16", "int8"),
    )
    unknown: str = setting(
        "error", "what to do with unknown characters of the prime or --adapt", choices=("error", "skip", "replace")
    )

    def __post_init__(self) -> None:
        check(self)
        if "" in self.stop:
            raise InputError("stop must not be empty: give the string to stop at, or leave it out")
