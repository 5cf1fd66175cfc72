"""Real films, retimed: what strikes the eye in them is moved onto the accents of a song.

As in Davis & Agrawala (2018): impacts of a film are warped onto beats, the film going a little
faster or slower in between. As editors do it: it is cut from clip to clip on accents, and the
picture leaps or flares up on them. The warp is chosen from one impact to the next: of those that
can be reached, the one that is strong and skips few others.

Shapes: T pictures, ten a second; E accents; I impacts of a clip.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from emsync.arrays import Float64s, Picture, Seconds
from emsync.synchrony.drawn.driving import Drive, driven
from emsync.synchrony.footage import TALL, WIDE, Clip
from emsync.synchrony.seen import HEIGHT, RATE, WIDTH, row_count

SLOWEST, FASTEST = 0.6, 1.7  # times the film's own speed
AHEAD = 3  # accents that may pass until the next impact is met
SKIPPED = 0.6  # what an impact costs that falls between accents, of its strength
MISSED = 0.2  # what an accent costs that nothing meets
BEST = 0.4  # what it is worth to keep the film's own speed, in strengths
CUT = 0.55  # share of films that are cut on accents
AIMLESS = 0.2  # share of films that are also cut at any moment
PULSED, FLARED = 0.25, 0.2  # share of films in which editors let the picture leap, or flare up
MET = 0.35  # share of the accents below which one of both is done in any case
SELDOM, OFTEN = 3.0, 30.0  # weight of a clip without impacts, and of one with the most
CLOSEST = 1.0  # seconds of a shot that is cut on accents
GRAIN = (0.0, 5.0)  # SD in levels of 255


def retimed(
    clips: Sequence[Clip], accents: Float64s, beat: float, seconds: float, rng: Generator
) -> Picture:
    """Return the (T, 27, 48) pictures of a film to the (A, 3) accents of a song, of some clips.

    Their times are the film's, some before it and after it; ``beat`` is the seconds of one.
    """
    drive = driven(accents, beat, seconds, rng)
    at = (np.arange(row_count(seconds)) + 0.5) / RATE
    pictures = np.empty((len(at), TALL, WIDE), np.uint8)
    edges, on_accents = _edges(drive, seconds, rng)
    crops, light = np.empty((len(at), 3)), np.empty((len(at), 2))
    shares = np.minimum([SELDOM + len(clip.impacts) for clip in clips], OFTEN)
    mirrored = rng.random() < 0.5
    met = len(edges) if on_accents else 0
    for start, end in zip([0.0, *edges], [*edges, seconds], strict=True):
        clip = clips[int(rng.choice(len(clips), p=shares / shares.sum()))]
        mine = (at >= start) & (at < end)
        source, count = warped(clip, drive, start, end, rng)
        met += count
        pictures[mine] = clip.luma[_shown(clip, source(at[mine]))]
        crops[mine] = rng.uniform((0, -1, -1), (0.35, 1, 1))
        light[mine] = rng.uniform((0.7, -25), (1.3, 25))
    inside = np.count_nonzero((drive.times >= 0) & (drive.times < seconds))
    wanted = rng.random(2) < (PULSED, FLARED)
    if met < MET * inside and not wanted.any():
        wanted[int(rng.integers(2))] = True
    zoom, gain = crops[:, 0].copy(), light[:, 0].copy()
    if wanted[0]:
        zoom += rng.uniform(0.15, 0.5) * drive.kick(at, rng.uniform(0.1, 0.3))
    if wanted[1]:
        gain *= 1 + rng.choice((-0.5, 0.5, 1.0)) * drive.kick(at, rng.uniform(0.08, 0.25))
    seen = _cropped(pictures[:, :, ::-1] if mirrored else pictures, zoom, crops[:, 1:])
    levels = seen * gain.astype(np.float32)[:, None, None]
    levels += light[:, 1].astype(np.float32)[:, None, None]
    levels += rng.standard_normal(levels.shape, np.float32) * np.float32(rng.uniform(*GRAIN))
    return np.clip(levels, 0, 255).astype(np.uint8)


def _edges(drive: Drive, seconds: float, rng: Generator) -> tuple[list[float], bool]:
    """Return where the film is cut, and whether that is on accents."""
    cuts: list[float] = []
    on_accents = rng.random() < CUT
    if on_accents:
        chance = rng.uniform(0.3, 1.0)
        for time in drive.times[(drive.times > 0) & (drive.times < seconds)].tolist():
            if time - (cuts[-1] if cuts else 0.0) >= CLOSEST and rng.random() < chance:
                cuts.append(time)
    if rng.random() < AIMLESS:
        cuts += rng.uniform(0, seconds, int(rng.integers(1, 4))).tolist()
    return sorted(cuts), on_accents


class Warp:
    """The moment of a clip that is shown at a moment of a film: straight lines between anchors."""

    def __init__(self, film: Sequence[float], clip: Sequence[float]) -> None:
        self.film, self.clip = np.array(film), np.array(clip)

    def __call__(self, at: Seconds) -> Seconds:
        """Return the moments of the clip; after the last anchor it goes on at its own speed."""
        inside = np.interp(at, self.film, self.clip)
        return np.asarray(inside + np.maximum(at - self.film[-1], 0))

    @property
    def speeds(self) -> Float64s:
        """The speeds between anchors, as times the clip's own."""
        return np.diff(self.clip) / np.diff(self.film)


