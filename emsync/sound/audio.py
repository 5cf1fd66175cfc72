"""Sound from a score, and finished sound."""

import base64
import io
import math
import wave
from collections.abc import Callable
from contextlib import redirect_stdout
from ctypes import c_int, c_void_p
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np
from symusic.core import NoteTick, ScoreSecond, ScoreTick, TempoTick, TrackTick

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.errors import AssetError, InputError, UsageError
from emsync.files import atomic_write, check_target
from emsync.formats.smf import parse
from emsync.options import PathLike

RATE = 44100  # samples per second
PEAK = 10 ** (-3 / 20)  # SPEC 7: -3 dB below full scale
SILENCE = 2**-16  # a peak below this is no sound: half a step of 16 bits, not to be made loud
FADE = 3.0  # seconds; SPEC 7
TAIL = 2.0  # seconds kept after the last note, for what still rings

DRUM_CHANNEL = 9  # counted from 0
VOLUME, PAN, EXPRESSION = 7, 10, 11  # MIDI controllers

RELEASE = 0.4  # seconds; symusic cuts a note dead at its end, so it is faded out here
RING = 2.5  # seconds; a drum rings, however short its note

DUCK_DEPTH = 12.0  # dB by which music gives way to a film's own sound
DUCK_QUIET, DUCK_LOUD = -45.0, -33.0  # dBFS of the film: music gives way from here, wholly there
DUCK_AHEAD, DUCK_HOLD = 0.15, 0.4  # seconds; music gives way before a word, and not between words
DUCK_ATTACK, DUCK_RELEASE = 0.06, 0.4  # seconds to cover 63 % of the way down, and up
DUCK_HOP = 0.01  # seconds between two looks at the film's loudness


@dataclass(frozen=True, eq=False)
class Audio:
    """Stereo sound."""

    samples: Float32s  # (N, 2), full scale is 1
    rate: int  # samples per second

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[1] != 2:
            raise ValueError(f"stereo samples are (N, 2), not {self.samples.shape}")

    @property
    def duration(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate

    def save(self, path: PathLike) -> None:
        """Write a 16-bit WAV file, whole or not at all."""
        write_wav(self, Path(path))

    def _repr_html_(self) -> str:
        data = base64.b64encode(wav_bytes(self)).decode()
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>'


def render(
    score: PathLike,
    out: PathLike | None = None,
    *,
    duration: float | None = None,
    fade: float = FADE,
    soundfont: PathLike | None = None,
) -> Audio:
    """Play the MIDI file ``score`` and return its sound, its peak at -3 dB; write it to ``out``.

    The sound is fitted to ``duration`` seconds, if they are given, and fades out over ``fade``.
    """
    if out is not None:
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


# --- sound from a score ---------------------------------------------------------------------------


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


def synthesize(score: ScoreTick | Path, soundfont: Path | None = None, rate: int = RATE) -> Audio:
    """Play a score, or a MIDI file, and return its sound up to TAIL seconds after the last note.

    FluidSynth honours every controller. symusic's synthesizer, the stand-in, is given velocities,
    volume, expression, pan and releases here; pedals and pitch bends it does not play.
    """
    score = _read_score(score) if isinstance(score, Path) else score
    font = default_soundfont() if soundfont is None else soundfont
    _check_soundfont(font)
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


def _read_score(path: Path) -> ScoreTick:
    """Return the MIDI file ``path`` as a score."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if not data.startswith(b"MThd"):
        raise InputError(f"{str(path)!r} is not a MIDI file; give a .mid")
    try:
        return parse(data)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"{str(path)!r} is a broken MIDI file: {error}") from error


def _check_soundfont(path: Path) -> None:
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


# --- finished sound -------------------------------------------------------------------------------


def fit(audio: Audio, duration: float) -> Audio:
    """Return ``audio`` cut, or padded with silence, to exactly round(duration * rate) samples."""
    length = round(duration * audio.rate)
    out = np.zeros((length, 2), np.float32)
    kept = audio.samples[:length]
    out[: len(kept)] = kept
    return Audio(out, audio.rate)


def finish(audio: Audio, duration: float, fade: float = FADE) -> Audio:
    """Return ``audio`` as it goes under a film: fitted to ``duration``, faded, peak at -3 dB.

    The fade-out takes ``fade`` seconds, at most half the length. Silence stays silence.
    """
    fitted = fit(audio, duration)
    samples = fitted.samples
    faded = round(min(fade, duration / 2) * audio.rate)
    if faded:
        ramp = np.cos(np.linspace(0, np.pi / 2, faded)) ** 2
        samples[-faded:] *= ramp[:, None].astype(np.float32)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < SILENCE:
        return fitted
    return Audio(samples * np.float32(PEAK / peak), audio.rate)


def write_wav(audio: Audio, path: Path) -> None:
    """Write ``audio`` as a 16-bit WAV file, whole or not at all."""
    with atomic_write(path) as part:
        part.write_bytes(wav_bytes(audio))


def wav_bytes(audio: Audio) -> bytes:
    """Return ``audio`` as the content of a 16-bit WAV file."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.writeframes(np.round(np.clip(audio.samples, -1, 1) * 32767).astype("<i2").tobytes())
    return content.getvalue()


def duck(music: Audio, film: Audio) -> Audio:
    """Return ``music`` lowered by up to DUCK_DEPTH where ``film`` sounds; both begin together."""
    _same_rate(music, film)
    hop = round(DUCK_HOP * music.rate)
    hops = -(-len(music.samples) // hop)
    if not hops:
        return music
    power = np.zeros((hops * hop, 2))
    heard = film.samples[: len(power)]
    power[: len(heard)] = heard.astype(np.float64) ** 2
    level = 10 * np.log10(power.reshape(hops, -1).mean(axis=1) + 1e-12)  # (hops,) dBFS
    wanted = np.interp(level, [DUCK_QUIET, DUCK_LOUD], [0.0, -DUCK_DEPTH])
    hold, ahead = round(DUCK_HOLD / DUCK_HOP), round(DUCK_AHEAD / DUCK_HOP)
    around = np.pad(wanted, (hold, ahead))
    wanted = np.lib.stride_tricks.sliding_window_view(around, hold + ahead + 1).min(axis=1)
    down, up = (1 - np.exp(-DUCK_HOP / t) for t in (DUCK_ATTACK, DUCK_RELEASE))
    gain, now = np.empty(hops), float(wanted[0])
    for i, goal in enumerate(wanted.tolist()):
        now += (goal - now) * (down if goal < now else up)
        gain[i] = now
    centres = (np.arange(hops) + 0.5) * hop
    decibels = np.interp(np.arange(len(music.samples)), centres, gain)
    gains = (10 ** (decibels / 20)).astype(np.float32)
    return Audio(music.samples * gains[:, None], music.rate)


def mix(music: Audio, film: Audio) -> Audio:
    """Return both together, as long as ``music``; all is lowered if the sum would clip."""
    _same_rate(music, film)
    total = music.samples + fit(film, music.duration).samples
    peak = float(np.abs(total).max(initial=0.0))
    return Audio(total / np.float32(max(1.0, peak)), music.rate)


def _same_rate(a: Audio, b: Audio) -> None:
    if a.rate != b.rate:
        raise ValueError(f"sounds of {a.rate} and {b.rate} samples a second cannot be combined")
