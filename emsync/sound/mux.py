"""Sound into a film whose pictures are copied, not encoded again; and the film's own sound."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from emsync.arrays import Float32s
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.files import atomic_write, check_target
from emsync.options import KeepAudio
from emsync.sound.audio import RATE, Audio, duck, fit, mix
from emsync.video.film import (
    FORMATS,
    Film,
    Timing,
    copy_stream,
    moving_picture,
    open_film,
    opened,
    packets,
    picture_streams,
)

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

BIT_RATE = 192_000  # bits per second of the encoded sound


class _Encoder(NamedTuple):
    """How sound is encoded."""

    name: str  # FFmpeg's
    rate: int  # samples per second it takes


AAC, OPUS = _Encoder("aac", RATE), _Encoder("libopus", 48000)


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
    sound = fit(music, _timing(film).duration)
    own = None if keep_audio == "replace" else film_sound(film, music.rate)
    if own is None:
        return sound
    return mix(duck(sound, own) if keep_audio == "duck" else sound, own)


def mux(
    film: Film, sound: Audio, output: Path, progress: Callable[[float], None] | None = None
) -> None:
    """Write the film's pictures, untouched, with ``sound`` beginning at the first of them.

    The sound is encoded as AAC, in .webm as Opus; see ``soundtrack``. Subtitles and further streams
    are left out. ``progress`` is told the seconds written. Pixels that are not square stay so in
    .mp4 and .mov; in .mkv and .webm only where the codec says so itself, as H.264 does and VP9 does
    not.
    """
    import av

    check_mux(film, output)
    timing = _timing(film)
    with atomic_write(output) as part:
        try:
            _write_film(film, timing, sound, part, progress or (lambda seconds: None))
        except av.FFmpegError as error:
            if isinstance(error, OSError):  # of the disk: told by atomic_write
                raise
            raise EmsyncError(
                f"cannot copy the pictures of {str(film.path)!r} into {str(output)!r}: "
                f"{error.strerror}"
            ) from error


def _timing(film: Film) -> Timing:
    if film.timing is None:
        raise InputError(f"{str(film.path)!r} does not say when its pictures are shown; convert it")
    return film.timing


def _write_film(
    film: Film, timing: Timing, sound: Audio, path: Path, progress: Callable[[float], None]
) -> None:
    """Copy the pictures to ``path``, the first shown at 0, and encode ``sound`` beside them."""
    import av

    suffix = path.suffix.lower()
    encoder = OPUS if suffix == ".webm" else AAC
    with (
        opened(film.path) as source,
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

        copied = (packet for packet in packets(source, pictures) if packet.size)
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


def film_sound(film: Film, rate: int) -> Audio | None:
    """Return the film's own sound from its first picture on, or None if it has none."""
    if not film.has_audio:
        return None
    timing = _timing(film)
    return read_sound(film.path, rate, timing.start * timing.base)


def own_sound(path: Path, rate: int) -> Audio:
    """Return what is heard in a film from its first picture on, or in a file without pictures.

    InputError where the file cannot be read, or holds no sound.
    """
    with opened(path) as container:
        has_pictures = bool(picture_streams(container))
    sound = film_sound(open_film(path), rate) if has_pictures else read_sound(path, rate)
    if sound is None:
        raise InputError(f"{str(path)!r} holds no sound; give audio, a film with sound, or MIDI")
    return sound


def read_sound(path: Path, rate: int, start: Fraction = Fraction(0)) -> Audio:
    """Return the sound of a file from ``start`` seconds on."""
    pieces: list[tuple[int, Float32s]] = []  # first sample counted from start, (n, 2) samples
    follows = 0
    for piece in sound_frames(path, rate):
        first = follows
        if piece.pts is not None and piece.time_base is not None:
            first = round((piece.pts * piece.time_base - start) * rate)
        if abs(first - follows) < rate // 50:  # rounded times, not a gap
            first = follows
        samples = piece.to_ndarray().T.astype(np.float32)
        pieces.append((first, np.broadcast_to(samples, (len(samples), 2))))
        follows = first + len(samples)
    out = np.zeros((max((first + len(p) for first, p in pieces), default=0), 2), np.float32)
    for first, samples in pieces:
        heard = samples[max(0, -first) :]  # what sounds before the first picture is left out
        first = max(0, first)
        out[first : first + len(heard)] = heard
    return Audio(out, rate)


def sound_frames(path: Path, rate: int, layout: str | None = None) -> Iterator["AudioFrame"]:
    """Yield the first sound of a file in floats at ``rate``, block by block.

    ``layout`` is FFmpeg's name, such as "mono"; None leaves a single channel single and brings all
    else to stereo. InputError where there is no sound, or it is damaged.
    """
    import av

    with opened(path) as container:
        if not container.streams.audio:
            raise InputError(f"{str(path)!r} holds no sound")
        resampler: av.AudioResampler | None = None
        try:
            for frame in container.decode(container.streams.audio[0]):
                if resampler is None:
                    own = "mono" if len(frame.layout.channels) == 1 else "stereo"
                    resampler = av.AudioResampler("fltp", layout or own, rate)
                yield from resampler.resample(frame)
            if resampler is not None:
                yield from resampler.resample(None)
        except (av.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(
                f"the sound of {str(path)!r} is damaged: {reason}; replace it"
            ) from error
