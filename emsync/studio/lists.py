"""The lists that the page offers: palettes, emotions, endings, and what this machine has."""

import shutil
from functools import cache
from typing import Any, get_args

from emsync.emotion.plane import SCALE, gaussians
from emsync.music.piece import CLASSES
from emsync.music.tonality import TONICS
from emsync.options import (
    CHECKPOINT,
    FASTEST,
    LUFS,
    SLOWEST,
    EndingKind,
    KeepAudio,
    Mode,
    Sync,
)
from emsync.performance.palette import Palette, names
from emsync.sound.synthesis import default_soundfont, synthesizer_name


@cache
def lists() -> dict[str, Any]:
    """Return what can be chosen, by name."""
    return {
        "checkpoint": CHECKPOINT,
        "soundfont": default_soundfont().name,
        "synthesizer": synthesizer_name(),
        "ffmpeg": shutil.which("ffmpeg") is not None,
        "palettes": [
            {"name": name, "players": [player.name for player in Palette.named(name).players]}
            for name in names()
        ],
        "emotions": {
            name: {"valence": round(g.valence, 4), "arousal": round(g.arousal, 4)}
            for name, g in gaussians(SCALE).items()
        },
        "instruments": list(CLASSES),
        "tonics": list(TONICS),
        "modes": list(get_args(Mode)),
        "endings": list(get_args(EndingKind)),
        "syncs": list(get_args(Sync)),
        "keep_audio": list(get_args(KeepAudio)),
        "tempo": [SLOWEST, FASTEST],
        "strength": SCALE,
        "lufs": LUFS,
    }
