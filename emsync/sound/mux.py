"""Write a film with new sound; its pictures are copied, not encoded again."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from emsync.errors import EmsyncError, UsageError
from emsync.files import atomic_write, check_target
from emsync.options import KeepAudio
from emsync.sound.audio import OUTPUT_RATE, Audio, duck, fit, mix
from emsync.sound.decode import film_sound
from emsync.video.film import (
    FORMATS,
    Film,
    Timing,
    copy_stream,
    moving_picture,
    packets,
    reopened,
    timed,
    timing_of,
)

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

BIT_RATE = 192_000  # bits per second of the encoded sound


class _Encoder(NamedTuple):
    """How sound is encoded."""

    name: str  # FFmpeg's
    rate: int  # samples per second it takes


AAC, OPUS = _Encoder("aac", OUTPUT_RATE), _Encoder("libopus", 48000)


def check_mux(film: Film, output: Path) -> None:
    """Refuse, before any work is done for it, a film that ``mux`` could not write.

    Raises UsageError for an unknown suffix, for pictures that the container cannot hold or not
    hide (before the beginning that an edit list sets), and for the film itself as the output.
    """
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(
            f"cannot write a film as {output.name!r}; end its name with one of {known}"
        )
    check_target(output)
    if output.exists() and output.samefile(film.path):
        raise UsageError(f"{str(output)!r} is the film itself; choose another name")
    if suffix not in film.suffixes:
        fitting = " or ".join(film.suffixes)
        raise UsageError(
            f"{str(film.path)!r} has {film.codec} pictures, which {output.suffix} cannot hold; "
            + (f"choose {fitting}" if fitting else "convert the film to H.264 first")
        )
    if film.hides and suffix in (".mkv", ".webm"):
        raise UsageError(
            f"{str(film.path)!r} hides pictures before its first, which {output.suffix} "
            "cannot; choose .mp4 or .mov"
        )


def soundtrack(film: Film, music: Audio, keep_audio: KeepAudio = "replace") -> Audio:
    """Return what is heard under the pictures of ``film``, exactly as long as they are.

    "replace" drops the film's own sound, "mix" adds the music to it, "duck" adds it and lowers the
    music under it.
    """
    sound = fit(music, timing_of(film).duration)
    own = None if keep_audio == "replace" else film_sound(film, music.rate)
    if own is None:
        return sound
    return mix(duck(sound, own) if keep_audio == "duck" else sound, own)


def mux(
    film: Film, sound: Audio, output: Path, progress: Callable[[float], None] | None = None
) -> None:
    """Write the film's pictures, untouched, with ``sound`` beginning at the first of them.

    The sound is encoded as AAC, in .webm as Opus; see ``soundtrack``. Subtitles and further streams
    are left out. ``progress`` gets the seconds that are written. Pixels that are not square stay so
    in .mp4 and .mov; in .mkv and .webm only where the codec says so itself, as H.264 does and VP9
    does not.
    """
    import av

    check_mux(film, output)
    timing = timing_of(film)
    with atomic_write(output) as part:
        try:
            _write_film(film, timing, sound, part, progress or (lambda seconds: None))
        except av.FFmpegError as error:
            if isinstance(error, OSError):  # of the disk: atomic_write reports it
                raise
            raise EmsyncError(
                f"cannot copy the pictures of {str(film.path)!r} into {str(output)!r}: "
                f"{error.strerror}"
            ) from error


def _write_film(
    film: Film, timing: Timing, sound: Audio, path: Path, progress: Callable[[float], None]
) -> None:
    """Copy the pictures to ``path``, the first shown at 0, and encode ``sound`` with them."""
    import av

    suffix = path.suffix.lower()
    encoder = OPUS if suffix == ".webm" else AAC
    with (
        reopened(film) as source,
        # "file:", or FFmpeg takes a name such as concat:x.mp4 for a protocol
        av.open(f"file:{path}", "w", format=FORMATS[suffix], options={"fflags": "bitexact"}) as out,
    ):
        pictures = moving_picture(film.path, source)
        copy = copy_stream(out, pictures)
        track = cast(
            "AudioStream",
            out.add_stream(encoder.name, rate=encoder.rate, layout="stereo", bit_rate=BIT_RATE),
        )
        written = 0  # samples

        def sound_until(stop: int) -> None:
            nonlocal written
            if stop > written:
                piece = np.ascontiguousarray(sound.samples[written:stop].T)
                frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
                frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
                frame.pts, written = written, stop
                out.mux(track.encode(frame))

        copied = (packet for packet in timed(packets(source, pictures), timing) if packet.size)
        for decoded, packet in zip(timing.decoded.tolist(), copied, strict=False):
            packet.pts = cast(int, packet.pts) - timing.start
            packet.dts = decoded - timing.start
            packet.stream = copy
            seconds = float(packet.dts * timing.base)
            out.mux(packet)
            sound_until(min(round(seconds * sound.rate), len(sound.samples)))
            progress(max(0.0, seconds))
        sound_until(len(sound.samples))
        out.mux(track.encode(None))
