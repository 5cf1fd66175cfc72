"""A score played with a sound font: by FluidSynth, or by symusic where that is not installed."""

import io
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from ctypes import c_int, c_void_p
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np
from symusic.core import NoteTick, ScoreSecond, ScoreTick, TempoTick, TrackTick

from emsync.arrays import Float32s, Float64s, Int64s
from emsync.errors import AssetError, InputError, UsageError, warn
from emsync.files import check_suffix, check_target
from emsync.formats.smf import MOST_HOURS, read_score
from emsync.isolated import isolated
from emsync.limits import quoted
from emsync.music.general_midi import DOWN, DRUM_CHANNEL, EXPRESSION, PAN, PEDAL, VOLUME
from emsync.options import LUFS, PathLike, check_lufs
from emsync.sound.audio import OUTPUT_RATE, Audio, finish_in_place, whole
from emsync.sound.blocks import Made
from emsync.sound.encode import KINDS, write_audio
from emsync.sound.levelling import level_in_place
from emsync.sound.soundfont import DRUM_BANK, SoundFont, read_soundfont, write_part
from emsync.targets import check_apart

TAIL = 2.0  # seconds kept after the last note, for what still rings
RELEASE = 0.4  # seconds; symusic cuts a note dead at its end, so it is faded out here
WINDOW = 2**24  # samples that are played at once: six minutes
RING = 2.5  # seconds; a drum rings, however short its note
LONGEST = 300.0  # seconds that symusic holds a note, since it has to be in memory


