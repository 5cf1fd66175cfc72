"""What the film's own sound is like, second by second."""

from dataclasses import dataclass

from emsync.arrays import Float64s


@dataclass(frozen=True, eq=False)
class Heard:
    """What the film's own sound is like; S seconds."""

    loudness: Float64s  # (S,) LUFS
