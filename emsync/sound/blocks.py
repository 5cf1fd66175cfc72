"""Sound in blocks, made each time it is heard: the sound of a long film is not held in memory."""

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from emsync.arrays import Float32s
from emsync.errors import EmsyncError
from emsync.limits import shown

BLOCK = 2**16  # samples that are worked on at once
IN_MEMORY = 2**26  # bytes of a sound that are kept; more go to a file
SAMPLE = 8  # bytes of a left and a right sample


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


class Kept:
    """Sound that is made once, since that takes long, and kept in a temporary file."""

    def __init__(self, sound: Sound) -> None:
        self.rate, self.length = sound.rate, sound.length
        folder = _large_folder()
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        try:
            for block in sound.blocks():
                self._file.write(np.ascontiguousarray(block, np.float32).tobytes())
        except OSError as error:
            place = shown(str(folder or tempfile.gettempdir()))
            raise EmsyncError(
                f"cannot keep {self.length * SAMPLE / 1e6:.0f} MB of sound in {place}: "
                f"{error.strerror}; name another folder in TMPDIR"
            ) from error

    def blocks(self) -> Iterator[Float32s]:
        """Yield all samples, (n, 2) at a time."""
        for at in range(0, self.length, BLOCK):
            self._file.seek(at * SAMPLE)
            data = self._file.read(min(BLOCK, self.length - at) * SAMPLE)
            yield np.frombuffer(data, np.float32).reshape(-1, 2)


def _large_folder() -> str | None:
    """Return where a large file may lie, which /tmp often keeps in memory; None: as usual."""
    large = "/var/tmp"
    return None if "TMPDIR" in os.environ or not os.access(large, os.W_OK) else large


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
        parts = [part for part in parts if len(part)] or parts[:1]
        joined = np.concatenate(parts) if len(parts) > 1 else parts[0]
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


def summed(sounds: Sequence[Sound], rate: int, length: int) -> Made:
    """Return all of ``sounds``, which have one ``rate``, at once: ``length`` samples of them."""

    def added() -> Iterator[Float32s]:
        for blocks in zip(*(evened(sound.blocks(), length) for sound in sounds), strict=True):
            total = np.zeros_like(blocks[0])
            for block in blocks:
                total += block
            yield total

    return Made(rate, length, added)


def excerpt(samples: Float32s, begin: int, end: int) -> Float32s:
    """Return the samples from ``begin`` to ``end`` of (N,), N at least 1.

    Before the first sample sound is its own mirror image, so that nothing seems to begin there;
    after the last one it is silent.
    """
    piece = np.pad(samples[max(0, begin) : max(0, end)], (max(0, -begin), 0), "symmetric")
    return np.pad(piece, (0, end - begin - len(piece)))
