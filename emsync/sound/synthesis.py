"""A score played with a sound font: by FluidSynth, or by symusic where that is not installed."""

import io
import math
from collections.abc import Callable
from contextlib import redirect_stdout
from ctypes import c_int, c_void_p
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np
from symusic.core import NoteTick, ScoreSecond, ScoreTick, TempoTick, TrackTick

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.errors import AssetError, UsageError
from emsync.files import check_suffix, check_target
from emsync.formats.general_midi import DRUM_CHANNEL, EXPRESSION, PAN, VOLUME
from emsync.formats.smf import read_score
from emsync.options import PathLike
from emsync.sound.audio import OUTPUT_RATE, Audio, finish, write_wav

TAIL = 2.0  # seconds kept after the last note, for what still rings
RELEASE = 0.4  # seconds; symusic cuts a note dead at its end, so it is faded out here
RING = 2.5  # seconds; a drum rings, however short its note


def render(
    score: PathLike,
    out: PathLike | None = None,
    *,
    duration: float | None = None,
    fade: float = 0.0,
    soundfont: PathLike | None = None,
) -> Audio:
    """Play the MIDI file ``score`` and return its sound, its peak at -3 dB; write it to ``out``.

    The sound is fitted to ``duration`` seconds, if they are given, and fades out over ``fade``.
    """
    if out is not None:
        check_suffix(Path(out), (".wav",))
        check_target(Path(out))
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise UsageError(f"the duration is {duration} s; choose a positive number of seconds")
    if not (math.isfinite(fade) and fade >= 0):
        raise UsageError(f"the fade is {fade} s; choose 0 or more seconds")
    sound = synthesize(Path(score), None if soundfont is None else Path(soundfont))
    sound = finish(sound, sound.duration if duration is None else duration, fade)
    if out is not None:
        write_wav(sound, Path(out))
    return sound


def default_soundfont() -> Path:
    """Return the path of TimGM6mb.sf2, the sound font that comes with pretty_midi."""
    spec = find_spec("pretty_midi")  # found, not imported: it is slow and we only want its file
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / "TimGM6mb.sf2"
        if path.is_file():
            return path
    raise AssetError("the sound font of pretty_midi is missing; reinstall pretty_midi or name one")


def synthesizer_name() -> str:
    """Return which synthesizer plays: "FluidSynth" where libfluidsynth is, else "symusic"."""
    return "symusic" if _fluidsynth() is None else "FluidSynth"


def synthesize(
    score: ScoreTick | Path, soundfont: Path | None = None, rate: int = OUTPUT_RATE
) -> Audio:
    """Play a score, or a MIDI file, and return its sound up to TAIL seconds after the last note.

    FluidSynth honours every controller. symusic's synthesizer, the stand-in, is given velocities,
    volume, expression, pan and releases here; pedals and pitch bends it does not play.
    """
    score = read_score(score) if isinstance(score, Path) else score
    font = default_soundfont() if soundfont is None else soundfont
    check_soundfont(font)
    timed = cast(ScoreSecond, score.to("second"))
    parts = [_part(track) for track in timed.tracks if track.notes]
    end = max((float(part.ends.max()) for part in parts), default=0.0)
    out = np.zeros((round((end + TAIL) * rate), 2), np.float32)
    if parts:  # FluidSynth's silence is a faint offset, ours is none
        library = _fluidsynth()
        if library is None:
            _play_symusic(parts, font, rate, out)
        else:
            _play_fluidsynth(library, parts, font, rate, out)
    return Audio(out, rate)


class _Part(NamedTuple):
    """What one track plays, in seconds."""

    program: int
    is_drum: bool
    pitches: Int64s  # (N,)
    velocities: Int64s  # (N,) 1 to 127
    starts: Float64s  # (N,)
    ends: Float64s  # (N,) later than the start
    controls: list[tuple[float, int, int]]  # time, controller, value 0 to 127
    bends: list[tuple[float, int]]  # time, value -8192 to 8191


