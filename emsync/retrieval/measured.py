"""What a store holds of each pair: columns of what was seen, and of what was heard."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from emsync.arrays import Float32s
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.matching.matcher import Columns
from emsync.retrieval import heard, seen
from emsync.retrieval.pairs import Head
from emsync.video.footage import Footage, Needs
from emsync.video.observers import Observer

ALL = (*seen.WIDTHS, *heard.WIDTHS)
PLAIN = tuple(name for name in ALL if name not in ("lite0", "musicnn"))  # no network runs


@dataclass(frozen=True)
class Measured:
    """The columns that are measured."""

    film: tuple[str, ...] = tuple(seen.WIDTHS)
    music: tuple[str, ...] = tuple(heard.WIDTHS)

    @classmethod
    def of(cls, names: tuple[str, ...]) -> Self:
        """Return those of ``names``, in the order of ALL; UsageError where there is no such."""
        for name in names:
            if name not in ALL:
                raise UsageError(f"there is no column {shown(name)}; choose of {', '.join(ALL)}")
        return cls(
            tuple(name for name in seen.WIDTHS if name in names),
            tuple(name for name in heard.WIDTHS if name in names),
        )

    @property
    def needs(self) -> Needs:
        """What has to be gathered of a film."""
        return seen.needs(self.film)

    def observers(self) -> list[Observer]:
        """Return who has to look at each frame."""
        return seen.observers(self.film)

    def see(self, footage: Footage, observers: list[Observer]) -> Columns:
        """Return the columns of a film, and always its flow."""
        return seen.see(footage, observers, self.film)

    def hear(self, samples: Float32s) -> Columns:
        """Return the columns of music, and always its beats."""
        return heard.hear(samples, self.music)

    def head(self, seconds: float, made: Mapping[str, Any]) -> Head:
        """Return what a store of them says of itself."""
        film, music = (*self.film, "flow"), (*self.music, "beats", "strength")
        return Head(
            seconds,
            {name: seen.STAMPS[name] for name in film},
            {name: heard.STAMPS[name] for name in music},
            made,
        )


def read_columns(text: str) -> Measured:
    """Return the columns that are named: "all", "plain", or names with commas between."""
    short = {"all": ALL, "plain": PLAIN}
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return Measured.of(short.get(text.strip(), names))
