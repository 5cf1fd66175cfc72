"""Feelings that nobody has to estimate: one for the whole film, or those of a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from emsync.emotion.arc import check_arc, read_arc
from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.emotion.plane import Point, check_affect, mean_point, mixture_mean, parse_emotion
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.video.footage import Footage

SURE = 0.05  # width of what a person says


def _said(point: Point, words: str) -> Belief:
    return Belief(point.valence, point.arousal, SURE, SURE, words)


@dataclass(frozen=True)
class Fixed(Estimator):
    """One feeling for the whole film."""

    name: ClassVar[str] = "fixed"
    summary: ClassVar[str] = (
        "one feeling throughout: fixed:joy, or valence and arousal fixed:0.5/-0.2"
    )

    belief: Belief

    @classmethod
    def given(cls, argument: str) -> Self:
        valence, slash, arousal = argument.partition("/")
        if not slash:
            return cls(_said(mixture_mean(parse_emotion(argument)), f"given: {argument}"))
        try:
            point = check_affect("valence", float(valence)), check_affect("arousal", float(arousal))
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(
                f"{shown(argument)} is not a valence and an arousal such as 0.5/-0.2"
            ) from None
        return cls(_said(Point(*point), f"given: {argument}"))

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        return [self.belief] * len(spans)


@dataclass(frozen=True)
class File(Estimator):
    """The arc in a file, averaged over each span."""

    name: ClassVar[str] = "file"
    summary: ClassVar[str] = "what a CSV of time,valence,arousal or time,emotion says: file:arc.csv"

    path: Path

    @classmethod
    def given(cls, argument: str) -> Self:
        if not argument:
            raise UsageError("the estimator 'file' needs its file, such as file:arc.csv")
        check_arc(Path(argument))  # before the film is watched
        return cls(Path(argument))

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        arc = read_arc(self.path, footage.film.duration)
        points = [Point(state.valence, state.arousal) for state in arc]
        said = []
        for start, end in spans:
            shares = [max(0.0, min(end, s.end) - max(start, s.start)) for s in arc]
            said.append(_said(mean_point(points, shares), f"given in {self.path.name}"))
        return said
