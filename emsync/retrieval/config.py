"""The settings of a run that learns to find music, as its TOML file has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from emsync.errors import UsageError
from emsync.limits import shown
from emsync.settings import Within
from emsync.training.lesson import MANY, LessonConfig


@dataclass(frozen=True, kw_only=True)
class RetrievalConfig(LessonConfig):
    """The settings of one run. UsageError names what cannot be."""

    store: Annotated[str, "folder that `emsync pairs` wrote"]
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
    epochs: Annotated[int, MANY, "in each of which every song is met once; 0 is no limit"] = 0
    batch: Annotated[int, Within(2, 65_536), "films in a step, each of another song"] = 32

    fixed: ClassVar = ("task", "system", "film", "music", "network", "styles")
    budgets: ClassVar = "steps, epochs or minutes"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, names in (("film", self.film), ("music", self.music), ("styles", self.styles)):
            _check_names(key, names)

    @property
    def has_budget(self) -> bool:
        """Whether something ends the run."""
        return super().has_budget or bool(self.epochs)


def _check_names(key: str, names: Sequence[str]) -> None:
    if not names and key != "styles":
        raise UsageError(f"{key} names no column; name some, such as 'motion' or 'mel'")
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{key} names {shown(name)} twice; name it once")
