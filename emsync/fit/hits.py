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
from emsync.arrays import Seconds
from emsync.errors import UsageError
from emsync.fit.programme import Meetings, best_path
from emsync.fit.time_map import CutReport, Fitted, Hit, TimeMap
from emsync.music.bars import ON_BEAT, Bars, TempoMap, find_bars, fit_tempo_map, nearest
from emsync.music.piece import Piece
from emsync.options import Sync, check_tempo_change

KINDS = ("chord", "downbeat", "beat")  # what may hit a cut, worthiest first
WORTH = (1.7, 1.4, 1.0)  # of a hit by each kind: two beats are more than a chord and a miss
FLAT = 0.5  # the share of a hit's worth that does not depend on the strength of its cut
REACH = 2.0  # seconds; an event further than this from a cut was meant for another moment


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
    beat: float | None = None,
) -> Fitted:
    """Fit ``piece`` to a video of ``duration`` seconds, its events to the kept ``cuts``.

    ``sync`` is the least event that may hit a cut; with "off" time is not bent. The tempo
    changes by at most ``max_tempo_change``, also from one segment to the next. ``rate`` is the
    video's frames a second: an event within a frame of a cut hits it even if it was not aimed.
    ``beat`` is how many seconds a beat of the piece lasts, where that is known.
    """
    if sync not in get_args(Sync):
        raise UsageError(f"sync is {sync!r}; it can be {', '.join(get_args(Sync))}")
    check_tempo_change(max_tempo_change)
    bars = find_bars(piece, duration * (1 + max_tempo_change) + 1, beat)
    events = find_events(piece, bars, sync)
    kept = [cut for cut in cuts if cut.kept and 0 < cut.time < duration]
    if sync == "off" or max_tempo_change == 0:
        plan = Plan({}, ((0.0, 0.0),))
    else:
        plan = plan_hits(events, kept, max_tempo_change)
    time_map = _map(plan, duration)
    tempo_map = _tempo_map(bars, time_map, duration)
    frame = float(1 / rate) if rate else 0.04
    shown = _until(duration, events, time_map)
    reports = tuple(
        _report(
            cut,
            shown,
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


def measured(
    piece: Piece,
    tempo_map: TempoMap,
    cuts: Sequence[Cut],
    duration: float,
    sync: Sync = "beat",
    rate: Fraction | None = None,
) -> Fitted:
    """Return ``piece``, which stands on the video already, with what it has at each of ``cuts``."""
    bars = Bars(tempo_map.starts / 1e6, tempo_map.lines, regular=True)
    events = find_events(piece, bars, sync)
    whole = TimeMap(np.array([0.0, duration]), np.array([0.0, duration]))
    frame = float(1 / rate) if rate else 0.04
    shown = _until(duration, events, whole)
    reports = tuple(_report(cut, shown, None, whole, tempo_map, sync, frame) for cut in cuts)
    return Fitted(piece.until(duration), duration, whole, tempo_map, reports, sync, True, "")


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


def _until(duration: float, events: Events, time_map: TimeMap) -> Events:
    """Return the events that are still in the film; those after its end answer no cut."""
    count = int(np.searchsorted(time_map.apply(events.times), duration))
    return Events(events.times[:count], events.kinds[:count])


def worth(kind: int, cut: Cut) -> float:
    """Return what it is worth that an event of ``kind`` hits ``cut``."""
    return WORTH[kind] * (FLAT + (1 - FLAT) * cut.strength)


def plan_hits(events: Events, cuts: Sequence[Cut], max_tempo_change: float) -> Plan:
    """Return the hits that are best in sum, and the time map that makes them.

    Tempo and its inverse both stay within ``max_tempo_change``; see ``programme.best_path``.
    """
    meetings = _meetings(events, sorted(set(cuts), key=lambda cut: cut.time))
    path, _ = best_path(meetings, events.times, float(np.log1p(max_tempo_change)))
    joints = [(0.0, 0.0)]
    hits: dict[float, int] = {}
    for step in path[1:]:
        music, video = float(meetings.music[step.meeting]), float(meetings.video[step.meeting])
        hits[video] = int(np.searchsorted(events.times, music))
        joints += [*([step.joint] if step.joint else []), (music, video)]
    return Plan(hits, tuple(joints))


def _meetings(events: Events, cuts: Sequence[Cut]) -> Meetings:
    """Return the events that may hit each cut, in order of the music; the first is the start."""
    times = np.array([cut.time for cut in cuts])
    first = np.searchsorted(events.times, times - REACH)
    count = np.searchsorted(events.times, times + REACH) - first
    cut = np.repeat(np.arange(len(cuts)), count)
    event = np.arange(len(cut)) + np.repeat(first - (np.cumsum(count) - count), count)
    order = np.lexsort((cut, event))
    cut, event = cut[order], event[order]
    strength = np.array([cut.strength for cut in cuts])
    worths = np.array(WORTH)[events.kinds[event]] * (FLAT + (1 - FLAT) * strength[cut])
    return Meetings(
        *(np.append(0.0, column) for column in (events.times[event], times[cut], worths))
    )


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
