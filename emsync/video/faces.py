"""Faces in a film, each followed through one shot.

The observer looks at some of the frames: where faces are, and what they express. Only at the end
is it known where the cuts are; then the sightings of one face within a shot become a ``Face``.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np

from emsync.arrays import Picture
from emsync.encoders.faces.boxes import Box, cut_out
from emsync.video.cuts import Cut
from emsync.video.film import Film
from emsync.video.observers import Frame, Upright

HEIGHT = 720  # pixels of the pictures that are looked at, at most
FORM = (0.35, 1.4)  # width in heights of what can be a face
MOST = 6  # faces of a look that are asked for their expression, which takes time: the largest
LEAST, SOON, LATER = 0.25, 0.5, 1.25  # seconds between two looks: at least; in a new shot; at most
RATE, SAVED = 0.9, 4.0  # looks a second, on average; and how many may be saved for quick cuts
GLANCE = (32, 18)  # pixels of the reduced picture that tells whether there is anything new
CHANGED = 8.0  # levels of 255 in one of them since the last look; less is nothing new
OTHER = 0.5  # standard deviations of the picture; so large a step between frames may be a cut
WAITING = 4  # pictures at most that wait to be looked at

REACH = 1.5  # face heights that a face moves from one sighting to the next, at most
GROWN = 2.0  # times that it grows or shrinks, at most
LOST = 4.0  # seconds; a face that has not been seen for longer is another one
LIKELY, SURE = 0.5, 0.7  # scores of the detector: of the best sighting of a face, and
OFTEN = 3  # of the only one in a shot of so many looks
DETAIL = 32  # pixels of the square on which sharpness is measured


@dataclass(frozen=True)
class Face:
    """One face, followed through one shot."""

    start: float  # seconds
    end: float  # seconds
    looks: int  # how often it was seen
    height: float  # mean, in picture heights
    sharpness: float  # mean, in [0, 1]: 0 is blurred
    expression: Mapping[str, float]  # shares that sum to 1; see ``EXPRESSIONS``


@dataclass(frozen=True)
class Sighting:
    """One face as it was at one look."""

    box: Box
    sharpness: float  # in [0, 1]
    expression: tuple[float, ...]  # shares of EXPRESSIONS


@dataclass(frozen=True)
class Look:
    """What was seen at one look; it holds until the next one."""

    time: float  # seconds
    seen: tuple[Sighting, ...]


class Faces:
    """Observer of faces: where they are, and what they express.

    ``looking`` does the looking, one picture after the other, while frames go on.
    """

    def __init__(self, film: Film, looking: Executor) -> None:
        from emsync.encoders.faces.detector import FaceDetector
        from emsync.encoders.faces.expressions import Expressions

        self._times: list[float] = []  # of the looks, seconds
        self._seen: list[Future[tuple[Sighting, ...]]] = []
        self._looking = looking
        self._aspect = film.width / film.height
        self._upright = Upright(film, HEIGHT)
        self._detector, self._expressions = FaceDetector.load(), Expressions.load()
        self._looked_at = self._last = np.zeros(GLANCE[::-1], np.float32)
        self._wait = 0.0  # seconds between the last look and the next one
        self._saved = SAVED
        self._time = 0.0

    def __call__(self, frame: Frame) -> None:
        """Take the next frame in."""
        if self._is_due(frame):
            if len(self._seen) >= WAITING:
                self._seen[-WAITING].result()
            picture = self._upright(frame.time, frame.decoded).pixels
            self._times.append(frame.time)
            self._seen.append(self._looking.submit(self._see, picture))

    @property
    def looks(self) -> list[Look]:
        """What was seen, look by look."""
        seen = (one.result() for one in self._seen)
        return [Look(time, sightings) for time, sightings in zip(self._times, seen, strict=True)]

    def _is_due(self, frame: Frame) -> bool:
        """Tell whether to look: soon after a cut, then ever less often, and never too often."""
        import cv2

        small = cv2.resize(frame.grey, GLANCE, interpolation=cv2.INTER_AREA)
        glance = np.asarray(small, np.float32)
        if np.abs(glance - self._last).mean() >= OTHER * glance.std():
            self._wait = 0.0
        self._saved = min(SAVED, self._saved + RATE * (frame.time - self._time))
        self._last, self._time = glance, frame.time
        waited = frame.time - self._times[-1] if self._times else math.inf
        changed = np.abs(glance - self._looked_at).max() >= CHANGED
        if self._times and (waited < max(LEAST, self._wait) or self._saved < 1 or not changed):
            return False
        self._wait = min(2 * self._wait, LATER) if self._wait else SOON
        self._saved -= 1
        self._looked_at = glance
        return True

    def _see(self, picture: Picture) -> tuple[Sighting, ...]:
        (found,) = self._detector.detect([picture])
        whole = [
            box
            for box in found
            if FORM[0] <= (box.right - box.left) * self._aspect / box.height <= FORM[1]
        ]
        boxes = sorted(whole, key=lambda box: -box.height)[:MOST]
        crops = [cut_out(picture, box) for box in boxes]
        shares = self._expressions.of(crops)
        return tuple(
            Sighting(box, sharpness(crop), tuple(map(float, row)))
            for box, crop, row in zip(boxes, crops, shares, strict=True)
        )

    def faces(self, cuts: Sequence[Cut], duration: float) -> tuple[Face, ...]:
        """Return each face of each shot, in order of time; ``cuts`` divide the shots."""
        edges = [-math.inf, *(cut.time for cut in cuts), math.inf]
        every, found = self.looks, list[Face]()
        for start, end in pairwise(edges):
            looks = [look for look in every if start <= look.time < end]
            found += faces_of(looks, min(end, duration), self._aspect)
        return tuple(sorted(found, key=lambda face: (face.start, face.end)))


def faces_of(looks: Sequence[Look], end: float, aspect: float) -> list[Face]:
    """Return the faces of one shot, which ends at ``end`` seconds.

    ``aspect`` is the width of the picture in its heights.
    """
    until = [*(look.time for look in looks[1:]), end]  # seconds until which each look holds
    return [
        _face([(looks[i].time, until[i], sighting) for i, sighting in track])
        for track in _tracks(looks, aspect)
        if _is_face(track, len(looks))
    ]


def _is_face(track: Sequence[tuple[int, Sighting]], looks: int) -> bool:
    """Tell whether a face is sure enough, having been seen so often in a shot of ``looks``."""
    surest = max(sighting.box.score for _, sighting in track)
    return surest >= (SURE if len(track) == 1 and looks >= OFTEN else LIKELY)


def _tracks(looks: Sequence[Look], aspect: float) -> list[list[tuple[int, Sighting]]]:
    """Return the sightings of each face, with the index of the look; the nearest go together."""
    tracks: list[list[tuple[int, Sighting]]] = []
    going: list[list[tuple[int, Sighting]]] = []
    for i, look in enumerate(looks):
        going = [track for track in going if look.time - looks[track[-1][0]].time <= LOST]
        pairs = sorted(
            (distance, a, b)
            for a, track in enumerate(going)
            for b, sighting in enumerate(look.seen)
            if (distance := apart(track[-1][1].box, sighting.box, aspect)) <= REACH
        )
        followed: set[int] = set()
        for _, a, b in pairs:
            if going[a][-1][0] < i and b not in followed:
                going[a].append((i, look.seen[b]))
                followed.add(b)
        new = [[(i, sighting)] for b, sighting in enumerate(look.seen) if b not in followed]
        tracks += new
        going += new
    return tracks


def apart(a: Box, b: Box, aspect: float) -> float:
    """Return how far two faces are apart, in heights of the larger; infinite if unlike in size."""
    large, small = max(a.height, b.height), min(a.height, b.height)
    if large > GROWN * small:
        return math.inf
    across = ((a.left + a.right) - (b.left + b.right)) / 2 * aspect
    down = ((a.top + a.bottom) - (b.top + b.bottom)) / 2
    return round(math.hypot(across, down) / large, 4)


def _face(seen: Sequence[tuple[float, float, Sighting]]) -> Face:
    from emsync.encoders.faces.expressions import EXPRESSIONS

    starts, ends, sightings = zip(*seen, strict=True)
    rows = [sighting.expression for sighting in sightings]
    shares = np.average(rows, axis=0, weights=[sighting.box.score for sighting in sightings])
    shares = np.round(shares / shares.sum(), 4)
    return Face(
        min(starts),
        max(ends),
        len(sightings),
        round(fmean(sighting.box.height for sighting in sightings), 4),
        round(fmean(sighting.sharpness for sighting in sightings), 4),
        dict(zip(EXPRESSIONS, map(float, shares), strict=True)),
    )


def sharpness(face: Picture) -> float:
    """Return how sharp a face is, in [0, 1]: the share of its contrast that is in fine detail."""
    import cv2

    grey: Any = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    how = cv2.INTER_AREA if min(grey.shape) > DETAIL else cv2.INTER_LINEAR
    square = cv2.resize(grey, (DETAIL, DETAIL), interpolation=how).astype(np.float32)
    contrast = float(square.std())
    fine = float((square - cv2.GaussianBlur(square, (0, 0), 1.0)).std())
    return round(min(1.0, fine / max(contrast, 1.0)), 3)
