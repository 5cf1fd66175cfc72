"""The sound of media files and of films, decoded to samples."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from emsync.arrays import Float32s
from emsync.errors import InputError, UsageError, warn
from emsync.limits import quoted
from emsync.signals import HOP, SAMPLE_RATE
from emsync.sound.audio import OUTPUT_RATE, Audio
from emsync.sound.blocks import BLOCK, Made
from emsync.sound.bounds import checked
from emsync.sound.tracks import choose, heard_tracks
from emsync.video.film import Film, open_film
from emsync.video.media import continued, continuity, opened, packets, picture_streams

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.packet import Packet

LOUDEST = 16.0  # full scales; what is beyond comes of a damaged stream
SLACK = 0.02  # seconds; times this near follow on each other: they are rounded in the file
PLANES = 8  # channels that PyAV finds where each has a plane of its own; it crashes on more
LONGEST_GAP = 3600.0  # seconds of silence within a sound; a longer one is a wrong time


def film_sound(film: Film, rate: int, track: int | None = None) -> Made | None:
    """Return the film's own sound under its pictures, or None if it has none.

    ``track`` is counted among its sounds; None takes what a player does.
    """
    if not film.has_audio:
        return None
    start, joins = _clock(film)
    with opened(film.path) as container:
        tracks = heard_tracks(film.path, container, track)
    length = round(film.duration * rate)
    return Made(rate, length, lambda: _heard(film.path, rate, tracks, start, joins))


def check_track(film: Film, track: int | None) -> None:
    """Refuse a sound track that ``film`` does not have, or that no decoder reads; None is any."""
    if track is None:
        return
    if not film.has_audio:
        raise UsageError(f"{quoted(film.path)} has no sound track {track}; it is silent")
    with opened(film.path) as container:
        choose(film.path, container, track)


def check_sound(film: Film, track: int | None = None) -> None:
    """Refuse, before any work is done for it, a film's sound that cannot be decoded."""
    if film.has_audio:
        sound = film_sound(film, OUTPUT_RATE, track)
        with_sound = None if sound is None else next(iter(sound.make()), None)
        if with_sound is None:
            raise InputError(f"{quoted(film.path)} holds no sound that can be heard")


def own_sound(path: Path, rate: int, most: float = math.inf) -> Audio:
    """Return what is heard in a film from its first picture on, or in a file without pictures.

    No more than ``most`` seconds are sure to be there. InputError where the file cannot be read, or
    holds no sound.
    """
    with opened(path) as container:
        has_pictures = bool(picture_streams(container))
        if not container.streams.audio:
            raise InputError(
                f"{quoted(path)} holds no sound; give audio, a film with sound, or MIDI"
            )
        tracks = heard_tracks(path, container, None)
    start, joins = _clock(open_film(path)) if has_pictures else (Fraction(0), None)
    return _gathered(_until(_heard(path, rate, tracks, start, joins), most * rate), rate)


def _until(blocks: Iterable[Float32s], length: float) -> Iterator[Float32s]:
    """Yield ``blocks`` until there are ``length`` samples, or all of them."""
    for block in blocks:
        yield block
        length -= len(block)
        if length <= 0:
            return


def _clock(film: Film) -> tuple[Fraction, tuple[Fraction, ...]]:
    """Return when the first picture is shown, in seconds, and the jumps of the timestamps."""
    timing = film.timing
    return (timing.start * timing.base, timing.joins) if timing else (Fraction(0), ())


def read_mono(path: Path, rate: int = SAMPLE_RATE) -> Float32s:
    """Return the sound of a file as (N,) samples, ``rate`` a second, all channels as one."""
    blocks = _heard(path, rate, _tracks(path), layout="mono")
    pieces = [block[:, 0] if block.shape[1] == 1 else block.mean(axis=1) for block in blocks]
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if len(samples) < HOP:
        raise InputError(f"{str(path)!r} holds no sound that can be heard; is the file complete?")
    return samples


def read_stereo(path: Path, start: float, duration: float) -> Audio:
    """Return at most ``duration`` seconds of the sound of a file from ``start`` on."""
    skip, stop = round(start * OUTPUT_RATE), round((start + duration) * OUTPUT_RATE)
    pieces, at = [], 0
    for piece in _heard(path, OUTPUT_RATE, _tracks(path)):
        pieces.append(piece[max(0, skip - at) : max(0, stop - at)])
        at += len(piece)
        if at >= stop:
            break
    return _gathered(pieces, OUTPUT_RATE)


def _tracks(path: Path) -> tuple[int, ...]:
    with opened(path) as container:
        return heard_tracks(path, container, None)


def _gathered(blocks: Iterable[Float32s], rate: int) -> Audio:
    pieces = [np.zeros((0, 2), np.float32), *blocks]
    return Audio(np.concatenate(pieces), rate)


