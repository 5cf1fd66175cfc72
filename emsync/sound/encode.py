"""Sound as a file, in the kind that its name ends with."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from emsync.arrays import Float32s
from emsync.errors import EmsyncError
from emsync.files import atomic_write
from emsync.sound.audio import OUTPUT_RATE, write_wav
from emsync.sound.blocks import Sound

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

BIT_RATE = 192_000  # bits per second, where the kind loses some


class _Kind(NamedTuple):
    """A kind of file."""

    container: str  # FFmpeg's names
    codec: str
    samples: str
    rate: int = OUTPUT_RATE  # samples per second


_ENCODED = {
    ".flac": _Kind("flac", "flac", "s16"),
    ".mp3": _Kind("mp3", "libmp3lame", "fltp"),
    ".ogg": _Kind("ogg", "libopus", "fltp", 48000),
    ".opus": _Kind("ogg", "libopus", "fltp", 48000),
    ".m4a": _Kind("ipod", "aac", "fltp"),
}
KINDS = (".wav", *_ENCODED)


def write_audio(sound: Sound, path: Path) -> None:
    """Write ``sound`` as the kind of file that ``path`` ends with, atomically; WAV without one.

    .wav and .flac hold the same samples, of 16 bits. .mp3, .ogg and .m4a lose some quality. All
    say how long the sound is, to the sample: encoders of .mp3, .ogg and .m4a put silence around it,
    which players leave out that read the file's note of it.
    """
    kind = _ENCODED.get(path.suffix.lower())
    if kind is None:
        write_wav(sound, path)
        return

    with atomic_write(path) as part, in_words(f"cannot encode {str(path)!r}"):
        _encode(sound, part, kind)


@contextmanager
def in_words(failure: str) -> Iterator[None]:
    """Raise what FFmpeg cannot write as an EmsyncError that begins with ``failure``."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):  # of the disk: atomic_write reports it
            raise
        raise EmsyncError(f"{failure}: {error.strerror}") from error


def _encode(sound: Sound, path: Path, kind: _Kind) -> None:
    import av

    # "file:", or FFmpeg takes a name such as concat:x.mp3 for a protocol
    flags = {"fflags": "bitexact"}
    if kind.container == "ipod":
        flags["movie_timescale"] = str(kind.rate)  # or its length is in whole milliseconds
    with av.open(f"file:{path}", "w", format=kind.container, options=flags) as out:
        stream = cast(
            "AudioStream",
            out.add_stream(kind.codec, rate=kind.rate, layout="stereo", bit_rate=BIT_RATE),
        )
        start = 0
        for block in sound.blocks():
            samples = _laid_out(block, kind.samples)
            frame = av.AudioFrame.from_ndarray(samples, format=kind.samples, layout="stereo")
            frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
            frame.pts, start = start, start + len(block)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _laid_out(samples: Float32s, form: str) -> Any:
    """Return (N, 2) samples as FFmpeg wants them: of 16 bits in turn, or each side in a row."""
    if form == "s16":
        return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16).reshape(1, -1)
    return np.ascontiguousarray(samples.T)
