"""The settings of a run that teaches the towers, as its TOML file has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from emsync.settings import build
from emsync.synchrony.feed import FeedConfig
from emsync.synchrony.towers import TowerConfig
from emsync.training.lesson import LessonConfig


@dataclass(frozen=True, kw_only=True)
class SynchronyConfig(LessonConfig):
    """The settings of one run. UsageError names what cannot be."""

    passages: Annotated[str, "folder that `emsync pairs play` wrote"]
    task: Annotated[Literal["synchrony"], "what is learned"] = "synchrony"
    towers: Annotated[Mapping[str, Any], "the shape of the towers"] = field(default_factory=dict)
    feed: Annotated[Mapping[str, Any], "films, and music that nearly belongs to them"] = field(
        default_factory=dict
    )

    fixed: ClassVar = ("task", "towers")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.tower_config()
        self.feed_config()

    def tower_config(self) -> TowerConfig:
        """Return the shape of the towers."""
        return build(TowerConfig, self.towers, "[towers] ")

    def feed_config(self) -> FeedConfig:
        """Return how batches are made."""
        return build(FeedConfig, self.feed, "[feed] ")