def _part(track: Any) -> _Part:
    """Return a symusic track in seconds as columns; a pitch struck again ends the note before."""
    notes = track.notes.numpy()
    order = np.lexsort((notes["time"], notes["pitch"]))
    pitches = notes["pitch"][order].astype(np.int64)
    starts = notes["time"][order].astype(np.float64)
    ends = starts + np.maximum(notes["duration"][order].astype(np.float64), 0.002)
    again = (pitches[1:] == pitches[:-1]) & (starts[1:] > starts[:-1])
    ends[:-1][again] = np.minimum(ends[:-1], starts[1:])[again]
    return _Part(
        program=track.program,
        is_drum=track.is_drum,
        pitches=pitches,
        velocities=np.clip(notes["velocity"][order], 1, 127).astype(np.int64),
        starts=starts,
        ends=ends,
        controls=[(c.time, c.number, c.value) for c in track.controls],
        bends=[(b.time, b.value) for b in track.pitch_bends],
    )


def check_soundfont(path: Path) -> None:
    """Refuse a file that is not a whole SoundFont 2: the synthesizers crash or print on others.

    A sound font is RIFF: form "sfbk" with the lists INFO, sdta and pdta (SoundFont 2.04, 4.1).
    """
    name = repr(str(path))
    lists: set[bytes] = set()
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            head = file.read(12)
            if head[:4] != b"RIFF" or head[8:] != b"sfbk":
                raise AssetError(f"{name} is not a sound font; give an .sf2 or .sf3 file")
            end = 8 + int.from_bytes(head[4:8], "little")
            at = 12
            while at + 12 <= min(end, size):
                file.seek(at)
                chunk = file.read(12)
                lists.add(chunk[8:])
                at += 8 + (length := int.from_bytes(chunk[4:8], "little")) + length % 2
    except OSError as error:
        raise AssetError(f"cannot read the sound font {name}: {error.strerror}") from error
    if max(at, end) > size + 1 or not lists >= {b"INFO", b"sdta", b"pdta"}:
        raise AssetError(f"the sound font {name} is cut off or broken; fetch it again")


@cache
def _fluidsynth() -> ModuleType | None:
    """Return pyfluidsynth, or None where libfluidsynth is not installed."""
    try:
        with redirect_stdout(io.StringIO()):  # it prints where it was found if $CI is set
            import fluidsynth
    except ImportError:
        return None
    log_to = fluidsynth.cfunc(
        "fluid_set_log_function",
        c_void_p,
        *[("level", c_int, 1), ("function", c_void_p, 1), ("data", c_void_p, 1)],
    )
    for level in range(5):
        log_to(level, None, None)  # it prints to the standard error otherwise
    return fluidsynth


