"""Spotting: where in the bars the cuts will fall, settled before the music is composed.

A composer who is given even bars chooses a tempo, begins with an upbeat, and puts a bar of two or
three beats before a cut, so that cuts fall on bar lines. ``spot`` does the same by dynamic
programming, together with the bending of the tempo that ``fit.hits`` will do. The composer then
writes even bars throughout, its boundaries on the beats that are to meet the cuts, and the beats
that its bars have too many are left out of what it wrote.

Three times are told apart: the film's; the music's, which bending brings to the film's; and that of
the composed music, which has the beats that are left out, too. Shapes: N meetings, K skips.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Analysis
from emsync.arrays import Float64s, Seconds
from emsync.fit.hits import FLAT, REACH
from emsync.fit.programme import Indices, Meetings, best_path
from emsync.fit.tempo import tempo_by, tempo_of
from emsync.music.piece import BEATS, Piece
from emsync.options import Sync
from emsync.video.cuts import Cut, thin
from emsync.video.footage import FINER, Curve

APART = 1.0  # seconds between two boundaries that a composer is asked for; one chord meets both
BAR_LINE = 0.4  # what a bar line is worth more than a beat, on the strongest cut
UPBEAT = 0.1  # worth lost by a first bar of less than four beats
OFFSETS = (0.0, -0.375, -0.25, -0.125, 0.125, 0.25)  # of a beat, by which an upbeat is shorter
LARGEST_OFFSET = 0.375  # of the upbeat: before its end no tempo is known
STRETCH = 0.2  # worth lost by an upbeat that is so much longer or shorter; grows with the square
SHORT = (0.0, 0.35, 0.25, np.inf)  # by the beats that a bar before a cut is shorter
TUNING = 0.18  # octaves, nearly: the logarithm by which the tempo may move
AWAY = 0.3  # worth lost by a tempo that moved so far; grows with the square
CHOICES = 25  # tempi that are tried
AHEAD = 12  # cuts that the tempo is tried on; by later ones any tempo has come round


@dataclass(frozen=True, eq=False)
class Spotting:
    """A tempo, the beats that are left out, and where music and film meet."""

    tempo: float  # beats a minute
    skips: Float64s  # (K, 2) seconds of the composed music that are left out, from and to
    music: Seconds  # (J,) where they meet, and where the tempo changes, without what is left out
    video: Seconds  # (J,) 0 first
    hits: frozenset[float] = frozenset()  # the cuts that are met, by their time
    upbeat: tuple[float, float] = (1.0, 1.0)  # seconds in the composed music, and in the music

    @classmethod
    def plain(cls, tempo: float) -> "Spotting":
        """Return the spotting that follows no cut."""
        return cls(tempo, np.zeros((0, 2)), np.zeros(1), np.zeros(1))

    @property
    def skipped(self) -> float:
        """The seconds that are left out, in sum."""
        return float((self.skips[:, 1] - self.skips[:, 0]).sum())

    def composed(self, times: Seconds) -> Seconds:
        """Return when in the composed music (T,) ``times`` of the film are."""
        beyond = np.maximum(times - self.video[-1], 0.0)
        music = np.maximum(np.interp(times, self.video, self.music) + beyond, 0.0)
        lengths = self.skips[:, 1] - self.skips[:, 0]
        joins = self.skips[:, 0] - (np.cumsum(lengths) - lengths)  # in the music's time
        return (
            music
            + np.append(0.0, np.cumsum(lengths))[np.searchsorted(joins - 1e-6, music, side="right")]
        )

    def as_played(self, times: Seconds) -> Seconds:
        """Return (T,) ``times`` of the composed music without what is left out before them."""
        times = self._closed_up(times)
        written, lasts = self.upbeat
        return np.where(times < written, times * lasts / written, times + (lasts - written))

    def film(self, times: Seconds) -> Seconds:
        """Return when in the film (T,) ``times`` of the composed music are; undoes ``composed``.

        The music begins with the film, whatever an upbeat leaves out.
        """
        music = self._closed_up(times)
        beyond = np.maximum(music - self.music[-1], 0.0)
        return np.interp(music, np.maximum(self.music, 0.0), self.video) + beyond

    def _closed_up(self, times: Seconds) -> Seconds:
        """Return (T,) ``times`` less what is left out before them; an upbeat as it is written."""
        starts, stops = self.skips.T
        gone = np.clip(times[:, None] - starts, 0, stops - starts)  # (T, K)
        return np.asarray(times - gone.sum(axis=1), np.float64)

    def asked(self, video: Analysis) -> Analysis:
        """Return ``video`` in the time of the composed music, asking for what is to be met."""
        if not self.hits:
            return video

        def at(time: float) -> float:
            return float(self.composed(np.array([time]))[0])

        cuts = tuple(
            replace(cut, time=at(cut.time), kept=cut.kept and cut.time in self.hits)
            for cut in video.cuts
        )
        arc = tuple(replace(s, start=at(s.start) if s.start else 0.0, end=at(s.end))
                    for s in video.arc)  # fmt: skip
        duration = at(video.duration)
        return replace(
            video,
            duration=duration,
            cuts=cuts,
            impact=video.impact and self._seen(video.impact, duration),
            arc=arc,
            music_time=self.composed,
        )

    def _seen(self, curve: Curve, duration: float) -> Curve:
        """Return a curve of the film over ``duration`` seconds of the composed music."""
        starts = np.arange(math.ceil(duration / curve.step - 1e-9)) * curve.step
        points = starts[:, None] + (np.arange(FINER) + 0.5) / FINER * curve.step
        values = curve.at(self.film(points.ravel())).reshape(points.shape).max(axis=1)
        return Curve(curve.step, tuple(values.tolist()))

    def played(self, piece: Piece) -> Piece:
        """Return the composed ``piece`` without the beats that are left out.

        Notes that begin in them are left out, too; but what an upbeat begins in sounds from 0.
        """
        starts, stops = self.skips.T

        def stays(times: Seconds) -> NDArray[np.bool_]:
            inside = (times[:, None] >= starts - 1e-6) & (times[:, None] < stops - 1e-6)
            return ~inside.any(axis=1)

        begin = stops[0] if len(stops) and starts[0] == 0 else 0.0
        held = (piece.onsets < begin) & (piece.offsets > begin + 1e-3)
        kept = piece.where(stays(piece.onsets) | held)
        return replace(
            kept,
            downbeats=piece.downbeats[stays(piece.downbeats)],
            chords=piece.chords[stays(piece.chords)],
        ).retimed(self.as_played)


def spotting_of(video: Analysis, sync: Sync, change: float) -> Spotting:
    """Return the spotting of a film, at the tempo that it asks for or that suits its arousal."""
    if sync == "off" or not change:
        return Spotting.plain(tempo_of(video))
    given = not math.isnan(video.tempo)
    wanted = video.tempo if given else tempo_by(video.arousal)
    return spot(video.kept, video.duration, wanted, sync, change, tune=not given)


def tempo_with_cuts(video: Analysis, sync: Sync, change: float) -> float:
    """Return the tempo of ``spotting_of``, at a small part of its cost."""
    if sync == "off" or not change or not math.isnan(video.tempo):
        return tempo_of(video)
    return tuned(video.kept, video.duration, tempo_by(video.arousal), sync, change)


def spot(
    cuts: Sequence[Cut], duration: float, wanted: float, sync: Sync, change: float, tune: bool
) -> Spotting:
    """Return the spotting for ``cuts`` in a film of ``duration`` seconds.

    ``wanted`` is the tempo in beats a minute, which may move if ``tune``. ``sync`` is the least
    that may hit a cut, ``change`` the share by which time may be bent.
    """
    asked = _asked(cuts, duration)
    if not asked:
        return Spotting.plain(wanted)
    tempo = tuned(cuts, duration, wanted, sync, change) if tune else wanted
    return _at(tempo, asked, sync, change)[0]


def tuned(cuts: Sequence[Cut], duration: float, wanted: float, sync: Sync, change: float) -> float:
    """Return the tempo near ``wanted`` at which ``cuts`` are met best; see ``spot``."""
    asked = _asked(cuts, duration)[:AHEAD]
    if not asked:
        return wanted
    moves = np.linspace(-1, 1, CHOICES)
    moves = moves[np.argsort(np.abs(moves), kind="stable")]  # of equals, the nearest
    values = [
        _at(wanted * np.exp(TUNING * move), asked, sync, change)[1] - AWAY * move**2
        for move in moves
    ]
    return float(wanted * np.exp(TUNING * moves[int(np.argmax(values))]))


def _asked(cuts: Sequence[Cut], duration: float) -> list[Cut]:
    """Return the cuts that are to be met."""
    return [cut for cut in thin(cuts, gap=APART) if cut.kept and 0 < cut.time < duration]


def _at(tempo: float, cuts: Sequence[Cut], sync: Sync, change: float) -> tuple[Spotting, float]:
    """Return the best spotting at ``tempo`` and its worth."""
    beat = 60 / tempo
    grid = np.arange(1.0, int((cuts[-1].time + REACH) / beat) + 1)  # beats
    phases = (0,) if sync == "downbeat" else range(BEATS)  # places in the bar
    rows = [(0.0, 0.0, 0.0, 0)] + [
        (offset, 0.0, -UPBEAT - STRETCH * (share / LARGEST_OFFSET) ** 2, phase)
        for phase in range(1, BEATS)
        for offset in OFFSETS
        if abs(share := offset / (BEATS - phase)) <= LARGEST_OFFSET
    ]
    starts = len(rows)
    for cut in cuts:
        base, line = FLAT + (1 - FLAT) * cut.strength, BAR_LINE * cut.strength
        near = grid[np.abs(grid * beat - cut.time) <= REACH]
        rows += [(n, cut.time, base + line * (phase == 0), phase) for n in near for phase in phases]
    table = np.array(rows)
    table[starts:] = table[starts + np.argsort(table[starts:, 0], kind="stable")]
    beats, phase = np.round(table[:, 0]).astype(np.intp), table[:, 3].astype(np.intp)

    def shorter(a: Indices, b: Indices) -> Indices:
        """Return by how many beats a bar from (S,) ``a`` to (T,) ``b`` is shorter."""
        return (phase[b] - phase[a][:, None] - (beats[b] - beats[a][:, None])) % BEATS

    def toll(a: Indices, b: Indices) -> Float64s:
        missing = shorter(a, b)
        return np.where((missing == 0) | (phase[b] == 0), np.array(SHORT)[missing], np.inf)

    meetings = Meetings(table[:, 0] * beat, table[:, 1], table[:, 2])
    path, value = best_path(meetings, grid * beat, float(np.log1p(change)), toll)
    at = np.array([step.meeting for step in path])
    missing = np.append(phase[at[0]], [shorter(at[i : i + 1], at[i + 1 : i + 2])[0, 0]
                                       for i in range(len(at) - 1)])  # fmt: skip
    before = np.cumsum(missing) - missing  # beats that were left out before
    starts = beats[at] + before
    skips = np.stack([starts, starts + missing], axis=1)[missing > 0] * beat
    joints: list[tuple[float, float]] = []
    for step in path:
        here = (float(meetings.music[step.meeting]), float(meetings.video[step.meeting]))
        joints += [*([step.joint] if step.joint else []), here]
    music, video = np.array(joints).T
    hits = frozenset(meetings.video[at[1:]].tolist())
    written = (BEATS - int(phase[at[0]])) * beat
    return Spotting(tempo, skips, music, video, hits, (written, written - music[0])), value