def _heard(
    path: Path,
    rate: int,
    tracks: tuple[int, ...],
    start: Fraction | None = None,
    joins: Sequence[Fraction] | None = None,
    layout: str | None = None,
) -> Iterator[Float32s]:
    """Yield the sound of one track, or of a left and a right one, block by block without gaps."""
    if len(tracks) == 1:
        yield from _blocks(path, rate, tracks[0], start, joins, layout)
        return
    sides = [_sized(_blocks(path, rate, track, start, joins, "mono")) for track in tracks]
    for pair in itertools.zip_longest(*sides):
        length = max(len(block) for block in pair if block is not None)
        both = np.zeros((length, 2), np.float32)
        for side, block in enumerate(pair):
            if block is not None:
                both[: len(block), side] = block[:, 0]
        yield both


def _sized(blocks: Iterable[Float32s]) -> Iterator[Float32s]:
    """Yield the samples of ``blocks``, BLOCK at a time; the last may be fewer."""
    rest: list[Float32s] = []
    for block in blocks:
        rest.append(block)
        if sum(map(len, rest)) >= BLOCK:
            joined = np.concatenate(rest)
            whole = len(joined) // BLOCK * BLOCK
            yield from (joined[at : at + BLOCK] for at in range(0, whole, BLOCK))
            rest = [joined[whole:]]
    if rest and len(joined := np.concatenate(rest)):
        yield joined


def _blocks(
    path: Path,
    rate: int,
    track: int,
    start: Fraction | None,
    joins: Sequence[Fraction] | None,
    layout: str | None,
) -> Iterator[Float32s]:
    """Yield a track from ``start`` on, or from its own beginning, without gaps.

    ``joins`` are the jumps of the pictures' timestamps, which the sound follows.

    ``layout`` "mono" makes it (n, 1), None (n, 2). What comes before ``start``, and what overlaps,
    is left out; where nothing is to be heard there is silence.
    """
    channels = 1 if layout == "mono" else 2
    with opened(path) as container:
        stream = container.streams.audio[track]
        packets_ = continued(packets(container, stream), continuity(container, stream, joins))
        end = follows = 0  # samples: what is given, and where the last piece ended
        for time, samples in _pieces(path, packets_, rate, layout):
            if time is not None:
                start = time if start is None else start
                jump = round((time - start) * rate) - follows
                if abs(jump) >= rate * SLACK and jump <= LONGEST_GAP * rate:
                    follows += jump
            while follows > end:
                silence = min(BLOCK, follows - end)
                yield np.zeros((silence, channels), np.float32)
                end += silence
            fresh = samples[max(0, end - follows) :]
            follows += len(samples)
            if len(fresh):
                end += len(fresh)
                yield fresh


def _pieces(
    path: Path, found: Iterable["Packet[Any]"], rate: int, layout: str | None
) -> Iterator[tuple[Fraction | None, Float32s]]:
    """Yield the frames of a track as samples, with the seconds at which they are heard if known.

    The rate, the channels or the kind of sample may change from frame to frame.
    """
    import av

    resampler: av.AudioResampler | None = None
    form: tuple[object, ...] = ()
    for frame in itertools.chain(checked(path, _frames(path, found)), [None]):
        now = () if frame is None else (frame.format.name, frame.layout.name, frame.sample_rate)
        done = []
        if resampler is not None and now != form:
            done += resampler.resample(None)
        if frame is not None:
            if now != form:
                own, form = _layout(frame), now
                many = len(frame.layout.channels) > PLANES
                kind = "flt" if own and many else "fltp"
                resampler = av.AudioResampler(kind, own or layout or "stereo", rate)
            if resampler is not None:
                done += resampler.resample(frame)
        for piece in done:
            time = None
            if piece.pts is not None and piece.time_base is not None:
                time = Fraction(piece.pts * piece.time_base)
            samples = piece.to_ndarray()
            if not piece.format.is_planar:
                samples = samples.reshape(-1, len(piece.layout.channels)).T
            yield time, _sides(samples.T.astype(np.float32), layout)


def _layout(frame: "AudioFrame") -> str | None:
    """Return the layout of a frame that FFmpeg is not to mix: one channel, or unknown places."""
    name = frame.layout.name
    unknown = name.endswith("channels")
    return name if unknown or len(frame.layout.channels) == 1 else None


def _sides(samples: Float32s, layout: str | None) -> Float32s:
    """Return (n, channels) samples as (n, 1) for the layout "mono", else as a left and a right."""
    if not np.abs(samples).max(initial=0.0) < LOUDEST:  # nor is what is no number
        samples = np.zeros_like(samples)
    if layout == "mono":
        return samples if samples.shape[1] == 1 else samples.mean(axis=1, keepdims=True)
    return np.broadcast_to(samples[:, :2], (len(samples), 2))


def _frames(path: Path, found: Iterable["Packet[Any]"]) -> Iterator["AudioFrame"]:
    """Yield the frames of a sound stream; a damaged one is left out, as players do."""
    import av

    name, reason, heard, told = quoted(path), "", False, False
    for packet in found:
        try:
            frames = cast("list[AudioFrame]", packet.decode())
        except av.FFmpegError as error:
            frames, reason = [], error.strerror or str(error)
        heard = heard or bool(frames)
        if reason and heard and not told:
            told = True
            warn(f"the sound of {name} is damaged; where it is, there is silence")
        yield from frames
    if reason and not heard:
        raise InputError(f"the sound of {name} is damaged: {reason}; replace it")
