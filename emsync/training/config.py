"""The settings of a training run, as its TOML file has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from emsync.data.crops import LABELS, SHARE, Cropping
from emsync.errors import UsageError
from emsync.limits import quoted, read_toml, shown
from emsync.model.attention import ATTENTIONS
from emsync.model.transformer import ModelConfig
from emsync.settings import Within, arguments, build, check

RENAMED = {  # the tables' older keys, and what they are called now
    "cropping": {
        "unmarked": "chord_dropout",
        "moved": "boundary_jitter",
        "unasked": "condition_dropout",
    },
}
UNKNOWN = 0  # tokens in the vocabulary, until the store is opened
MANY = Within(0, 10**15)
RATE = Within(1e-9, 10)


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training run. UsageError names what cannot be."""

    store: Annotated[str, "folder that `emsync prepare` wrote"]
    out: Annotated[str, "folder for the checkpoint and the figures of the run"]
    conditioners: Annotated[
        tuple[str, ...] | None, "left out, those of start_from, or else of emsync-small"
    ] = None
    model: Annotated[
        Mapping[str, Any], "the shape of the network; what is left out is that of start_from"
    ] = field(default_factory=dict)
    cropping: Annotated[Cropping, "how examples are cut from songs"] = field(
        default_factory=Cropping
    )
    start_from: Annotated[str, "a checkpoint whose weights to begin with, by name or folder"] = ""
    steps: Annotated[int, MANY, "of training; the budget that runs out first ends the run"] = 0
    tokens: Annotated[int, MANY, "to read; 0 is no limit"] = 0
    minutes: Annotated[float, Within(0, 10**7), "of training; 0 is no limit"] = 0.0
    batch: Annotated[int, Within(1, 65_536), "crops in a step, over all processes"] = 64
    accumulate: Annotated[int, Within(1, 65_536), "parts in which a step is read"] = 1
    optimizer: Annotated[Literal["muon", "adam"], '"muon" or "adam"'] = "muon"
    rate: Annotated[
        float, RATE, "of the matrices in the blocks under Muon; of everything under Adam"
    ] = 0.004
    rate_adam: Annotated[float, RATE, "under Muon, of everything else"] = 0.0015
    weight_decay: Annotated[float, Within(0, 10), "of the matrices under Muon"] = 0.01
    warm_up: Annotated[float, SHARE, "share of the budget in which the rate rises"] = 0.02
    decay: Annotated[float, SHARE, "share of the budget at its end in which the rate falls"] = 0.4
    clip: Annotated[float, Within(1e-6, 1e9), "largest norm of the gradient"] = 1.0
    chord_weight: Annotated[float, Within(0, 1000), "of the loss on the boundary mark"] = 10.0
    labelled_weight: Annotated[
        float, Within(1e-3, 1000), "how much more often a song with a valence is drawn"
    ] = 2.0
    validation: Annotated[float, SHARE, "share of the songs never trained on"] = 0.05
    validation_crops: Annotated[int, Within(1, 10**6), "that are measured each time"] = 64
    validate_every: Annotated[int, Within(1, 10**12), "steps"] = 250
    save_minutes: Annotated[float, Within(0, 10**5), "between two saves"] = 5.0
    bf16: Annotated[bool, "multiply matrices in bfloat16"] = True
    attention: Annotated[
        str, '"plain" on a CPU; "biased", "flexible" and "skewed" are fused kernels for a GPU'
    ] = "plain"
    compile: Annotated[bool, "each layer: half a minute at first, then faster on a GPU"] = False
    seed: Annotated[int, Within(0, 2**63 - 1), "of all that is drawn by chance"] = 0

    def __post_init__(self) -> None:
        check(self)
        shape = arguments(ModelConfig, {"vocab_size": UNKNOWN, **self.model}, "[model] ")
        if not self.start_from:
            ModelConfig(**shape)
        if not (self.steps or self.tokens or self.minutes):
            raise UsageError("a training run needs a budget: set steps, tokens or minutes")
        if self.attention not in ATTENTIONS:
            raise UsageError(
                f"attention {shown(self.attention)} is none of {', '.join(ATTENTIONS)}"
            )
        if self.batch % self.accumulate:
            raise UsageError(
                f"batch {self.batch} is not a multiple of accumulate {self.accumulate}"
            )
        if self.conditioners is not None:
            for name in self.conditioners:
                if self.conditioners.count(name) > 1:
                    raise UsageError(f"the conditioner {shown(name)} is named twice; name it once")
            check_dropped(self.cropping, self.conditioners)

    @classmethod
    def load(cls, path: Path) -> "TrainConfig":
        """Read a TOML file; UsageError names a key that is not a setting, or its wrong value."""
        return cls.of(read_toml(path), quoted(path))

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> "TrainConfig":
        """Return the settings of the tables in the TOML file ``name``."""
        model = _table(settings, "model", name)
        cropping = _table(settings, "cropping", name)
        if "vocab_size" in model:
            raise UsageError(f"{name}: [model] 'vocab_size' is no setting; the store has it")
        crops = build(Cropping, cropping, f"{name}: [cropping] ")
        try:
            return build(cls, {**settings, "model": model, "cropping": crops}, f"{name}: ")
        except UsageError as error:
            text = str(error)
            raise UsageError(text if text.startswith(name) else f"{name}: {text}") from error


def check_dropped(cropping: Cropping, names: Sequence[str]) -> None:
    """Refuse a name in [cropping.drop] that is no label and none of the conditioners ``names``."""
    known = {*LABELS, *names}
    for name in cropping.drop:
        if name not in known:
            raise UsageError(f"[cropping.drop] {shown(name)} is none of {sorted(known)}")


def _table(settings: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    """Return a table of the file; a key that has another name now is refused with that name."""
    table = settings.get(key, {})
    if not isinstance(table, dict):
        raise UsageError(f"{name}: {key!r} is a table, [{key}]")
    for old, new in RENAMED.get(key, {}).items():
        if old in table:
            raise UsageError(f"{name}: [{key}] {old!r} is now called {new!r}; rename it")
    return table