def warped(clip: Clip, drive: Drive, start: float, end: float, rng: Generator) -> tuple[Warp, int]:
    """Return how a clip goes from ``start`` to ``end`` seconds of a film, and how many it meets.

    It begins at any moment from which on it lasts, if there is one; at its end it turns back.
    """
    length = end - start
    begin = float(rng.uniform(0, max(clip.seconds - length, 0.0)))
    times = drive.times[(drive.times > start + 0.05) & (drive.times < end)]
    film, source = [start], [begin]
    place = 0
    while place < len(times):
        found = _next(clip.impacts, times[place : place + AHEAD], film[-1], source[-1])
        if found is None:
            place += 1
            continue
        step, moment = found
        place += step
        film.append(float(times[place]))
        source.append(moment)
        place += 1
    return Warp(film, source), len(film) - 1


def _next(impacts: Float64s, times: Seconds, film: float, clip: float) -> tuple[int, float] | None:
    """Return which of the next accents is met, and the moment of the impact that meets it."""
    best, found = 0.0, None
    strengths = impacts[:, 1]
    first = int(np.searchsorted(impacts[:, 0], clip + 0.05))
    for step, time in enumerate(times.tolist()):
        reach = clip + (time - film) * np.array([SLOWEST, FASTEST])
        low, high = np.searchsorted(impacts[:, 0], reach)
        for one in range(max(int(low), first), int(high)):
            moment = float(impacts[one, 0])
            speed = (moment - clip) / (time - film)
            skipped = float(strengths[first:one].sum())
            worth = strengths[one] + BEST * (1 - abs(np.log(speed)))
            worth -= SKIPPED * skipped + MISSED * step
            if worth > best:
                best, found = float(worth), (step, moment)
    return found


def _shown(clip: Clip, moments: Seconds) -> NDArray[np.intp]:
    """Return (n,) which pictures are shown at moments of a clip."""
    last = float(clip.times[-1])
    moments = last - np.abs(moments % (2 * last) - last) if last else moments
    return np.maximum(np.searchsorted(clip.times, moments + 1e-9, side="right") - 1, 0)


def _cropped(pictures: Picture, zoom: Float64s, place: Float64s) -> Picture:
    """Return (T, HEIGHT, WIDTH) of (T, TALL, WIDE) pictures, seen ``zoom`` (logarithm) nearer.

    ``place`` (T, 2) says where: at 0 in the middle, at 1 as far right, or down, as it can be.
    """
    size = np.exp(-zoom)
    centre = 0.5 + 0.5 * place * (1 - size[:, None])
    x = (np.arange(WIDTH) + 0.5) / WIDTH - 0.5
    y = (np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5
    across = (centre[:, :1] + size[:, None] * x) * WIDE - 0.5
    down = np.clip((centre[:, 1:] + size[:, None] * y) * TALL - 0.5, 0, TALL - 1)
    down += TALL * np.arange(len(pictures))[:, None]  # all pictures are one, below each other
    shape = (len(pictures), HEIGHT, WIDTH)
    maps = np.broadcast_to(across[:, None, :], shape), np.broadcast_to(down[:, :, None], shape)
    columns, rows = (m.reshape(-1, WIDTH).astype(np.float32) for m in maps)
    tall = np.ascontiguousarray(pictures).reshape(-1, WIDE)
    seen = cv2.remap(tall, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8).reshape(shape)
