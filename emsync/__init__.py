"""Music that follows a video: video in, multi-instrument score out.

>>> import emsync
>>> composition = emsync.generate("clip.mp4", emsync.Options(tonic="D"))  # doctest: +SKIP
>>> composition.save("score.mid")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emsync.analysis import Analysis
    from emsync.composition import Composition
    from emsync.errors import EmsyncError
    from emsync.formats.midi_check import check
    from emsync.matching.match import match
    from emsync.model.composer import Composer
    from emsync.music.piece import Piece
    from emsync.options import Options
    from emsync.performance.palette import Palette
    from emsync.performance.performance import Performance
    from emsync.performing import perform
    from emsync.pipeline import analyze, generate, plan
    from emsync.planning.plan import Plan
    from emsync.sound.audio import Audio
    from emsync.sound.synthesis import render
    from emsync.soundtrack import Soundtrack

__version__ = "0.1.0"

_HOMES = {  # of each public name, imported when it is first used: ``emsync --help`` needs no torch
    "Analysis": "emsync.analysis",
    "Audio": "emsync.sound.audio",
    "Composer": "emsync.model.composer",
    "Composition": "emsync.composition",
    "EmsyncError": "emsync.errors",
    "Options": "emsync.options",
    "Palette": "emsync.performance.palette",
    "Performance": "emsync.performance.performance",
    "Piece": "emsync.music.piece",
    "Plan": "emsync.planning.plan",
    "Soundtrack": "emsync.soundtrack",
    "analyze": "emsync.pipeline",
    "check": "emsync.formats.midi_check",
    "generate": "emsync.pipeline",
    "match": "emsync.matching.match",
    "perform": "emsync.performing",
    "plan": "emsync.pipeline",
    "render": "emsync.sound.synthesis",
}

__all__ = [
    "Analysis",
    "Audio",
    "Composer",
    "Composition",
    "EmsyncError",
    "Options",
    "Palette",
    "Performance",
    "Piece",
    "Plan",
    "Soundtrack",
    "__version__",
    "analyze",
    "check",
    "generate",
    "match",
    "perform",
    "plan",
    "render",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'emsync' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