def render(
    score: PathLike,
    out: PathLike | None = None,
    *,
    duration: float | None = None,
    fade: float = 0.0,
    soundfont: PathLike | None = None,
    lufs: float = LUFS,
) -> Audio:
    """Play the MIDI file ``score`` and return its sound; write it to ``out``.

    The sound is fitted to ``duration`` seconds, if they are given, and fades out over ``fade``. It
    is as loud as ``lufs``, and its true peak at most -1 dB.
    """
    check_lufs(lufs)
    if out is not None:
        check_suffix(Path(out), KINDS)
        font = default_soundfont() if soundfont is None else Path(soundfont)
        check_apart([Path(out)], {"the score": Path(score), "the sound font": font})
        check_target(Path(out))
    most = MOST_HOURS * 3600
    if duration is not None and not 0 < duration <= most:
        raise UsageError(f"the duration is {duration} s; choose more than 0, and at most {most} s")
    if not (math.isfinite(fade) and fade >= 0):
        raise UsageError(f"the fade is {fade} s; choose 0 or more seconds")
    sound = synthesize(Path(score), None if soundfont is None else Path(soundfont))
    sound = finish_in_place(sound, sound.duration if duration is None else duration, fade)
    level_in_place(sound, lufs, "the music")
    if out is not None:
        write_audio(sound, Path(out))
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
    volume, expression, pan, the sustain pedal and releases here; pitch bends it does not play.
    """
    return whole(played(score, soundfont, rate))


def played(score: ScoreTick | Path, soundfont: Path | None = None, rate: int = OUTPUT_RATE) -> Made:
    """Return what ``synthesize`` does, played anew each time it is heard, window by window."""
    score = read_score(score) if isinstance(score, Path) else score
    font = default_soundfont() if soundfont is None else soundfont
    checked = check_soundfont(font)
    timed = cast(ScoreSecond, score.to("second"))
    parts = [_part(track) for track in timed.tracks if track.notes]
    end = max((float(part.ends.max()) for part in parts), default=0.0)
    if end > MOST_HOURS * 3600:
        raise InputError(f"the score lasts {end / 3600:.1f} hours, and {MOST_HOURS} are the most")
    length = round((end + TAIL) * rate)

    def windows() -> Iterator[Float32s]:
        if parts:  # FluidSynth's silence is a faint offset, ours is none
            library = _fluidsynth()
            if library is None:
                yield from _play_symusic(parts, checked, rate, length)
            else:
                yield from _play_fluidsynth(library, parts, font, rate, length)

    return Made(rate, length, windows)


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
    return _Part(
        program=track.program,
        is_drum=track.is_drum,
        pitches=pitches,
        velocities=np.clip(notes["velocity"][order], 1, 127).astype(np.int64),
        starts=starts,
        ends=_restruck(pitches, starts, ends),
        controls=[(c.time, c.number, c.value) for c in track.controls],
        bends=[(b.time, b.value) for b in track.pitch_bends],
    )


def _restruck(pitches: Int64s, starts: Float64s, ends: Float64s) -> Float64s:
    """Return the (N,) ends of notes by pitch and start, each of which ends the one before."""
    again = (pitches[1:] == pitches[:-1]) & (starts[1:] > starts[:-1])
    return np.minimum(ends, np.append(np.where(again, starts[1:], np.inf), np.inf))


def sustained(part: _Part, end: float) -> _Part:
    """Return ``part`` as its pedal lets it sound, up to ``end`` seconds: keys held, foot up.

    A note whose key is released while the pedal is down rings until the pedal is up, or the pitch
    is struck again. Drums have no pedal.
    """
    moves = sorted(
        (time, value >= DOWN) for time, number, value in part.controls if number == PEDAL
    )
    if part.is_drum or not moves:
        return part
    times = np.array([time for time, _ in moves])
    downs = np.array([down for _, down in moves])
    ups = np.append(times[~downs], end)
    # a pedal that moves with the key comes after it: it catches nothing then, nor lets go
    before = np.searchsorted(times, part.ends) - 1
    caught = (before >= 0) & downs[before]
    until = np.where(caught, ups[np.searchsorted(ups[:-1], part.ends)], part.ends)
    rings = np.maximum(part.ends, np.minimum(until, end))
    return part._replace(ends=_restruck(part.pitches, part.starts, rings))


def check_soundfont(path: Path) -> SoundFont:
    """Return the font at ``path``, read once; AssetError where no synthesizer plays it."""
    try:
        status = path.stat()
    except OSError as error:
        name = quoted(path)
        raise AssetError(f"cannot read the sound font {name}: {error.strerror}") from error
    return _checked(path.absolute(), status.st_mtime_ns, status.st_size)


@lru_cache(8)
def _checked(path: Path, changed: int, size: int) -> SoundFont:
    """Return the font at ``path``, which ``changed`` and ``size`` tell from an earlier one there.

    FluidSynth is native code that reads a stranger's file, so it loads it in a process of its own
    first. symusic gets no font that we did not write.
    """
    font = read_soundfont(path)
    if path != default_soundfont() and _fluidsynth() is not None:
        isolated(try_fluidsynth, path, name=f"the sound font {quoted(path)}", error=AssetError)
    return font


def try_fluidsynth(path: Path) -> None:
    """Load the font at ``path`` with FluidSynth and play a chord; AssetError where it cannot."""
    library = _fluidsynth()
    assert library is not None
    part = _Part(0, False, np.array([36, 60, 84]), np.full(3, 100), np.zeros(3), np.ones(3), [], [])
    for _ in _play_fluidsynth(library, [part], path, OUTPUT_RATE, OUTPUT_RATE):
        pass


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
    library: ModuleType, parts: list[_Part], font: Path, rate: int, length: int
) -> Iterator[Float32s]:
    """Play ``parts`` with FluidSynth, events on their sample; yield WINDOW samples at a time.

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
    if channels > 256:
        raise InputError(f"the score has {len(parts)} instruments; FluidSynth plays 255 at once")
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

        # a controller may come long after the last note: there is no room for it
        waiting = deque(sorted(events, key=lambda event: event[:2]))
        for start in range(0, length, WINDOW):
            out = np.zeros((min(WINDOW, length - start), 2), np.float32)
            at, base = 0, out.ctypes.data
            while at < len(out):
                until = min(len(out), waiting[0][0] - start) if waiting else len(out)
                if until > at:
                    write(synth.synth, until - at, base, 2 * at, 2, base, 2 * at + 1, 2)
                    at = until
                while waiting and waiting[0][0] - start <= at < len(out):
                    waiting.popleft()[2]()
            yield out
    finally:
        synth.delete()


def _play_symusic(
    parts: list[_Part], font: SoundFont, rate: int, length: int
) -> Iterator[Float32s]:
    """Play ``parts`` with symusic's synthesizer; yield WINDOW samples at a time.

    It ignores velocities and controllers and ends every note dead, drums too. So it plays each
    pitch of a part once, as long as needed, and the notes are cut from that.
    """
    parts = [sustained(part, length / rate) for part in parts]
    if max(float((part.ends - part.starts).max()) for part in parts) > LONGEST:
        warn(f"without FluidSynth, a note is held for {LONGEST:.0f} s at most")
    for start in range(0, length, WINDOW):
        out = np.zeros((min(WINDOW, length - start), 2), np.float32)
        for part in parts:
            _add_symusic(part, font, rate, length, start, out)
        yield out


