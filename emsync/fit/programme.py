"""The best path through meetings of music and film, with time bent evenly between them.

Dynamic programming over ways into each meeting. A way is known by the slope it arrives with, since
the next slope may not differ from it by more than the limit; of the ways into a meeting only those
stay that could still be the best: no other is worth as much and leaves as many slopes open.
Shapes: N meetings, S ways that are continued, T meetings that they are continued to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.music.bars import nearest

BENDING = 0.1  # worth lost by a segment at the largest tempo change; grows with its square
AHEAD = 10  # a segment ends on one of so many moments of the music after the one it begins on ...
PASSED = 8  # ... or on one of so many cuts
MOMENT = 1e-3  # seconds; a shorter segment has no tempo to speak of
HAIR = 1e-12  # by which a slope may be beyond the limit: rounding

Indices: TypeAlias = NDArray[np.intp]
Toll: TypeAlias = Callable[[Indices, Indices], Float64s]  # (S,), (T,) meetings -> (S, T)
EVEN, REST_FIRST, REST_LAST = range(3)  # the shapes of a segment


@dataclass(frozen=True, eq=False)
class Meetings:
    """Moments of the music that may be brought onto moments of the film."""

    music: Seconds  # (N,) ascending but for the first ones, where music and film begin
    video: Seconds  # (N,) 0 where they begin, later than that elsewhere
    worth: Float64s  # (N,) of having them together


class Step(NamedTuple):
    """The next meeting of a path."""

    meeting: int
    joint: tuple[float, float] | None  # music and video time at which the tempo changes before it


class _Order(NamedTuple):
    """The meetings' places in the music and in the film."""

    moment: Indices  # (N,) which moment of the music, counted from 0
    cut: Indices  # (N,) which cut
    cuts: Seconds  # the cuts, the start being the first

    @classmethod
    def of(cls, meetings: Meetings) -> "_Order":
        cuts, cut = np.unique(meetings.video, return_inverse=True)
        moment = np.unique(meetings.music[cut > 0], return_inverse=True)[1] + 1
        return cls(np.append(np.zeros(len(cut) - len(moment), np.intp), moment), cut, cuts)


class _Ways(NamedTuple):
    """Ways into meetings; each is known by its place in all that were found."""

    meeting: Indices  # (S,)
    slope: Float64s  # (S,) logarithm of the slope it arrives with
    sum: Float64s  # (S,) worth so far
    before: Indices  # (S,) the way that it continues; -1 at the start
    shape: Indices  # (S,) of its last segment

    @classmethod
    def of(cls, parts: "list[_Ways]") -> "_Ways":
        """Return the ways of all ``parts``, one after the other."""
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


def best_path(
    meetings: Meetings, changes: Seconds, limit: float, toll: Toll | None = None
) -> tuple[list[Step], float]:
    """Return the path that is best in sum, its first step being where it starts, and that sum.

    The sum is of the worth of the meetings, less the bending of the segments between them and the
    ``toll`` from one to the next. The logarithm of a slope lies within +-``limit`` and differs from
    its predecessor's by at most that. From meeting to meeting the tempo is even, or it rests
    (slope 1) in one half and bends in the other: a rest may follow and precede any tempo. Between
    rest and bend it changes at the one of ``changes`` that is nearest to the middle.
    """
    music, video = meetings.music, meetings.video
    order = _Order.of(meetings)
    starts = int((order.cut == 0).sum())
    here = np.arange(starts)
    nothing = np.full(starts, -1)
    parts = [_Ways(here, np.zeros(starts), meetings.worth[:starts], nothing, nothing)]
    begins, counts = [0], [0]  # of each part: its moment, and how many ways come before it
    moments, firsts = np.unique(music[starts:], return_index=True)
    moments = np.append(music[:starts].max(), moments)
    for k, to in enumerate(np.split(np.arange(len(music)), starts + firsts)[1:], 1):
        span = (video[to] - order.cuts[np.maximum(order.cut[to] - PASSED, 0)]).max()
        oldest = int(np.searchsorted(moments[1:], moments[k] - span * np.exp(limit) - HAIR))
        first = int(np.searchsorted(begins, min(oldest, k - AHEAD)))
        if first == len(parts):
            continue
        old = _Ways.of(parts[first:])
        near = _within_reach(meetings, order, old.meeting, to, limit)
        found = _continued(meetings, changes, limit, old, to, near, toll)
        if not len(found.meeting):
            continue
        counts.append(counts[-1] + len(parts[-1].meeting))
        begins.append(k)
        parts.append(found._replace(before=found.before + counts[first]))
    ways = _Ways.of(parts)
    at = int(ways.sum.argmax())
    best = float(ways.sum[at])
    path: list[Step] = []
    while at >= 0:
        b, a = int(ways.meeting[at]), int(ways.before[at])
        joint = None
        if a >= 0:
            joint = _joint(meetings, changes, int(ways.meeting[a]), b, int(ways.shape[at]))
        path.append(Step(b, joint))
        at = a
    return path[::-1], best


