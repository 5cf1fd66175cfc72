"""Write a film with new sound; its pictures are copied, not encoded again."""

import collections
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from emsync.errors import UsageError, warn
from emsync.files import atomic_write, check_target
from emsync.limits import quoted, shown
from emsync.options import LUFS, KeepAudio
from emsync.sound.audio import OUTPUT_RATE
from emsync.sound.blocks import BLOCK, Kept, Made, Reader, Sound
from emsync.sound.carry import Extras, of_stream, tags_of
from emsync.sound.decode import check_sound, check_track, film_sound
from emsync.sound.encode import in_words
from emsync.sound.levelling import Levelled, level
from emsync.sound.matroska import PLACEHOLDER, display_size, write_display_size
from emsync.sound.mixing import mix, mix_ducked
from emsync.targets import check_apart
from emsync.video.film import FORMATS, Film, copy_stream, reopened, timing_of
from emsync.video.media import moving_picture, opened, packets
from emsync.video.timing import Timing, timed

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

BIT_RATE = 192_000  # bits per second of the encoded sound
TAGS_NAMED = 4  # in a note
NOTICED = 0.5  # seconds of sound that a person would miss


class _Encoder(NamedTuple):
    """How sound is encoded."""

    name: str  # FFmpeg's
    rate: int  # samples per second it takes


AAC, OPUS = _Encoder("aac", OUTPUT_RATE), _Encoder("libopus", 48000)


def check_mux(film: Film, output: Path) -> None:
    """Refuse, before any work is done for it, a film that ``mux`` could not write.

    Raises UsageError for an unknown suffix, for pictures that the container cannot hold or not
    hide (before the beginning that an edit list sets), and for the film itself as the output.
    InputError where the film does not say when its pictures are shown.
    """
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(
            f"cannot write a film as {output.name!r}; end its name with one of {known}"
        )
    check_target(output)
    check_apart([output], {"the film": film.path})
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
    timing_of(film)


def check_kept(film: Film, keep_audio: KeepAudio, track: int | None = None) -> None:
    """Refuse, before any work is done for it, a sound of the film that could not be kept."""
    check_track(film, track)
    if keep_audio != "replace" or track is not None:
        check_sound(film, track)


def soundtrack(
    film: Film,
    music: Levelled,
    keep_audio: KeepAudio = "replace",
    track: int | None = None,
    lufs: float = LUFS,
) -> Levelled:
    """Return what is heard under the pictures of ``film``, exactly as long as they are.

    "replace" drops the film's own sound, "mix" adds the music to it, "duck" adds it and lowers the
    music under it; then all of it is brought to ``lufs``. ``track`` is which of the film's sounds;
    None takes what players do.
    """
    plain = Made(music.rate, round(film.duration * music.rate), music.source.blocks)
    own = None if keep_audio == "replace" else film_sound(film, music.rate, track)
    if own is None:
        return replace(music, source=plain)
    together = mix_ducked if keep_audio == "duck" else mix
    return level(together(plain, Kept(own)), lufs, "the film's sound with the music")


def mux(
    film: Film, sound: Sound, output: Path, progress: Callable[[float], None] | None = None
) -> None:
    """Write the film's pictures, untouched, with ``sound`` beginning at the first of them.

    The sound is encoded as AAC, in .webm as Opus; see ``soundtrack``. Tags, chapters and subtitles
    are taken along as far as the container holds them, and a warning says what is left out.
    ``progress`` gets the seconds that are written.
    """
    check_mux(film, output)
    if lost := copy_film(film, sound, output, progress):
        warn(f"the film with music leaves out {'; '.join(lost)}")


def copy_film(
    film: Film, sound: Sound, output: Path, progress: Callable[[float], None] | None = None
) -> list[str]:
    """Do what ``mux`` does; return in words what is left out."""
    failure = f"cannot copy the pictures of {quoted(film.path)} into {quoted(output)}"
    with atomic_write(output) as part, in_words(failure):
        return _write_film(film, timing_of(film), sound, part, progress or (lambda _: None))


@contextmanager
def new_film(path: Path, options: Mapping[str, str] | None = None) -> Iterator["OutputContainer"]:
    """Open a film to be written, in the format that its suffix names, with FFmpeg's ``options``."""
    import av

    # "file:", or FFmpeg takes a name such as concat:x.mp4 for a protocol
    name, form = f"file:{path}", FORMATS[path.suffix.lower()]
    wanted = {"fflags": "bitexact", **(options or {})}
    with av.open(name, "w", format=form, options=wanted, metadata_errors="replace") as out:
        yield out


