"""What footage feels like: the interface of an estimator, and several of them together.

An estimator is given spans of time, all at once, and returns what it believes of each. The shots
of a film, its scenes and its seconds are spans alike.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import ClassVar, Self, TypeAlias

from emsync import plugins
from emsync.emotion.belief import MOST_WORDS, NARROWEST, Belief, product
from emsync.errors import AssetError, UsageError
from emsync.limits import one_line, shown
from emsync.options import ESTIMATOR
from emsync.video.footage import NOTHING_MORE, Footage, Needs

MOST_TRUST = 1e6  # of one among several
LEAST_TRUST = 1e-6
Span: TypeAlias = tuple[float, float]  # seconds: from, until


@dataclass(frozen=True)
class Estimator(ABC):
    """Estimates what footage feels like. Its settings are the fields of the dataclass."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for ``emsync plugins``

    @abstractmethod
    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        """Return what ``footage`` feels like in each of ``spans``, which may overlap."""

    def says(self, footage: Footage, spans: Sequence[Span]) -> dict[str, list[Belief]]:
        """Return what each cue, by its title, makes of each of ``spans``; their product counts.

        AssetError where ``feel`` returned what is no belief for each span.
        """
        return {self.title: checked(self.title, self.feel(footage, spans), spans)}

    @classmethod
    def given(cls, argument: str) -> Self:
        """Return the estimator for what follows the colon of ``name:argument``, or nothing.

        Raises AssetError where weights that it needs are missing.
        """
        if argument:
            raise UsageError(
                f"the estimator {cls.name!r} takes no argument, but got {shown(argument)}"
            )
        return cls()

    @property
    def title(self) -> str:
        """What the analysis says of where its feeling comes from."""
        return self.name

    @property
    def needs(self) -> Needs:
        """What has to be gathered of a film beyond its cuts, motion and colours."""
        return NOTHING_MORE


@dataclass(frozen=True)
class Together(Estimator):
    """The product of what several estimators believe, each trusted more or less."""

    name: ClassVar[str] = "together"
    summary: ClassVar[str] = "the product of what several estimators believe"

    parts: tuple[tuple[Estimator, float], ...]  # each with its trust, above 0; 1 is as it says

    @property
    def needs(self) -> Needs:
        return reduce(Needs.__or__, (estimator.needs for estimator, _ in self.parts))

    @property
    def title(self) -> str:
        return ",".join(
            estimator.title + ("" if trust == 1 else f"={trust:g}")
            for estimator, trust in self.parts
        )

    def says(self, footage: Footage, spans: Sequence[Span]) -> dict[str, list[Belief]]:
        says: dict[str, list[Belief]] = {}
        for estimator, trust in self.parts:
            for title, beliefs in estimator.says(footage, spans).items():
                again = sum(name.split(" #")[0] == title for name in says)
                name = f"{title} #{again + 1}" if again else title
                says[name] = [belief.trusted(trust) for belief in beliefs]
        return says

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return together(self.says(footage, spans))


def checked(title: str, said: object, spans: Sequence[Span]) -> list[Belief]:
    """Return what an estimator said of ``spans`` in plain numbers, and in words of one line.

    AssetError where it is not a belief for each span, on the plane, and of a width that a file can
    hold: such an estimator is broken.
    """
    beliefs = list(said) if isinstance(said, Iterable) else []
    if len(beliefs) != len(spans):
        raise _broken(title, f"it gives {len(beliefs)} beliefs for {len(spans)} spans")
    plain = []
    for belief, (start, end) in zip(beliefs, spans, strict=True):
        where = f"of {start:g} to {end:g} s it says {shown(belief)}"
        if not isinstance(belief, Belief):
            raise _broken(title, f"{where}, which is no Belief")
        means = float(belief.valence), float(belief.arousal)
        widths = float(belief.valence_sd), float(belief.arousal_sd)
        if not all(-1 <= mean <= 1 for mean in means):
            raise _broken(title, f"{where}, outside -1 to 1")
        if not all(width >= NARROWEST for width in widths):
            raise _broken(title, f"{where}, of which a width is below {NARROWEST:g}")
        plain.append(Belief(*means, *widths, one_line(belief.words, MOST_WORDS)))
    return plain


def _broken(title: str, why: str) -> AssetError:
    return AssetError(
        f"the estimator {shown(title)} is broken: {why}; name another, or mend its package"
    )


def together(says: Mapping[str, Sequence[Belief]]) -> list[Belief]:
    """Return the product of what all cues make of each span."""
    return [product(beliefs) for beliefs in zip(*says.values(), strict=True)]


def choose(text: str = ESTIMATOR, *, ignore_sound: bool = False) -> Estimator:
    """Return the estimator that ``text`` names: ``pictures``, or ``faces,pictures=0.5,sound``.

    Each part is the name of a plug-in, after a colon what it needs, after an equals sign how far
    it is trusted. ``ignore_sound`` leaves out what would listen to the film. AssetError where a
    plug-in, or what it needs, is missing.
    """
    named = [part.strip() for part in text.split(",")]
    if "" in named:
        raise UsageError(
            f"the estimator {shown(text)} leaves a name out; name one, such as pictures, or "
            "several with a comma between them"
        )
    parts = [
        (plugins.load(plugins.ESTIMATORS, name, Estimator).given(argument), trust)
        for name, argument, trust in map(_split, named)
    ]
    if ignore_sound:
        parts = [(estimator, trust) for estimator, trust in parts if not estimator.needs.sound]
        if not parts:
            raise UsageError(
                f"the estimator {shown(text)} goes by nothing but the sound, which is to be "
                "ignored; name another, such as pictures"
            )
    if len(parts) == 1:
        return parts[0][0]
    return Together(tuple(parts))


def paths_of(text: str) -> list[Path]:
    """Return the files and folders that the parts of an estimator name after their colons."""
    arguments = [_split(part)[1] for part in text.split(",")]
    # Path.exists raises an error of a text that is too long for a name
    return [Path(one) for one in arguments if os.path.exists(one)]  # noqa: PTH110


def _split(text: str) -> tuple[str, str, float]:
    """Return the name, the argument and the trust of a part such as ``file:arc.csv=0.5``."""
    named, weight = text.strip(), 1.0
    before, equals, number = text.rpartition("=")
    if equals:
        try:
            named, weight = before, float(number)
        except ValueError:
            raise UsageError(
                f"the weight of {shown(before)} is {shown(number)}, which is not a number"
            ) from None
        if not LEAST_TRUST <= weight <= MOST_TRUST:
            raise UsageError(
                f"the weight of {shown(before)} is {weight:g}; it must be above 0, from "
                f"{LEAST_TRUST:g} to {MOST_TRUST:g}"
            )
    name, _, argument = named.partition(":")
    return name.strip(), argument, weight