def _within_reach(
    meetings: Meetings, order: _Order, old: Indices, to: Indices, limit: float
) -> tuple[Indices, Indices]:
    """Return the pairs of (S,) ``old`` and (T,) ``to`` that one tempo could join."""
    film = meetings.video[to] - meetings.video[old][:, None]  # (S, T)
    music = (meetings.music[to[0]] - meetings.music[old])[:, None]
    steepest = np.exp(limit + HAIR)
    near = (film <= music * steepest) & (film * steepest >= music) & (music >= MOMENT)
    near &= (order.moment[to] - order.moment[old][:, None] <= AHEAD) | (
        order.cut[to] - order.cut[old][:, None] <= PASSED
    )
    old_at, to_at = np.nonzero(near & (film > 0))
    return old_at, to_at


def _continued(
    meetings: Meetings,
    changes: Seconds,
    limit: float,
    old: _Ways,
    to: Indices,
    near: tuple[Indices, Indices],
    toll: Toll | None,
) -> _Ways:
    """Return the ways into ``to`` by one more segment; ``before`` counts from the first of old."""
    s, t = near
    total = old.sum[s] + meetings.worth[to[t]]
    if toll is not None:
        total = total - toll(old.meeting, to)[s, t]
        allowed = np.isfinite(total)  # a toll may be infinite
        s, t, total = s[allowed], t[allowed], total[allowed]
    slope = old.slope[s]
    music, video = meetings.music, meetings.video
    span, time = music[to[t]] - music[old.meeting[s]], video[to[t]] - video[old.meeting[s]]
    first = _middle(changes, music[old.meeting], float(music[to[0]]))[s]  # seconds before it
    last = span - first
    inside = np.minimum(first, last) >= MOMENT
    with np.errstate(all="ignore"):  # a bend backwards, or within no time, is none
        even = np.log(time / span)
        late = np.where(inside, np.log((time - first) / last), np.nan)
        early = np.where(inside, np.log((time - last) / first), np.nan)
    zero = np.zeros(len(s))
    # of each shape and pair: slope at its start, slope at its end, and its mean square
    enter, leave = np.array([even, zero, early]), np.array([even, late, zero])
    bend = np.array([even**2, late**2 * last / span, early**2 * first / span])
    total = total - BENDING * bend / limit**2
    steepest = np.maximum(np.maximum(abs(enter), abs(leave)), abs(enter - slope))
    shape, pair = np.nonzero((steepest <= limit + HAIR) & np.isfinite(total))
    s, t, leave, total = s[pair], t[pair], leave[shape, pair], total[shape, pair]
    best = _undominated(t, leave, total)
    return _Ways(to[t[best]], leave[best], total[best], s[best], shape[best])


def _undominated(groups: Indices, slopes: Float64s, sums: Float64s) -> Indices:
    """Return the ways of which no other of their group is worth as much and may go on as freely.

    The nearer a slope is to 0 on its side, the more may follow it.
    """
    value = np.empty(len(sums), np.intp)  # sums in their order, and those of each group above
    value[np.argsort(sums, kind="stable")] = np.arange(len(sums))  # all sums of the group before
    value += groups * len(sums)
    order = np.lexsort((-value, np.abs(slopes), groups))
    stays = np.zeros(len(sums), bool)
    for sign in (1, -1):
        side = order[slopes[order] * sign >= 0]
        ranks = value[side]
        stays[side[:1]] = True
        stays[side[1:][ranks[1:] > np.maximum.accumulate(ranks)[:-1]]] = True
    return np.flatnonzero(stays)


def _middle(changes: Seconds, start: Seconds, end: float) -> Seconds:
    """Return how long after each of (S,) ``start`` the tempo may change on the way to ``end``."""
    return changes[nearest(changes, start + (end - start) / 2)] - start


def _joint(
    meetings: Meetings, changes: Seconds, a: int, b: int, shape: int
) -> tuple[float, float] | None:
    """Return the music and video time at which the tempo changes between two meetings."""
    if shape == EVEN:
        return None
    (m0, m1), (v0, v1) = meetings.music[[a, b]], meetings.video[[a, b]]
    middle = m0 + float(_middle(changes, np.array([m0]), float(m1))[0])
    return float(middle), float(v0 + middle - m0 if shape == REST_FIRST else v1 - (m1 - middle))
