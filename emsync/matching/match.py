"""Music found for a film in a folder: watch, listen, rank; then the film with the best track."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emsync.errors import UsageError
from emsync.matching.index import folder_of
from emsync.matching.library import check_index, listen_to, sounds_of
from emsync.matching.matcher import Match, Matcher, choose
from emsync.options import LUFS, METRIC, PathLike, check_lufs
from emsync.progress import Progress, silent
from emsync.signals import STEP_RATE
from emsync.sound import audio
from emsync.sound.decode import read_stereo
from emsync.sound.levelling import level
from emsync.sound.loudness import Loudness
from emsync.sound.mux import check_mux, mux, soundtrack
from emsync.targets import check_apart
from emsync.video.film import Film, open_film
from emsync.video.watch import watch


@dataclass(frozen=True)
class Found:
    """How well a track meets a film, and where in the track the film best starts."""

    path: Path
    score: float  # the higher, the better; of one metric and one film only
    offset: float  # seconds of the track


@dataclass(frozen=True, eq=False)
class Ranking:
    """The tracks of a library, ranked for a film."""

    matches: tuple[Found, ...]  # the best, best first
    metric: str
    tracks: int  # that were ranked
    heard: int  # of them, those that were not in the index, or have changed since
    skipped: tuple[tuple[Path, str], ...]  # files that could not be heard, and why
    index: Path | None = None  # the folder that keeps what was heard
    video: Path | None = None  # the film with the best track, if it was written
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds
    loudness: Loudness | None = None  # of the sound in ``video``

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {
            "matches": [
                {"path": str(m.path), "score": m.score, "offset": m.offset} for m in self.matches
            ],
            "metric": self.metric,
            "tracks": self.tracks,
            "heard": self.heard,
            "index": None if self.index is None else str(self.index),
            "skipped": [{"path": str(path), "reason": why} for path, why in self.skipped],
            "video": None if self.video is None else str(self.video),
            "loudness": None if self.loudness is None else self.loudness.to_json(),
            "timings": {stage: round(seconds, 3) for stage, seconds in self.timings.items()},
        }


def match(
    video: PathLike | Film,
    library: PathLike,
    *,
    metric: str | Matcher = METRIC,
    top: int = 10,
    index: PathLike | None = None,
    out: PathLike | None = None,
    lufs: float = LUFS,
    progress: Progress = silent,
) -> Ranking:
    """Rank the music in the folder ``library`` by how it meets ``video``.

    ``metric`` is the name of a matcher that ``emsync plugins`` lists, and after a colon what it
    takes, or a matcher. ``index`` is a folder that keeps what was heard for the next time. ``out``
    is written with the film and the best track from its offset on, at an integrated loudness of
    ``lufs``; it is silent where the track ends before the film.
    """
    check_lufs(lufs)
    if top < 1:
        raise UsageError(f"top is {top}; choose 1 or more")
    matcher = choose(metric) if isinstance(metric, str) else metric
    film = video if isinstance(video, Film) else open_film(video)
    library, index = Path(library), None if index is None else Path(index)
    out = None if out is None else Path(out)
    tracks = sounds_of(library)
    check_apart(
        [path for path in (index and folder_of(index), out) if path is not None],
        {"the video": film.path, "the library": library, "a track of the library": tracks},
    )
    if index is not None:
        check_index(matcher, index)
    if out is not None:
        check_mux(film, out)
    began = time.perf_counter()
    observers = matcher.observers()
    footage = watch(film, lambda share: progress("Watching", share), observers, matcher.needs)
    seen = matcher.see(footage, observers)
    watched = time.perf_counter()
    found = listen_to(matcher, library, index, progress)
    listened = time.perf_counter()
    best = matcher.rank(seen, found.shelf, top)
    ranked = time.perf_counter()
    matches = [_found(library / found.shelf.names[match.track], match) for match in best]
    loudness = None
    if out is not None:
        loudness = _write(film, footage.film.duration, matches[0], out, lufs, progress)
    return Ranking(
        tuple(matches),
        metric if isinstance(metric, str) else matcher.name,
        len(found.shelf),
        found.heard,
        tuple((library / name, why) for name, why in found.skipped),
        index and folder_of(index),
        out,
        {"watch": watched - began, "listen": listened - watched, "query": ranked - listened},
        loudness,
    )


def _found(path: Path, match: Match) -> Found:
    return Found(path, match.score, match.offset)


def _write(
    film: Film, duration: float, best: Found, out: Path, lufs: float, progress: Progress
) -> Loudness:
    """Write ``film`` with its best track to ``out``; return the loudness of the sound."""
    sound = read_stereo(best.path, best.offset, duration)
    goes_on = sound.duration > duration - 1 / STEP_RATE
    sound = audio.finish(sound, duration, audio.FADE if goes_on else 0.0)
    music = level(sound, lufs, "the track")
    mux(
        film, soundtrack(film, music), out,
        lambda seconds: progress("Writing the film", seconds / duration),
    )  # fmt: skip
    return music.loudness