class SoundWriter:
    """Encodes a sound into a film, as far as its pictures are written."""

    def __init__(self, out: "OutputContainer", suffix: str, sound: Sound) -> None:
        encoder = OPUS if suffix == ".webm" else AAC
        self._stream = cast(
            "AudioStream",
            out.add_stream(encoder.name, rate=encoder.rate, layout="stereo", bit_rate=BIT_RATE),
        )
        self._out, self._sound = out, sound
        self._samples, self._written = Reader(sound.blocks()), 0

    def until(self, seconds: float) -> None:
        """Write the sound before ``seconds`` that is not written yet."""
        import av

        sound = self._sound
        stop = sound.length if math.isinf(seconds) else round(seconds * sound.rate)
        while (left := min(stop, sound.length) - self._written) > 0:
            piece = np.ascontiguousarray(self._samples.take(min(BLOCK, left)).T)
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
            frame.pts, self._written = self._written, self._written + piece.shape[1]
            self._out.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write all that is left."""
        self.until(math.inf)
        self._out.mux(self._stream.encode(None))


def _write_film(
    film: Film, timing: Timing, sound: Sound, path: Path, progress: Callable[[float], None]
) -> list[str]:
    """Copy the pictures to ``path``, the first shown at 0, and encode ``sound`` with them.

    Return in words what of the film is not in the new one.
    """
    suffix = path.suffix.lower()
    with reopened(film) as source, new_film(path) as out:
        pictures = moving_picture(film.path, source)
        copy = copy_stream(out, pictures, film.fps)
        copy.metadata.update(of_stream(pictures))
        pixel = Fraction(pictures.sample_aspect_ratio or 1)
        name = copy.metadata.get("title", "")
        if stretched := suffix in (".mkv", ".webm") and pixel not in (0, 1):
            copy.metadata["title"] = PLACEHOLDER + name
            size = display_size(pictures.width, pictures.height, pixel)
        writer = SoundWriter(out, suffix, sound)
        start, length = timing.start * timing.base, (timing.end - timing.start) * timing.base
        extras = Extras(source, pictures, out, suffix, start, length, timing.joins, film.fps)

        def of_pictures() -> Iterator["Packet[Any]"]:
            for packet in packets(source, [pictures, *extras.streams]):
                if packet.stream.index == pictures.index:
                    yield packet
                else:
                    extras.write(packet)

        copied = (packet for packet in timed(of_pictures(), timing) if packet.size)
        for decoded, packet in zip(timing.decoded.tolist(), copied, strict=False):
            packet.pts = cast(int, packet.pts) - timing.start
            packet.dts = decoded - timing.start
            packet.stream = copy
            seconds = float(packet.dts * timing.base)
            out.mux(packet)
            writer.until(seconds)
            progress(max(0.0, seconds))
        collections.deque(copied, 0)  # subtitles may follow
        writer.finish()
        lost = extras.lost
        if not timing.joins:  # else the file's own times mean nothing
            lost += _sound_outside(source, start, start + length)
    if stretched:
        write_display_size(path, size, name)
    with opened(path) as done:
        kept = tags_of(done)
    missing = sorted(key for key in extras.tags if key not in kept)
    if missing:
        named = ", ".join(shown(key) for key in missing[:TAGS_NAMED])
        lost.append(f"the tags {named}{' and others' if len(missing) > TAGS_NAMED else ''}")
    return lost


def _sound_outside(source: "InputContainer", start: Fraction, end: Fraction) -> list[str]:
    """Return in words what is heard before the first picture and after the last."""
    spans = [_span(source, stream) for stream in source.streams.audio]
    if not spans:
        return []
    before, after = start - min(s[0] for s in spans), max(s[1] for s in spans) - end
    words = []
    if before > NOTICED:
        words.append(f"{float(before):.1f} s of sound before the first picture")
    if after > NOTICED:
        words.append(f"{float(after):.1f} s of sound after the last picture")
    return words


def _span(source: "InputContainer", stream: "AudioStream") -> tuple[Fraction, Fraction]:
    """Return between which seconds a stream is heard, as the file states it."""
    base = stream.time_base or Fraction(1)
    begin = (stream.start_time or 0) * base
    if stream.duration:
        return begin, begin + stream.duration * base
    said = next((v for k, v in stream.metadata.items() if k.startswith("DURATION")), "")
    try:  # as Matroska's usual writers state it
        hours, minutes, seconds = (Fraction(part) for part in said[:18].split(":"))
    except ValueError:
        return begin, begin
    return begin, hours * 3600 + minutes * 60 + seconds
