"""The lists that the page offers: palettes, emotions, endings, and what is left to the film."""

from functools import cache
from typing import Any, get_args

from emsync.emotion.plane import SCALE, gaussians
from emsync.music.piece import CLASSES
from emsync.music.tonality import TONICS
from emsync.options import FASTEST, LUFS, SLOWEST, EndingKind, KeepAudio, Mode, Options, Sync
from emsync.performance.palette import Palette, names
from emsync.studio.document import COMPARED

LEFT = ("sync", "max_tempo_change", "humanize", "seed")  # options that are wishes as they are


@cache
def lists() -> dict[str, Any]:
    """Return what can be chosen, by name."""
    return {
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
        "defaults": {  # of wishes that no film answers
            **{name: getattr(Options(), name) for name in LEFT},
            "candidates": COMPARED,
            "strength": SCALE,
            "lufs": LUFS,
        },
    }