def _play_fluidsynth(
    library: ModuleType, parts: list[_Part], font: Path, rate: int, out: Float32s
) -> None:
    """Play ``parts`` into the (N, 2) zeros ``out`` with FluidSynth, events on their sample.

    FluidSynth works in blocks of 64 samples, so a note sounds at most 1.5 ms late.
    """
    # pyfluidsynth offers 16-bit samples only; these are unrounded and do not clip
    write = library.cfunc(
        "fluid_synth_write_float",
        c_int,
        *[("synth", c_void_p, 1), ("length", c_int, 1)],
        *[("left", c_void_p, 1), ("left_offset", c_int, 1), ("left_step", c_int, 1)],
        *[("right", c_void_p, 1), ("right_offset", c_int, 1), ("right_step", c_int, 1)],
    )
    channels = -(-(len(parts) + 1) // 16) * 16
    synth = library.Synth(samplerate=rate, channels=channels)
    try:
        if synth.sfload(str(font)) < 0:
            raise AssetError(f"FluidSynth cannot load the sound font {str(font)!r}")
        events: list[tuple[int, int, Callable[[], object]]] = []  # sample, rank, what to do

        def add(time: float, rank: int, action: Callable[[], object]) -> None:
            events.append((round(time * rate), rank, action))

        melodic = iter(c for c in range(channels) if c != DRUM_CHANNEL)
        for part in parts:
            channel = DRUM_CHANNEL if part.is_drum else next(melodic)
            synth.program_change(channel, part.program)
            for time, number, value in part.controls:
                add(time, 1, partial(synth.cc, channel, number, value))
            for time, value in part.bends:
                add(time, 1, partial(synth.pitch_bend, channel, value))
            columns = (part.pitches, part.velocities, part.starts, part.ends)
            for pitch, velocity, start, end in zip(*(c.tolist() for c in columns), strict=True):
                add(end, 0, partial(synth.noteoff, channel, pitch))
                add(start, 2, partial(synth.noteon, channel, pitch, velocity))

        at, base = 0, out.ctypes.data

        def advance(to: int) -> None:
            if to > at:
                write(synth.synth, to - at, base, 2 * at, 2, base, 2 * at + 1, 2)

        for sample, _, action in sorted(events, key=lambda event: event[:2]):
            if sample >= len(out):  # a controller long after the last note: there is no room for it
                break
            advance(sample)
            at = max(at, sample)
            action()
        advance(len(out))
    finally:
        synth.delete()


def _play_symusic(parts: list[_Part], font: Path, rate: int, out: Float32s) -> None:
    """Play ``parts`` into the (N, 2) zeros ``out`` with symusic's synthesizer.

    It ignores velocities and controllers and ends every note dead, drums too. So it plays each
    pitch of a part once, as long as needed, and the notes are cut from that.
    """
    from symusic import Synthesizer

    try:
        synth = Synthesizer(font, rate, 0)
    except (RuntimeError, ValueError) as error:
        raise AssetError(f"symusic cannot load the sound font {str(font)!r}: {error}") from error
    fade = np.geomspace(1, 0.01, round(RELEASE * rate), dtype=np.float32)[:, None]
    for part in parts:
        bus = np.zeros_like(out)
        held = np.maximum(part.ends - part.starts, RING if part.is_drum else 0.0)
        lengths = np.round(held * rate).astype(np.int64)  # (N,) samples before the release
        gains = (part.velocities / 127.0) ** 2  # SoundFont 2.04, 8.4.1: a concave 96 dB
        for pitch in np.unique(part.pitches):
            mine = np.flatnonzero(part.pitches == pitch)
            seconds = lengths[mine].max() / rate + RELEASE
            tone = _tone(synth, part, int(pitch), seconds)
            for i in mine:
                note = tone[: lengths[i] + len(fade)] * np.float32(gains[i])
                note[lengths[i] :] *= fade[: max(0, len(note) - lengths[i])]
                begin = round(part.starts[i] * rate)
                room = bus[begin : begin + len(note)]
                room += note[: len(room)]
        out += bus * _channel_gains(part.controls, len(bus), rate)


def _tone(synth: Any, part: _Part, pitch: int, seconds: float) -> Float32s:
    """Return one pitch of ``part``, struck at 0 and held for ``seconds``, as (N, 2) samples."""
    score = ScoreTick(1000)
    score.tempos.append(TempoTick(0, 60.0))  # a tick is a millisecond
    track = TrackTick("", part.program, part.is_drum)
    track.notes.append(NoteTick(0, round(seconds * 1000), pitch, 127))
    score.tracks.append(track)
    return np.asarray(synth.render(score), np.float32).T


def _channel_gains(controls: list[tuple[float, int, int]], length: int, rate: int) -> Float32s:
    """Return the (length, 2) gains that volume, expression and pan ask for.

    Volume and expression are squared, pan is of constant power (General MIDI 2, 3.3).
    """

    def curve(number: int, start: int) -> Float64s:
        values = np.full(length, float(start))
        for time, which, value in sorted(controls):
            if which == number:
                values[round(time * rate) :] = value
        return values

    loudness = (curve(VOLUME, 100) * curve(EXPRESSION, 127) / 127**2) ** 2
    angle = np.clip((curve(PAN, 64) - 1) / 126, 0, 1) * np.pi / 2
    sides = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(2)
    return (sides * loudness[:, None]).astype(np.float32)
