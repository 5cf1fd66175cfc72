"""What a store holds of each pair: columns of what was seen, and of what was heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from emsync.arrays import Float32s
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.matching.matcher import Columns
from emsync.retrieval import heard, pulses, seen
from emsync.retrieval.stores import Head
from emsync.video.footage import Footage, Needs
from emsync.video.impact import Impact
from emsync.video.observers import Observer

FILM = (*seen.WIDTHS, "impact")
MUSIC = (*heard.USUAL, "rhythm")
ALL = (*FILM, *MUSIC)
KNOWN = (*ALL, *(name for name in heard.WIDTHS if name not in heard.USUAL))
PLAIN = tuple(name for name in ALL if name not in ("lite0", "musicnn"))  # no network runs
STAMPS = {**seen.STAMPS, **heard.STAMPS, **pulses.STAMPS}


@dataclass(frozen=True)
class Measured:
    """The columns that are measured. The flow of a film and the beats of music always are."""

    film: tuple[str, ...] = FILM
    music: tuple[str, ...] = MUSIC

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Return those of ``names``, in the order of KNOWN; UsageError where there is no such."""
        for name in names:
            if name not in KNOWN:
                raise UsageError(f"there is no column {shown(name)}; choose of {', '.join(KNOWN)}")
        chosen = [name for name in KNOWN if name in names]
        found = cls(
            tuple(name for name in chosen if name in FILM),
            tuple(name for name in chosen if name not in FILM),
        )
        if not (found.learned.film and found.learned.music):
            raise UsageError(
                "nothing could be learned from these columns; name one of films and one of music, "
                "such as motion,mel"
            )
        return found

    @property
    def learned(self) -> Self:
        """Those that a network learns from: not the rhythm, which CM and DM alone rank by."""
        return replace(
            self,
            film=tuple(name for name in self.film if name not in pulses.STAMPS),
            music=tuple(name for name in self.music if name not in pulses.STAMPS),
        )

    @property
    def needs(self) -> Needs:
        """What has to be gathered of a film."""
        return seen.needs(self.film)

    def observers(self) -> list[Observer]:
        """Return who has to look at each frame."""
        return [*seen.observers(self.film), *([Impact()] if "impact" in self.film else [])]

    def see(self, footage: Footage, observers: Sequence[Observer]) -> Columns:
        """Return the columns of a film."""
        columns = dict(
            seen.see(footage, observers, [name for name in self.film if name in seen.WIDTHS])
        )
        for observer in observers:
            if isinstance(observer, Impact):
                columns.update(pulses.seen(observer, footage.film.duration))
        return columns

    def hear(self, samples: Float32s) -> Columns:
        """Return the columns of music, of (N,) samples at 16,000 Hz."""
        columns = dict(heard.hear(samples, [name for name in self.music if name in heard.WIDTHS]))
        if "rhythm" in self.music:
            columns.update(pulses.heard(samples))
        return columns

    def head(self, seconds: float, made: Mapping[str, Any]) -> Head:
        """Return what a store of them says of itself."""
        film = (*self.film, "flow")
        music = (*self.music, "beats", "strength", *(("pulse",) if "rhythm" in self.music else ()))
        return Head(
            seconds,
            {name: STAMPS[name] for name in film},
            {name: STAMPS[name] for name in music},
            made,
        )


def read_columns(text: str) -> Measured:
    """Return the columns that are named: "all", "plain", or names with commas between."""
    short = {"all": ALL, "plain": PLAIN}
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return Measured.of(short.get(text.strip(), names))
