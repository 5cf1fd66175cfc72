"""One pass over the frames of a film: cuts, motion, colour, a film strip; then over its sound.

``watch`` decodes every frame once, and everything that is measured on the pictures comes
from that pass. Memory does not grow with the pictures: a few numbers stay of each frame, and a
bounded number of stills where they are needed (140 MB at most of a wide film). Times are seconds
from the first frame, by presentation timestamps, so a variable frame rate is safe.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emsync.sound.listening import check_listening, listen
from emsync.video.complete import check_complete
from emsync.video.cuts import with_fades
from emsync.video.faces import Faces
from emsync.video.film import MOMENT, Film, frames, until
from emsync.video.footage import NOTHING_MORE, Footage, Needs
from emsync.video.media import nothing_decodes, only_a_picture
from emsync.video.observers import Colours, Motion, Observer, Reducer, Stills, Strip
from emsync.video.scenes import SceneDetector

WATCHING = 0.9  # share of the time, where the sound is listened to as well


def watch(
    film: Film,
    progress: Callable[[float], None] | None = None,
    observers: Sequence[Observer] = (),
    needs: Needs = NOTHING_MORE,
    track: int | None = None,
) -> Footage:
    """Decode ``film`` once and measure cuts, motion and colours on reduced frames.

    ``progress`` is called now and then with the share that is done, in [0, 1]. ``observers`` are
    shown every frame too. ``needs`` is what else is gathered of the film; AssetError where the
    weights for it are missing or broken. ``track`` is which of the film's sounds is listened to,
    counted from 0; None takes what a player does.
    """
    if needs.sound:
        check_listening(film, track)
    watching = WATCHING if needs.sound else 1.0  # share of the time
    reduce = Reducer(film)
    colours, motion, scenes = Colours(), Motion(), SceneDetector(film.fps)
    strip, kept = Strip(film), Stills(film, needs.stills)
    everyone: list[Observer] = [colours, scenes, *observers, motion, strip, kept]
    faces = Faces(film) if needs.faces else None
    everyone += [faces] if faces else []
    times = array("d")
    end, reported = 0.0, 0.0  # seconds; share
    for time, end, decoded in frames(film):
        times.append(time)
        frame = reduce(time, decoded)
        for observe in everyone:
            observe(frame)
        share = watching * min(1.0, end / film.duration) if film.duration else 0.0
        if progress and share > reported:
            progress(share)
            reported = share + 0.01
    if not times:
        raise nothing_decodes(film.path)
    if len(times) == 1:
        raise only_a_picture(film.path)
    shown, cuts = np.asarray(times, np.float64), scenes.cuts()
    brightness = np.asarray(colours.brightness, np.float64)
    boundaries = with_fades(cuts, shown, brightness)
    motion_times, speeds = motion.within_scenes(cuts)
    change_times, changes = motion.changes()
    if film.timing and times[-1] < film.timing.times[-1] - MOMENT:  # the rest of it is damaged
        check_complete(film.path, end, film.duration, "decoded")
        film = until(film, end, len(times))
    sound = None
    if needs.sound:
        told = progress or (lambda _share: None)
        sound = listen(film, lambda share: told(watching + (1 - watching) * share), track)
    return Footage(
        film=replace(film, frames=len(times)),
        times=shown,
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
        sound=sound,
    )
