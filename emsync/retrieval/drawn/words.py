"""Tags of a drawn film: what somebody would say of it who looks, and is now and then wrong."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from emsync.retrieval.drawn.drawing import STYLES, TEXTURES
from emsync.retrieval.drawn.following import Script

WRONG = 0.08  # share of the words that are another of their kind
FIGURES = tuple(figure for style in STYLES.values() for figure in style.figures)
PALETTES, TINTS = ("cold", "mild", "warm"), ("pale", "tinted", "vivid")
PACES, LIGHTS = ("still", "slow", "brisk", "fast"), ("dark", "dim", "bright")
CUTTING = ("unbroken", "calm", "lively", "restless")
SPEEDS = (0.06, 0.18, 0.36)  # picture heights a second, between the PACES
SHOTS = (1.5, 4.5, 9.5)  # between CUTTING, in 28 seconds


def words_of(script: Script, style: str, rng: Generator) -> tuple[str, ...]:
    """Return the tags of a film, one of each kind."""
    shots = (script.shots[-1] + 1) * 350 / len(script.shots)
    said = (
        (FIGURES, FIGURES.index(STYLES[style].figures[script.figure])),
        (TEXTURES, script.texture),
        (PALETTES, _thirds(script.warm)),
        (TINTS, _thirds(script.vivid)),
        (PACES, int(np.searchsorted(SPEEDS, script.speed.mean()))),
        (LIGHTS, _thirds(float(script.bright.mean()))),
        (CUTTING, int(np.searchsorted(SHOTS, shots))),
    )
    return tuple(_said(kind, place, rng) for kind, place in said)


def _thirds(value: float) -> int:
    return min(2, int(3 * value))


def _said(kind: Sequence[str], place: int, rng: Generator) -> str:
    if rng.random() < WRONG:
        place = (place + int(rng.integers(1, len(kind)))) % len(kind)
    return kind[place]
