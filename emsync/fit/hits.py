"""Bend time a little, so that the music's events fall on the cuts of the video.

A composer moves the tempo so that a picture hit falls on a beat. ``fit`` does the same after the
music is written: dynamic programming chooses for each cut the event that hits it, and between
the chosen events time is stretched evenly. Shapes: N notes, E events, J joints, C cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from emsync.analysis import Cut
from emsync.arrays import Float64s, Seconds
from emsync.errors import UsageError
from emsync.fit.time_map import CutReport, Fitted, Hit, TimeMap
from emsync.music.bars import ON_BEAT, Bars, TempoMap, find_bars, fit_tempo_map, nearest
from emsync.music.piece import Piece
from emsync.options import Sync, check_tempo_change

KINDS = ("chord", "downbeat", "beat")  # what may hit a cut, worthiest first
WORTH = (1.7, 1.4, 1.0)  # of a hit by each kind: two beats are more than a chord and a miss
FLAT = 0.5  # the share of a hit's worth that does not depend on the strength of its cut
BENDING = 0.1  # worth lost by a segment at the largest tempo change; grows with its square
REACH = 2.0  # seconds; an event further than this from a cut was meant for another moment
MEMORY = 20.0  # seconds; a segment is as long as this only if there are no cuts to hit within
MOMENT = 1e-3  # seconds; a shorter segment has no tempo to speak of


@dataclass(frozen=True, eq=False)
class Events:
    """Moments at which a note begins and that may hit a cut."""

    times: Seconds  # (E,) ascending, after 0
    kinds: NDArray[np.intp]  # (E,) index into KINDS


@dataclass(frozen=True)
class Plan:
    """Which event hits which cut, and the time map that brings them together."""

    hits: dict[float, int]  # time of a cut to the index of the event that hits it
    joints: tuple[tuple[float, float], ...]  # music and video seconds, from (0, 0) to the last hit


def fit(
    piece: Piece,
    cuts: Sequence[Cut],
    duration: float,
    sync: Sync = "beat",
    max_tempo_change: float = 0.06,
    rate: Fraction | None = None,
) -> Fitted:
    """Fit ``piece`` to a video of ``duration`` seconds, its events to the kept ``cuts``.

    ``sync`` is the least event that may hit a cut; with "off" time is not bent. The tempo
    changes by at most ``max_tempo_change``, also from one segment to the next. ``rate`` is the
    video's frames a second: an event within a frame of a cut hits it even if it was not aimed.
    """
    if sync not in get_args(Sync):
        raise UsageError(f"sync is {sync!r}; it can be {', '.join(get_args(Sync))}")
    check_tempo_change(max_tempo_change)
    bars = find_bars(piece, duration * (1 + max_tempo_change) + 1)
    events = find_events(piece, bars, sync)
    kept = [cut for cut in cuts if cut.kept and 0 < cut.time < duration]
    if sync == "off" or max_tempo_change == 0:
        plan = Plan({}, ((0.0, 0.0),))
    else:
        plan = plan_hits(events, kept, max_tempo_change)
    time_map = _map(plan, duration)
    tempo_map = _tempo_map(bars, time_map, duration)
    frame = float(1 / rate) if rate else 0.04
    reports = tuple(
        _report(
            cut,
            events,
            plan.hits.get(cut.time) if cut.kept else None,
            time_map,
            tempo_map,
            sync,
            frame,
        )
        for cut in cuts
    )
    fitted = time_map.bend(piece).until(duration)
    return Fitted(fitted, duration, time_map, tempo_map, reports, sync, bars.regular, bars.note)


def find_events(piece: Piece, bars: Bars, sync: Sync = "beat") -> Events:
    """Return the events that may hit a cut at level ``sync``; "off" sees all of them.

    An event stands at the onset that is heard: a beat without a note hits nothing.
    """
    onsets = np.unique(piece.onsets)
    found: dict[float, int] = {}
    levels = (piece.chords, bars.downbeats, bars.beats)
    for kind, times in enumerate(levels[: KINDS.index("beat" if sync == "off" else sync) + 1]):
        if not len(onsets):
            break
        heard = onsets[nearest(onsets, times)]
        for time in heard[(np.abs(heard - times) <= ON_BEAT) & (heard > 0)]:
            found.setdefault(float(time), kind)
    ordered = sorted(found)
    return Events(np.array(ordered), np.array([found[time] for time in ordered], np.intp))


def worth(kind: int, cut: Cut) -> float:
    """Return what it is worth that an event of ``kind`` hits ``cut``."""
    return WORTH[kind] * (FLAT + (1 - FLAT) * cut.strength)


def plan_hits(events: Events, cuts: Sequence[Cut], max_tempo_change: float) -> Plan:
    """Return the hits that are best in sum, and the time map that makes them.

    The sum is of the hits' worth less the bending of the segments between them. The logarithm s
    of a slope lies within +-limit and differs from its predecessor's by at most limit, with
    limit = log(1 + max_tempo_change), so that tempo and its inverse both stay within bounds. From
    hit to hit the tempo is even, or it rests (s = 0) in one half and bends in the other: a rest
    may follow and precede any tempo. Dynamic programming over the paths into each event; the best
    of them that the next slope may follow is a prefix (s < 0) or suffix (s >= 0) maximum of the
    paths sorted by slope.
    """
    limit = float(np.log1p(max_tempo_change))
    nodes = [(0.0, 0.0, 0.0)]  # music time, video time, worth; both times begin together
    for cut in sorted(set(cuts), key=lambda cut: cut.time):
        first, last = np.searchsorted(events.times, [cut.time - REACH, cut.time + REACH])
        nodes += [
            (float(events.times[e]), cut.time, worth(int(events.kinds[e]), cut))
            for e in range(int(first), int(last))
        ]
    music, video, gains = np.array(nodes).T

    paths: list[list[_Path]] = [[] for _ in nodes]
    paths[0].append(_Path(0, 0.0, 0.0, (), None))
    best = paths[0][0]
    for a, ending in enumerate(paths):
        if not ending:
            continue
        ending.sort(key=lambda way: way.slope)
        slopes, sums = np.array([(way.slope, way.sum) for way in ending]).T
        best = max(best, ending[int(sums.argmax())], key=lambda way: way.sum)
        ahead = _ahead(video, a)
        ahead = ahead[music[ahead] >= music[a] + MOMENT]
        for segment in _segments(music[a], video[a], music[ahead], video[ahead], events.times):
            fits = np.maximum(abs(segment.enter), abs(segment.leave)) <= limit + 1e-12
            enter = segment.enter[fits] if a else np.zeros(fits.sum())  # nothing comes before
            sums_before, which = _best_before(slopes, sums, enter, limit)
            totals = sums_before + gains[ahead[fits]] - BENDING * segment.bend[fits] / limit**2
            for i, total, way in zip(np.flatnonzero(fits).tolist(), totals, which, strict=True):
                if np.isfinite(total):
                    b = int(ahead[i])
                    paths[b].append(
                        _Path(b, float(segment.leave[i]), float(total), segment.at(i), ending[way])
                    )
    path = [best]
    while path[-1].previous is not None:
        path.append(path[-1].previous)
    joints = [(0.0, 0.0)]
    hits: dict[float, int] = {}
    for way in path[-2::-1]:
        hits[float(video[way.node])] = int(np.searchsorted(events.times, music[way.node]))
        joints += [*way.rest, (float(music[way.node]), float(video[way.node]))]
    return Plan(hits, tuple(joints))


@dataclass(frozen=True)
class _Path:
    """The best path into an event, of those that arrive with one slope."""

    node: int
    slope: float  # logarithm of the slope it arrives with
    sum: float  # worth so far
    rest: tuple[tuple[float, float], ...]  # the joint (music, video) within its last segment
    previous: "_Path | None"


@dataclass(frozen=True, eq=False)
class _Segments:
    """Segments of one shape from one event to n others; slopes as logarithms."""

    enter: Seconds  # (n,) slope at the start; NaN where the shape is not possible
    leave: Seconds  # (n,) slope at the end
    bend: Seconds  # (n,) mean square of the slope
    joints: Float64s | None = None  # (n, 2) music and video time of the joint within

    def at(self, i: int) -> tuple[tuple[float, float], ...]:
        if self.joints is None:
            return ()
        return ((float(self.joints[i, 0]), float(self.joints[i, 1])),)


def _segments(
    music: float, video: float, to_music: Seconds, to_video: Seconds, events: Seconds
) -> list[_Segments]:
    """Return the segments to each of the (n,) later points: even, rest first, rest last.

    Tempo changes between a rest and a bend stand on an event, the nearest to the middle.
    """
    if not len(to_music):
        return []
    span, time = to_music - music, to_video - video
    even = np.log(time / span)
    joint = events[nearest(events, music + span / 2)]
    possible = np.minimum(joint - music, to_music - joint) >= MOMENT
    before = np.where(possible, joint - music, np.nan)
    after = span - before
    with np.errstate(invalid="ignore", divide="ignore"):  # a bend backwards is none
        late = np.log((time - before) / after)
        early = np.log((time - after) / before)
    zero = np.zeros(len(span))
    return [
        _Segments(even, even, even**2),
        _Segments(zero, late, late**2 * after / span, np.stack([joint, video + before], axis=1)),
        _Segments(early, zero, early**2 * before / span, np.stack([joint, to_video - after], 1)),
    ]


def _ahead(video: Seconds, a: int) -> NDArray[np.intp]:
    """Return the nodes that a segment from node ``a`` may lead to.

    Their cuts are the next eight that can be hit, and all within a number of seconds.
    """
    first = int(np.searchsorted(video, video[a], side="right"))
    eighth = np.unique(video[first:])[:8]
    far = max(video[a] + MEMORY, eighth[-1] if len(eighth) else 0.0)
    return np.arange(first, np.searchsorted(video, far, side="right"))


def _best_before(
    slopes: Float64s, sums: Float64s, s: Float64s, limit: float
) -> tuple[Float64s, NDArray[np.intp]]:
    """Return for each of ``s`` the best of ``sums`` whose slope is within ``limit``, and which.

    ``slopes`` ascend and lie within +-limit, so those within reach are all up to one, or all from
    one on.
    """
    n = len(sums)
    prefix = _running_argmax(sums)
    suffix = n - 1 - _running_argmax(sums[::-1])[::-1]
    last = np.searchsorted(slopes, s + limit + 1e-12, side="right") - 1
    first = np.searchsorted(slopes, s - limit - 1e-12, side="left")
    which = np.where(s < 0, prefix[np.maximum(last, 0)], suffix[np.minimum(first, n - 1)])
    possible = np.where(s < 0, last >= 0, first < n)
    return np.where(possible, sums[which], -np.inf), which


def _running_argmax(values: Float64s) -> NDArray[np.intp]:
    """Return for each place the index of the largest of ``values`` up to it."""
    top = np.maximum.accumulate(values)
    fresh = np.concatenate([[True], values[1:] > top[:-1]])
    return np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))


def _map(plan: Plan, duration: float) -> TimeMap:
    """Return the time map of ``plan``; after its last hit the music runs as written."""
    music, video = np.array(plan.joints).T
    return TimeMap(np.append(music, music[-1] + duration - video[-1]), np.append(video, duration))


def _tempo_map(bars: Bars, time_map: TimeMap, duration: float) -> TempoMap:
    """Return the bars in video time; a beat that hits a cut stands on the cut."""
    beats = time_map.apply(bars.beats)
    exact, posts = [], []
    for music, video in zip(time_map.music[1:-1], time_map.video[1:-1], strict=True):
        near = int(nearest(bars.beats, music))
        if abs(bars.beats[near] - music) <= ON_BEAT:
            beats[near] = video
            exact.append(near)
        else:  # the tempo changes within a beat: both ends of that beat count
            after = int(np.searchsorted(bars.beats, music))
            posts += [after - 1, after]
    # the map ends with the bar in which the video does
    ends = np.append(bars.lines[1:], len(beats) - 1)
    last = int(ends[np.searchsorted(beats[ends], duration)])
    return fit_tempo_map(
        beats[: last + 1],
        bars.lines[bars.lines < last],
        [i for i in exact if i <= last],
        [i for i in posts if i <= last],
    )


def _report(
    cut: Cut,
    events: Events,
    aimed: int | None,
    time_map: TimeMap,
    tempo_map: TempoMap,
    sync: Sync,
    frame: float,
) -> CutReport:
    """Return what the file has at ``cut``, ``aimed`` being the event that was aimed at it."""
    if not len(events.times):
        return CutReport(cut, None, None, None)
    plain = TimeMap(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    before = _hit(cut, events, int(nearest(events.times, cut.time)), plain, None)
    fitted = time_map.apply(events.times)
    found = _hit(cut, events, int(nearest(fitted, cut.time)), time_map, tempo_map)
    hit: Hit | None
    if aimed is not None:
        hit = _hit(cut, events, aimed, time_map, tempo_map)
    else:
        hit = found if cut.kept and (sync == "off" or abs(found.error_ms) <= frame * 1e3) else None
    segment = int(
        np.clip(np.searchsorted(time_map.video, cut.time) - 1, 0, len(time_map.slopes) - 1)
    )
    return CutReport(cut, hit, found, before, float(1 / time_map.slopes[segment] - 1))


def _hit(cut: Cut, events: Events, e: int, time_map: TimeMap, tempo_map: TempoMap | None) -> Hit:
    """Return event ``e`` as it stands at ``cut``, on the ticks of ``tempo_map`` if there is one."""
    time, position = time_map.apply(events.times[e : e + 1]), ""
    if tempo_map is not None:
        ticks = tempo_map.ticks(time)
        time, position = tempo_map.seconds(ticks), tempo_map.position(int(ticks[0]))
    return Hit(
        kind=KINDS[events.kinds[e]],
        time_in_music=float(events.times[e]),
        time=float(time[0]),
        error_ms=float(time[0] - cut.time) * 1e3,
        position=position,
    )
