"""A film at a glance: evenly spaced pictures, each written as a small JPEG as soon as it is seen.

One pass over the packets of the film decodes only what the pictures need. Each moment is answered
by a key frame where there is one around it, since that stands alone, and otherwise by the frame
that is shown then, for which those from the key frame before it on are decoded as well.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from emsync.errors import EmsyncError
from emsync.files import atomic_write
from emsync.limits import quoted
from emsync.video.film import Film, frames, reopened
from emsync.video.footage import Still
from emsync.video.media import decode, decode_rest, moving_picture, nothing_decodes, packets
from emsync.video.observers import Upright
from emsync.video.timing import Timing, timed

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

COUNT, HEIGHT = 24, 96  # pictures, and pixels of their height
QUALITY = 80  # of JPEG, of 100
ROUGH = 4  # times that a film is larger than its pictures, for them not to show how it is coded
APART = 8  # frames between two pictures from which on one near the moment will do


class Picture(NamedTuple):
    """A picture of a film."""

    time: float  # seconds at which it is shown
    name: str  # of its file


def film_strip(
    film: Film,
    folder: Path,
    count: int = COUNT,
    height: int = HEIGHT,
    ready: Callable[[Picture], None] | None = None,
) -> list[Picture]:
    """Write ``count`` pictures of ``film`` into ``folder`` as 00.jpg, 01.jpg, and so on.

    ``ready`` is told of each as soon as it is there. There are fewer of a film with fewer frames.
    """
    made: list[Picture] = []
    upright = Upright(film, height)
    rough = film.height >= ROUGH * height
    for time, frame in _seen(film, min(count, film.frames), rough):
        picture = Picture(time, f"{len(made):02d}.jpg")
        _write(upright(time, frame), folder / picture.name)
        made.append(picture)
        if ready:
            ready(picture)
    if not made:
        raise nothing_decodes(film.path)
    return made


def _write(still: Still, path: Path) -> None:
    import cv2

    done, data = cv2.imencode(".jpg", still.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise EmsyncError(f"cannot write the picture {quoted(path)}")
    with atomic_write(path) as part:
        part.write_bytes(data.tobytes())


def _seen(film: Film, count: int, rough: bool) -> Iterator[tuple[float, "VideoFrame"]]:
    """Yield ``count`` frames, ascending, with the seconds at which each is shown.

    ``rough`` leaves the edges of blocks as they are coded, which takes a quarter less time.
    """
    if film.timing is None:  # only who decodes all of them knows when they are shown
        moments = (np.arange(count) + 0.5) * (film.duration / count)
        yield from _last_before(((time, frame) for time, _, frame in frames(film)), moments)
        return
    timing = film.timing
    with reopened(film) as container:
        stream = moving_picture(film.path, container)
        if rough:
            stream.codec_context.options = {"skip_loop_filter": "all"}
        numbered = enumerate(p for p in timed(packets(container, stream), timing) if p.size)
        for run in _runs(timing, count):
            shown = ((frame.pts, frame) for frame in _decoded(stream, numbered, run))
            for ticks, frame in _last_before(shown, run.moments):
                yield float((ticks - timing.start) * timing.base), frame


class _Run(NamedTuple):
    """Packets that are decoded in a row, and the ticks of the moments that they show."""

    first: int  # a key frame
    last: int
    moments: list[int]


def _runs(timing: Timing, count: int) -> list[_Run]:
    """Return which packets are decoded for ``count`` pictures."""
    shown = np.where(timing.shown < timing.start, np.iinfo(np.int64).max, timing.shown)
    keys = np.flatnonzero(timing.keys & (timing.shown >= timing.start))
    edges = np.linspace(timing.start, timing.end, 2 * count + 1)
    runs: list[_Run] = []
    for before, moment, after in zip(edges[:-2:2], edges[1::2], edges[2::2], strict=True):
        around = keys[(shown[keys] >= before) & (shown[keys] < after)]
        if len(around):
            first = last = int(around[np.abs(shown[around] - moment).argmin()])
        else:
            last = int(np.where(shown <= moment, timing.shown, timing.start - 1).argmax())
            first = _key_of(timing, last)
        wanted = int(shown[last])
        if runs and first <= runs[-1].last:
            earlier = runs.pop()
            run = _Run(earlier.first, max(earlier.last, last), [*earlier.moments, wanted])
        else:
            run = _Run(first, last, [wanted])
        runs.append(run)
    return runs


def _key_of(timing: Timing, number: int) -> int:
    """Return the key frame from which on a packet is decoded."""
    before = timing.keys[: number + 1] & (timing.shown[: number + 1] <= timing.shown[number])
    return int(np.flatnonzero(before)[-1]) if before.any() else 0


def _decoded(
    stream: Any, numbered: Iterator[tuple[int, "Packet[Any]"]], run: _Run
) -> Iterator["VideoFrame"]:
    """Yield the frames of a run, ascending; of a long one only those that others need."""
    is_long = run.last - run.first > APART * len(run.moments)
    stream.codec_context.skip_frame = "NONREF" if is_long else "DEFAULT"
    for number, packet in numbered:
        if number >= run.first:
            yield from decode(packet)
        if number == run.last:
            break
    yield from decode_rest(stream)


def _last_before(
    shown: Iterable[tuple[Any, "VideoFrame"]], moments: Iterable[Any]
) -> Iterator[tuple[Any, "VideoFrame"]]:
    """Yield for each of the ascending ``moments`` the last frame until then, or else the first."""
    waiting = list(moments)
    last: tuple[Any, VideoFrame] | None = None
    for each in shown:
        while waiting and last and each[0] > waiting[0]:
            yield last
            del waiting[0]
        if not waiting:
            return
        last = each
    if last:
        yield from (last for _ in waiting)
