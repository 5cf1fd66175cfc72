"""Sound in blocks, made each time it is heard: the sound of a long film is not held in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emsync.arrays import Float32s

BLOCK = 2**16  # samples that are worked on at once


class Sound(Protocol):
    """Stereo sound, which may be heard again and again; 1 is full scale."""

    @property
    def rate(self) -> int:
        """The samples per second."""

    @property
    def length(self) -> int:
        """The number of samples."""

    def blocks(self) -> Iterator[Float32s]:
        """Yield all samples, (n, 2) at a time."""


@dataclass(frozen=True, eq=False)
class Made:
    """Sound that ``make`` makes anew whenever it is heard."""

    rate: int  # samples per second
    length: int  # samples
    make: Callable[[], Iterable[Float32s]]  # cut to ``length``, with silence after it

    def blocks(self) -> Iterator[Float32s]:
        """Yield all samples, (n, 2) at a time."""
        return evened(self.make(), self.length)


class Reader:
    """Reads so many samples of (n, 2) blocks as are needed; after their end there is silence."""

    def __init__(self, blocks: Iterable[Float32s]) -> None:
        self._blocks = iter(blocks)
        self._rest = np.zeros((0, 2), np.float32)

    def take(self, count: int) -> Float32s:
        """Return the next (count, 2) samples."""
        parts, missing = [self._rest], count - len(self._rest)
        while missing > 0:
            block = next(self._blocks, None)
            parts.append(np.zeros((missing, 2), np.float32) if block is None else block)
            missing -= len(parts[-1])
        joined = np.concatenate(parts) if len(parts) > 1 else self._rest
        self._rest = joined[count:]
        return joined[:count]


def evened(blocks: Iterable[Float32s], length: int, size: int = BLOCK) -> Iterator[Float32s]:
    """Yield ``length`` samples of ``blocks``, ``size`` at a time, with silence after their end."""
    reader = Reader(blocks)
    for at in range(0, length, size):
        yield reader.take(min(size, length - at))


def peak(sound: Sound) -> float:
    """Return the largest magnitude of a sample."""
    return max((float(np.abs(block).max(initial=0.0)) for block in sound.blocks()), default=0.0)
