"""The settings of a training run, as its TOML file has them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from emsync.data.crops import LABELS, Cropping
from emsync.errors import InputError, UsageError
from emsync.model.attention import ATTENTIONS
from emsync.model.transformer import ModelConfig

RENAMED = {  # the tables' older keys, and what they are called now
    "cropping": {
        "unmarked": "chord_dropout",
        "moved": "boundary_jitter",
        "unasked": "condition_dropout",
    },
}
UNKNOWN = 0  # tokens in the vocabulary, until the store is opened


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training run. UsageError names what cannot be."""

    store: str  # folder that ``emsync prepare`` wrote
    out: str  # folder for checkpoints and metrics
    conditioners: tuple[str, ...] | None = None  # None: of ``start_from``, or of emsync-small
    model: ModelConfig = field(default_factory=lambda: ModelConfig(UNKNOWN))
    cropping: Cropping = field(default_factory=Cropping)
    start_from: str = ""  # a checkpoint, by name or folder: begin with its weights, warm up anew
    # the budget: the first that runs out ends the run; 0 is no limit
    steps: int = 0
    tokens: int = 0
    minutes: float = 0.0
    batch: int = 64  # crops in a step, over all processes
    accumulate: int = 1  # a step is read in so many parts
    optimizer: str = "muon"  # or "adam"
    rate: float = 0.004  # of the matrices in the blocks under Muon; of everything under Adam
    rate_adam: float = 0.0015  # under Muon, of everything else
    weight_decay: float = 0.01
    warm_up: float = 0.02  # share of the budget
    decay: float = 0.4  # share of the budget at its end in which the rate falls to zero
    clip: float = 1.0  # of the gradient norm
    chord_weight: float = 10.0  # of the loss on the boundary mark
    labelled_weight: float = 2.0  # how much more often a song with a valence is drawn
    validation: float = 0.05  # share of the duplicate groups never trained on
    validation_crops: int = 64
    validate_every: int = 250  # steps
    save_minutes: float = 5.0
    bf16: bool = True
    attention: str = "plain"  # on a CPU; "biased" or "flexible" are fused kernels for a GPU
    compile: bool = False  # the network by torch.compile: minutes at first, then faster on a GPU
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.steps or self.tokens or self.minutes):
            raise UsageError("a training run needs a budget: set steps, tokens or minutes")
        if self.optimizer not in ("muon", "adam"):
            raise UsageError(f"optimizer {self.optimizer!r} is neither 'muon' nor 'adam'")
        if self.attention not in ATTENTIONS:
            raise UsageError(f"attention {self.attention!r} is none of {', '.join(ATTENTIONS)}")
        if self.batch < 1 or self.accumulate < 1 or self.batch % self.accumulate:
            raise UsageError(
                f"batch {self.batch} is not a multiple of accumulate {self.accumulate}"
            )
        if self.conditioners is not None:
            known = {*LABELS, *self.conditioners}
            for name in self.cropping.drop:
                if name not in known:
                    raise UsageError(f"[cropping.drop] {name!r} is none of {sorted(known)}")

    @classmethod
    def load(cls, path: Path) -> "TrainConfig":
        """Read a TOML file; UsageError names a key that is not a setting."""
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{str(path)!r} is not TOML: {error}") from error
        try:
            return cls(**_typed(settings))
        except (AttributeError, TypeError, UsageError) as error:
            raise UsageError(f"{str(path)!r}: {error}") from error


def _typed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of TrainConfig that a file's ``settings`` stand for."""
    _check_keys("", settings, {f.name for f in fields(TrainConfig)})
    model, cropping = (_table(settings, name) for name in ("model", "cropping"))
    _check_keys("model", model, {f.name for f in fields(ModelConfig)} - {"vocab_size"})
    _check_keys("cropping", cropping, {f.name for f in fields(Cropping)})
    typed = {**settings, "model": ModelConfig(UNKNOWN, **model), "cropping": Cropping(**cropping)}
    if "conditioners" in settings:
        typed["conditioners"] = tuple(settings["conditioners"])
    return typed


def _table(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = settings.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{name!r} is a table, [{name}]")
    return table


def _check_keys(table: str, settings: Mapping[str, Any], known: set[str]) -> None:
    """Refuse a key that is not a setting, or not any more."""
    place = f"[{table}] " if table else ""
    renamed = RENAMED.get(table, {})
    for key in settings:
        if key in renamed:
            raise UsageError(f"{place}{key!r} is now called {renamed[key]!r}; rename it")
        if key not in known:
            raise UsageError(f"{place}{key!r} is no setting; there are {sorted(known)}")
