"""One pass over the frames of a film: cuts, motion, colour, a film strip; beside it, its sound.

``watch`` decodes every frame once, and everything that is measured on the pictures comes
from that pass. Memory does not grow with the pictures: a few numbers stay of each frame, and a
bounded number of stills where they are needed (140 MB at most of a wide film). Times are seconds
from the first frame, by presentation timestamps, so a variable frame rate is safe.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emsync.arrays import Picture
from emsync.beside import beside
from emsync.encoders.threads import one_thread
from emsync.sound.listening import check_listening, listen
from emsync.video.complete import check_complete
from emsync.video.cuts import with_fades
from emsync.video.faces import Faces
from emsync.video.film import MOMENT, Film, frames, until
from emsync.video.footage import NOTHING_MORE, Footage, Needs
from emsync.video.hardware import device_for
from emsync.video.media import nothing_decodes, only_a_picture
from emsync.video.observers import Colours, Motion, Observer, Reducer, Stills, Strip
from emsync.video.scenes import SceneDetector

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

WATCHING = 0.9  # share of the time, where there may still be sound to listen to


def watch(
    film: Film,
    progress: Callable[[float], None] | None = None,
    observers: Sequence[Observer] = (),
    needs: Needs = NOTHING_MORE,
    track: int | None = None,
    hardware: bool = False,
) -> Footage:
    """Decode ``film`` once and measure cuts, motion and colours on reduced frames.

    ``progress`` is called now and then with the share that is done, in [0, 1]. ``observers`` are
    shown every frame too. ``needs`` is what else is gathered of the film; AssetError where the
    weights for it are missing or broken. ``track`` is which of the film's sounds is listened to,
    counted from 0; None takes what a player does. ``hardware`` lets a graphics card decode, where
    one can; see ``device_for``.
    """
    told = progress or (lambda _share: None)
    if needs.sound:
        check_listening(film, track)
    shown = frames(film, device_for(film) if hardware else None)
    if not needs.sound:
        return _look(film, shown, told, observers, needs)

    def rest(share: float) -> None:
        told(WATCHING + (1 - WATCHING) * share)

    with one_thread(), beside(lambda tell: listen(film, tell, track)) as listened:
        footage = _look(film, shown, lambda share: told(WATCHING * share), observers, needs)
        if footage.film.duration == film.duration:
            return replace(footage, sound=listened(rest))
    # It is damaged, and ends sooner than it says: what lies behind is not to be heard either.
    return replace(footage, sound=listen(footage.film, rest, track))


def watch_drawn(
    pictures: Sequence[Picture],
    fps: float,
    observers: Sequence[Observer] = (),
    needs: Needs = NOTHING_MORE,
) -> Footage:
    """Measure on drawn pictures what ``watch`` measures on those of a file.

    They are (height, width, 3) of one size in blue, green and red; each is shown 1 / ``fps`` s.
    """
    from av.video.frame import VideoFrame

    height, width = pictures[0].shape[:2]
    film = Film(
        Path("drawn"), len(pictures) / fps, Fraction(fps).limit_denominator(1001), width, height,
        rotation=0, has_audio=False, frames=len(pictures), stream=0,
    )  # fmt: skip
    shown = (
        (i / fps, (i + 1) / fps, VideoFrame.from_ndarray(picture, "bgr24"))
        for i, picture in enumerate(pictures)
    )
    return _look(film, shown, lambda _share: None, observers, needs)


def _look(
    film: Film,
    shown: Iterable[tuple[float, float, "VideoFrame"]],
    told: Callable[[float], None],
    observers: Sequence[Observer],
    needs: Needs,
) -> Footage:
    """Measure frames with the seconds between which each is shown; tell the share that is done."""
    colours, motion, scenes = Colours(), Motion(), SceneDetector(film.fps)
    strip, kept = Strip(film), Stills(film, needs.stills)
    everyone: list[Observer] = [colours, scenes, *observers, motion, strip, kept]
    with one_thread() if needs.faces else nullcontext(), ThreadPoolExecutor(1) as looking:
        faces = Faces(film, looking) if needs.faces else None
        times, end = _shown_to([*everyone, faces] if faces else everyone, film, shown, told)
    if not times:
        raise nothing_decodes(film.path)
    if len(times) == 1:
        raise only_a_picture(film.path)
    moments, cuts = np.asarray(times, np.float64), scenes.cuts()
    brightness = np.asarray(colours.brightness, np.float64)
    boundaries = with_fades(cuts, moments, brightness)
    motion_times, speeds = motion.within_scenes(cuts)
    change_times, changes = motion.changes()
    if film.timing and times[-1] < film.timing.times[-1] - MOMENT:  # the rest of it is damaged
        check_complete(film.path, end, film.duration, "decoded")
        film = until(film, end, len(times))
    return Footage(
        film=replace(film, frames=len(times)),
        times=moments,
        brightness=brightness,
        saturation=np.asarray(colours.saturation, np.float64),
        colourfulness=np.asarray(colours.colourfulness, np.float64),
        motion_times=motion_times,
        motion=speeds,
        change_times=change_times,
        change=changes,
        cuts=boundaries,
        strip=tuple(strip.pictures),
        stills=tuple(kept.pictures),
        faces=faces.faces(boundaries, film.duration) if faces else (),
    )


def _shown_to(
    everyone: Sequence[Observer],
    film: Film,
    shown: Iterable[tuple[float, float, "VideoFrame"]],
    told: Callable[[float], None],
) -> tuple["array[float]", float]:
    """Show all frames to ``everyone``; return their times, and until when the last is shown."""
    reduce, times = Reducer(film), array("d")
    end, reported = 0.0, 0.0  # seconds; share
    for time, end, decoded in shown:
        times.append(time)
        frame = reduce(time, decoded)
        for observe in everyone:
            observe(frame)
        share = min(1.0, end / film.duration) if film.duration else 0.0
        if share > reported:
            told(share)
            reported = share + 0.01
    return times, end
