"""A style prompt: music that is to be like what is heard in a file."""

from pathlib import Path

import numpy as np

from emsync.errors import InputError
from emsync.limits import quoted
from emsync.sound.audio import Audio, whole
from emsync.sound.blocks import Made
from emsync.sound.decode import own_sound
from emsync.sound.synthesis import played

SCORES = (".mid", ".midi")
SHORTEST, LONGEST = 1.0, 60.0  # seconds; of a longer one the beginning counts
SILENT = 1e-3  # a peak below this is no music: -60 dB of full scale


def read_style(path: Path, rate: int) -> Audio:
    """Return what is heard in ``path``: sound, a film's sound, or the notes of a MIDI file, played.

    It has ``rate`` samples a second. InputError where it cannot be read, is silent or too short.
    """
    most = round(LONGEST * rate)
    if path.suffix.lower() in SCORES:
        score = played(path, rate=rate)
        sound = whole(Made(rate, min(most, score.length), score.make))
    else:
        sound = Audio(own_sound(path, rate, LONGEST).samples[:most], rate)
    if sound.duration < SHORTEST:
        raise InputError(
            f"{quoted(path)} has {sound.duration:.2f} s of sound, too little to be like; give "
            f"{SHORTEST:g} s or more"
        )
    if np.abs(sound.samples).max() < SILENT:
        raise InputError(f"{quoted(path)} is silent, so nothing can be like it; give music")
    return sound
