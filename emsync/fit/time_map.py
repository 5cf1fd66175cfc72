"""A piece in video time: the time map that brought it there, and a report on each cut.

Shapes: J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from emsync.analysis import Cut
from emsync.arrays import Seconds
from emsync.music.bars import TICKS, TempoMap
from emsync.music.piece import Piece
from emsync.options import Sync
from emsync.video.timecode import Timecode


@dataclass(frozen=True)
class Hit:
    """The musical event at a cut."""

    kind: str  # one of KINDS
    time_in_music: float  # seconds: where a note begins in the music as it was written
    time: float  # seconds: where it begins in the file, on the file's ticks
    error_ms: float  # how much later than the cut it begins
    position: str  # bar|beat|tick in the file

    def error_frames(self, rate: Fraction | None) -> float | None:
        """Return how many frames later than the cut it begins, where the film has a rate."""
        return None if rate is None else round(self.error_ms / 1e3 * float(rate), 4)


@dataclass(frozen=True)
class CutReport:
    """What became of one cut."""

    cut: Cut
    hit: Hit | None  # the event that hits it; None if it is missed, or was not to be hit
    nearest: Hit | None  # the nearest event of the fitted music; None if there are no events
    before: Hit | None  # the nearest event of the music as it was written
    tempo_change: float = 0.0  # of the music that leads up to the cut; 0.02 is 2 % faster


@dataclass(frozen=True, eq=False)
class TimeMap:
    """Music time to video time, linear between its joints."""

    music: Seconds  # (J,) seconds, ascending from 0
    video: Seconds  # (J,) seconds, ascending from 0

    @property
    def slopes(self) -> Seconds:
        """The (J - 1,) seconds of video in which a second of music passes."""
        return np.diff(self.video) / np.diff(self.music)

    def apply(self, times: Seconds) -> Seconds:
        """Return the video times of music ``times``; beyond the end the last slope goes on."""
        beyond: Seconds = np.maximum(0.0, times - self.music[-1]) * self.slopes[-1]
        return beyond + np.interp(times, self.music, self.video)

    def bend(self, piece: Piece) -> Piece:
        """Return ``piece`` in video time."""
        return piece.retimed(self.apply)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A piece fitted to a video: what ``emsync.formats.midi`` writes."""

    piece: Piece  # in video time, up to the end of the video
    duration: float  # seconds of video
    time_map: TimeMap
    tempo_map: TempoMap  # bars and tempi in video time
    cuts: tuple[CutReport, ...]  # one for each cut that was given, kept or not
    sync: Sync
    regular: bool  # whether the bars that the music came with were regular
    note: str  # what was irregular about them, and what was done about it

    @property
    def kept(self) -> list[CutReport]:
        """The reports on the cuts that the music was to hit."""
        return [report for report in self.cuts if report.cut.kept]

    @property
    def hits(self) -> list[float]:
        """The seconds at which the music meets the kept cuts that are hit."""
        return [report.hit.time for report in self.kept if report.hit is not None]

    def to_json(
        self, rate: Fraction | None = None, start: Timecode | None = None
    ) -> dict[str, Any]:
        """Return plain values: what hit each cut, how far off, and the tempo that took.

        ``rate`` is the video's frames a second, ``start`` the timecode of its first frame.
        """
        return {
            "sync": self.sync,
            "regular_bars": self.regular,
            "note": self.note,
            "cuts": rows_of(self.cuts, rate, start),
            "time_map": {
                "music": self.time_map.music.tolist(),
                "video": self.time_map.video.tolist(),
            },
            "tempo_map": [
                {
                    "time": float(self.tempo_map.starts[beat] / 1e6),
                    "position": self.tempo_map.position(beat * TICKS),
                    "bpm": float(60e6 / self.tempo_map.tempi[beat]),
                }
                for beat in self.tempo_map.changes.tolist()
                if self.tempo_map.starts[beat] < self.duration * 1e6
            ],
        }


def rows_of(
    reports: Sequence[CutReport], rate: Fraction | None, start: Timecode | None
) -> list[dict[str, Any]]:
    """Return what answers each cut, and how far off, as plain values; see ``Fitted.to_json``."""
    return [_row(report, rate, start) for report in reports]


def _row(report: CutReport, rate: Fraction | None, start: Timecode | None) -> dict[str, Any]:
    cut = report.cut
    frame = timecode = None
    if rate is not None:
        at = Timecode.at(cut.time, rate)
        frame = at.frame if cut.frame is None else cut.frame
        timecode = str(at if start is None else start + at.frame)
    return {
        "time": cut.time,
        "frame": frame,
        "timecode": timecode,
        "strength": cut.strength,
        "kept": cut.kept,
        "reason": cut.reason,
        "hit": _values(report.hit, rate),
        "nearest": _values(report.nearest, rate),
        "before": _values(report.before, rate),
        "tempo_change_percent": round(100 * report.tempo_change, 3),
    }


def _values(hit: Hit | None, rate: Fraction | None) -> dict[str, Any] | None:
    if hit is None:
        return None
    return {
        "kind": hit.kind,
        "time": round(hit.time, 6),
        "time_in_music": round(hit.time_in_music, 6),
        "position": hit.position or None,
        "error_ms": round(hit.error_ms, 3),
        "error_frames": hit.error_frames(rate),
    }
