"""The settings of a run that learns to find music, as its TOML file has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from emsync.errors import UsageError
from emsync.limits import quoted, read_toml, shown
from emsync.settings import Within, build, check

MANY = Within(0, 10**12)
SHARE = Within(0, 1)


@dataclass(frozen=True)
class RetrievalConfig:
    """The settings of one run. UsageError names what cannot be."""

    store: Annotated[str, "folder that `emsync pairs` wrote"]
    out: Annotated[str, "folder for the checkpoint and the figures of the run"]
    task: Annotated[Literal["retrieval"], "what is learned"] = "retrieval"
    system: Annotated[str, "network: vm-net, of-vm-net and others that `emsync plugins` lists"] = (
        "of-vm-net"
    )
    film: Annotated[tuple[str, ...], "columns of films that are read"] = ("lite0", "motion")
    music: Annotated[tuple[str, ...], "columns of music that are read"] = (
        *("musicnn", "onsets", "chroma"),
    )
    network: Annotated[Mapping[str, Any], "settings of the network"] = field(default_factory=dict)
    styles: Annotated[tuple[str, ...], "films that are learned from; none are all"] = ()
    steps: Annotated[int, MANY, "of training; the budget that runs out first ends the run"] = 0
    epochs: Annotated[int, MANY, "in each of which every song is met once; 0 is no limit"] = 0
    minutes: Annotated[float, Within(0, 10**7), "of training; 0 is no limit"] = 0.0
    batch: Annotated[int, Within(2, 65_536), "films in a step, each of another song"] = 32
    rate: Annotated[float, Within(1e-9, 10), "of AdamW"] = 0.001
    weight_decay: Annotated[float, Within(0, 10), "of AdamW"] = 0.01
    warm_up: Annotated[float, SHARE, "share of the budget in which the rate rises"] = 0.05
    decay: Annotated[float, SHARE, "share of the budget at its end in which the rate falls"] = 0.95
    clip: Annotated[float, Within(1e-6, 1e9), "largest norm of the gradient"] = 1.0
    validate_every: Annotated[int, Within(1, 10**12), "steps"] = 200
    save_minutes: Annotated[float, Within(0, 10**5), "between two saves"] = 2.0
    seed: Annotated[int, Within(0, 2**63 - 1), "of all that is drawn by chance"] = 0

    def __post_init__(self) -> None:
        check(self)
        if not (self.steps or self.epochs or self.minutes):
            raise UsageError("a training run needs a budget: set steps, epochs or minutes")
        for key, names in (("film", self.film), ("music", self.music), ("styles", self.styles)):
            _check_names(key, names)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a TOML file; UsageError names a key that is not a setting, or its wrong value."""
        return cls.of(read_toml(path), quoted(path))

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> Self:
        """Return the settings of the tables in the TOML file ``name``."""
        if not isinstance(settings.get("network", {}), dict):
            raise UsageError(f"{name}: 'network' is a table, [network]")
        try:
            return build(cls, settings, f"{name}: ")
        except UsageError as error:
            text = str(error)
            raise UsageError(text if text.startswith(name) else f"{name}: {text}") from error


def _check_names(key: str, names: Sequence[str]) -> None:
    if not names and key != "styles":
        raise UsageError(f"{key} names no column; name some, such as 'motion' or 'mel'")
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{key} names {shown(name)} twice; name it once")
