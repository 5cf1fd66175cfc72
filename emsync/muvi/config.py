"""The settings of runs that teach the flow, as their TOML files have them: one stage each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from emsync.muvi.conditions import CONDITIONS
from emsync.muvi.dit import DitShape
from emsync.muvi.flow import Times
from emsync.settings import Within, build
from emsync.training.lesson import LessonConfig


@dataclass(frozen=True, kw_only=True)
class FlowingConfig(LessonConfig):
    """What the settings of both stages have."""

    store: Annotated[str, "folder that `emsync pairs play` wrote"]
    task: Annotated[Literal["muvi"], "what is learned"] = "muvi"
    stage: str
    batch: Annotated[int, Within(1, 65_536), "passages in a step"] = 16
    times: Annotated[Times, "between noise and music, at which it learns"] = "logit-normal"
    bf16: Annotated[bool, "whether products have 16 bits: faster where the processor can"] = False

    fixed: ClassVar[tuple[str, ...]] = ("task", "stage")


@dataclass(frozen=True, kw_only=True)
class FlowConfig(FlowingConfig):
    """The settings of a run with music by itself, told what a film could have asked."""

    codec: Annotated[str, "folder of a codec, which the stage codec wrote"]
    stage: Annotated[Literal["flow"], "what is taught"] = "flow"
    dit: Annotated[Mapping[str, Any], "size of the network"] = field(default_factory=dict)
    conditions: Annotated[tuple[str, ...], "conditioners whose rows it is told"] = CONDITIONS

    fixed: ClassVar = ("task", "stage", "dit", "conditions")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.dit_shape()

    def dit_shape(self) -> DitShape:
        """Return the size of the network."""
        return build(DitShape, self.dit, "[dit] ")


@dataclass(frozen=True, kw_only=True)
class FilmConfig(FlowingConfig):
    """The settings of a run with films, drawn to passages, that goes on from one of the flow."""

    flow: Annotated[str, "folder of a checkpoint of the stage flow"]
    sight: Annotated[str, "towers that see films: a folder, or the name of shipped ones"]
    stage: Annotated[Literal["film"], "what is taught"] = "film"
