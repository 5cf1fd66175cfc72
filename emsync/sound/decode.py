"""The sound of media files and of films, decoded to samples."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emsync.arrays import Float32s
from emsync.errors import InputError
from emsync.signals import HOP, SAMPLE_RATE
from emsync.sound.audio import OUTPUT_RATE, Audio
from emsync.sound.bounds import checked
from emsync.video.film import Film, open_film, opened, picture_streams, timing_of

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame


def film_sound(film: Film, rate: int) -> Audio | None:
    """Return the film's own sound from its first picture on, or None if it has none."""
    if not film.has_audio:
        return None
    timing = timing_of(film)
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
            for frame in checked(path, container.decode(container.streams.audio[0])):
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


def read_mono(path: Path) -> Float32s:
    """Return the sound of a file as (N,) samples, SAMPLE_RATE a second, all channels as one."""
    pieces = [frame.to_ndarray()[0] for frame in sound_frames(path, SAMPLE_RATE, "mono")]
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if len(samples) < HOP or not np.isfinite(samples).all():
        raise InputError(f"{str(path)!r} holds no sound that can be heard; is the file complete?")
    return samples


def read_stereo(path: Path, start: float, duration: float) -> Audio:
    """Return at most ``duration`` seconds of the sound of a file from ``start`` on."""
    skip, stop = round(start * OUTPUT_RATE), round((start + duration) * OUTPUT_RATE)
    pieces, at = [], 0
    for frame in sound_frames(path, OUTPUT_RATE, "stereo"):
        piece = frame.to_ndarray().T
        pieces.append(piece[max(0, skip - at) : max(0, stop - at)])
        at += len(piece)
        if at >= stop:
            break
    samples = np.concatenate(pieces) if pieces else np.zeros((0, 2), np.float32)
    return Audio(samples.astype(np.float32, copy=False), OUTPUT_RATE)