def _add_symusic(
    part: _Part, font: SoundFont, rate: int, length: int, start: int, out: Float32s
) -> None:
    """Add what ``part`` plays from sample ``start`` on to the (N, 2) samples ``out``."""
    fade = np.geomspace(1, 0.01, round(RELEASE * rate), dtype=np.float32)[:, None]
    held = np.clip(part.ends - part.starts, RING if part.is_drum else 0.0, LONGEST)
    lengths = np.round(held * rate).astype(np.int64)  # (N,) samples before the release
    begins = np.round(part.starts * rate).astype(np.int64) - start  # (N,) samples of ``out``
    gains = (part.velocities / 127.0) ** 2  # SoundFont 2.04, 8.4.1: a concave 96 dB
    heard = (begins < len(out)) & (begins + lengths + len(fade) > 0)
    if not heard.any():
        return
    channel = _ChannelGains(part.controls, length, rate)
    with _symusic(part, font, rate) as synth:
        for pitch in np.unique(part.pitches[heard]):
            mine = np.flatnonzero(part.pitches == pitch)
            seconds = lengths[mine].max() / rate + RELEASE
            tone = _tone(synth, part, int(pitch), seconds)
            for i in mine[heard[mine]]:
                note = tone[: lengths[i] + len(fade)] * np.float32(gains[i])
                note[lengths[i] :] *= fade[: max(0, len(note) - lengths[i])]
                note = channel.applied(note, begins[i] + start)[max(0, -begins[i]) :]
                room = out[max(0, begins[i]) :][: len(note)]
                room += note[: len(room)]


@contextmanager
def _symusic(part: _Part, font: SoundFont, rate: int) -> Iterator[Any]:
    """Yield symusic's synthesizer with what of ``font`` the part plays."""
    from symusic import Synthesizer

    with TemporaryDirectory(prefix="emsync-") as folder:
        file = Path(folder) / "part.sf2"
        bank = DRUM_BANK if part.is_drum else 0
        write_part(font, bank, part.program, part.pitches.tolist(), rate, file)
        try:
            yield Synthesizer(file, rate, 0)
        except (RuntimeError, ValueError) as error:
            name = quoted(font.path)
            raise AssetError(f"symusic cannot play the sound font {name}: {error}") from error


def _tone(synth: Any, part: _Part, pitch: int, seconds: float) -> Float32s:
    """Return one pitch of ``part``, struck at 0 and held for ``seconds``, as (N, 2) samples."""
    score = ScoreTick(1000)
    score.tempos.append(TempoTick(0, 60.0))  # a tick is a millisecond
    track = TrackTick("", part.program, part.is_drum)
    track.notes.append(NoteTick(0, round(seconds * 1000), pitch, 127))
    score.tracks.append(track)
    return np.asarray(synth.render(score), np.float32).T


class _ChannelGains:
    """The gains that volume, expression and pan ask for, from one change to the next.

    Volume and expression are squared, pan is of constant power (General MIDI 2, 3.3).
    """

    def __init__(self, controls: list[tuple[float, int, int]], length: int, rate: int) -> None:
        now = {VOLUME: 100, EXPRESSION: 127, PAN: 64}
        steps = {0: self._gains(now)}  # sample: left and right from there on
        for time, number, value in sorted(controls):
            if number in now:
                now[number] = value
                steps[min(round(time * rate), length)] = self._gains(now)
        self._starts = np.array(list(steps), np.int64)  # (C,) ascending
        self._values = np.array(list(steps.values()), np.float32)  # (C, 2)

    @staticmethod
    def _gains(now: dict[int, int]) -> tuple[float, float]:
        loudness = (now[VOLUME] * now[EXPRESSION] / 127**2) ** 2 * math.sqrt(2)
        angle = min(max((now[PAN] - 1) / 126, 0), 1) * math.pi / 2
        return loudness * math.cos(angle), loudness * math.sin(angle)

    def applied(self, note: Float32s, begin: int) -> Float32s:
        """Return the (n, 2) samples of a note that begins at sample ``begin``, in place."""
        first, last = np.searchsorted(self._starts, [begin, begin + len(note)], side="right")
        edges = [0, *(self._starts[first:last] - begin), len(note)]
        for gain, (start, stop) in zip(
            self._values[first - 1 : last], itertools.pairwise(edges), strict=True
        ):
            note[start:stop] *= gain
        return note
