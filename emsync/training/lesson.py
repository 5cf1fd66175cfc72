"""What one process teaches a small network, step by step, and the settings that all such runs have.

The loop is ``emsync.training.rounds``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from torch import Tensor, nn

from emsync.errors import UsageError
from emsync.limits import quoted, read_toml
from emsync.settings import Within, build, check
from emsync.training.accelerator import SingleProcess

MANY = Within(0, 10**12)
SHARE = Within(0, 1)
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class LessonConfig:
    """The settings of a run, as its TOML file has them. UsageError names what cannot be."""

    out: Annotated[str, "folder for the checkpoint and the figures of the run"]
    steps: Annotated[int, MANY, "of training; the budget that runs out first ends the run"] = 0
    minutes: Annotated[float, Within(0, 10**7), "of training; 0 is no limit"] = 0.0
    rate: Annotated[float, Within(1e-9, 10), "of AdamW"] = 0.001
    weight_decay: Annotated[float, Within(0, 10), "of AdamW"] = 0.01
    warm_up: Annotated[float, SHARE, "share of the budget in which the rate rises"] = 0.05
    decay: Annotated[float, SHARE, "share of the budget at its end in which the rate falls"] = 0.95
    clip: Annotated[float, Within(1e-6, 1e9), "largest norm of the gradient"] = 1.0
    validate_every: Annotated[int, Within(1, 10**12), "steps"] = 200
    save_minutes: Annotated[float, Within(0, 10**5), "between two saves"] = 2.0
    seed: Annotated[int, Within(0, 2**63 - 1), "of all that is drawn by chance"] = 0

    fixed: ClassVar[tuple[str, ...]] = ("task",)  # what a run that goes on has to have begun with
    budgets: ClassVar[str] = "steps or minutes"

    def __post_init__(self) -> None:
        check(self)
        if not self.has_budget:
            raise UsageError(f"a training run needs a budget: set {self.budgets}")

    @property
    def has_budget(self) -> bool:
        """Whether something ends the run."""
        return bool(self.steps or self.minutes)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a TOML file; UsageError names a key that is not a setting, or its wrong value."""
        return cls.of(read_toml(path), quoted(path))

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> Self:
        """Return the settings of the tables in the TOML file ``name``."""
        try:
            return build(cls, settings, f"{name}: ")
        except UsageError as error:
            text = str(error)
            raise UsageError(text if text.startswith(name) else f"{name}: {text}") from error


class Lesson(ABC):
    """What a run teaches, and on what. A step depends on its number and the seed alone."""

    figures: ClassVar[tuple[str, ...]] = ()  # the names of what ``held_out`` may return

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """What learns, where it learns (``on_device``): its parameters that require gradients."""

    @abstractmethod
    def loss(self, step: int, share: float) -> Tensor:
        """Return the loss of a step, when a ``share`` of the budget is spent. Torch is seeded."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the checkpoint as it is now."""

    def held_out(self) -> Mapping[str, float]:
        """Return how well what was never learned from is done."""
        return {}

    def met(self, step: int) -> str:
        """Return what a step is learned from, such as "films: a, b", for an error."""
        return ""

    def limit(self, config: Any) -> int:
        """Return after how many steps the budget is spent; 0 is no limit."""
        steps: int = config.steps
        return steps


def on_device(module: Module) -> Module:
    """Return the module where it can learn fastest: on a GPU, if there is one."""
    return SingleProcess(bf16=False).prepare(module)


@dataclass(frozen=True)
class Task:
    """What ``emsync train`` needs of a kind of run: ``task`` in its settings names it."""

    config: type[LessonConfig]
    files: tuple[str, ...]  # that a run writes into its folder
    train: Callable[..., object]  # of the settings, who is told of each step, and the progress
    held: Callable[[Mapping[str, float]], str]  # what ``held_out`` measured in words, or nothing
    use: Callable[[Any], str]  # the settings: what to do with the checkpoint, a command a line
