"""What breaks a rule of matchers is named by the check for their authors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from emsync.plugin import Columns, Floats, Footage, Match, Matcher, Observer, Shelf
from emsync.testing import check_matcher


@dataclass(frozen=True)
class Crossing(Matcher):
    """How often music crosses zero, beside the mean brightness of a film."""

    name: ClassVar[str] = "crossing"
    summary: ClassVar[str] = "high sounds for bright pictures"
    rate: ClassVar[int] = 8000

    @property
    def stamp(self) -> str:
        return "crossing 1"

    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        return {"wanted": footage.brightness.mean(keepdims=True)}

    def hear(self, samples: Floats) -> Columns:
        return {"high": np.array([(np.diff(np.sign(samples)) != 0).mean()], np.float32)}

    def rank(self, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        scores = -np.abs(tracks.columns["high"].values - film["wanted"])
        scores[tracks.columns["high"].values == 0] = -1.0
        order = np.argsort(-scores, kind="stable")[:top]
        return [Match(int(track), float(scores[track])) for track in order]


def test_a_matcher_that_keeps_the_rules_passes() -> None:
    check_matcher(Crossing())


def loud(self: Crossing, samples: Floats) -> Columns:
    return {"high": np.abs(samples).max(initial=0, keepdims=True)}


def changing(self: Crossing, samples: Floats) -> Columns:
    samples *= 2
    return {"high": np.zeros(1, np.float32)}


def ranked(change: Callable[[list[Match]], list[Match]]) -> Any:
    def rank(self: Crossing, film: Columns, tracks: Shelf, top: int) -> list[Match]:
        return change(Crossing.rank(self, film, tracks, top))

    return rank


@pytest.mark.parametrize(
    ("method", "wrong", "message"),
    [
        ("hear", loud, "depends on how loud it is"),
        ("hear", changing, "are changed by hearing them"),
        ("hear", lambda _, s: {"high": np.array([{}])}, "no array of plain numbers"),
        ("hear", lambda _, s: {"high": np.zeros((1, len(s)))}, "those of another track"),
        ("hear", lambda _, s: {"high": np.array([np.nan])}, "not finite"),
        ("hear", lambda _, s: {"names": np.zeros(1)}, "a name of the index's"),
        ("see", lambda *_: {"wanted": np.float64(1)}, "'wanted' of the film is no array"),
        ("rank", ranked(lambda found: found[::-1]), "the best is not the first"),
        ("rank", ranked(lambda found: found[:2]), "of 5 tracks it ranks"),
        ("rank", ranked(lambda found: [replace(m, offset=3.0) for m in found]), "is to start at"),
        (
            "rank",
            ranked(lambda found: [replace(m, score=m.score / len(found)) for m in found]),
            "the best two are others|on a shelf of",
        ),
    ],
)
def test_a_broken_rule_is_named(method: str, wrong: Any, message: str) -> None:
    broken: type[Matcher] = dataclass(frozen=True)(type("Broken", (Crossing,), {method: wrong}))
    with pytest.raises(AssertionError, match=message):
        check_matcher(broken())
