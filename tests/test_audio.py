"""Laws of synthesis, of finished sound, and of putting sound into a film."""

import os
import resource
import subprocess
import sys
import textwrap
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic.core import ControlChangeTick, NoteTick, ScoreTick, TempoTick, TrackTick

import emsync.sound.mux
from emsync.errors import AssetError, EmsyncError, InputError, UsageError
from emsync.options import KeepAudio, Outputs
from emsync.sound import synthesis
from emsync.sound.audio import Audio, finish, fit, write_wav
from emsync.sound.blocks import Sound
from emsync.sound.levelling import level
from emsync.sound.mixing import duck, mix, mix_ducked
from emsync.sound.mux import check_mux, soundtrack
from emsync.sound.synthesis import TAIL, default_soundfont, synthesize, synthesizer_name
from emsync.video.film import open_film
from emsync.video.timing import Timing

RATE = 44100
CLIPS = (  # one for each kind of container and pictures
    "moviepy_sintel_2s.mp4",
    pytest.param("nasa_13013.mp4", marks=pytest.mark.slow),
    "mdn_flower.webm",
    "lego_small.ogv",
    pytest.param("city_cc0.mpg", marks=pytest.mark.slow),
)
KEEPS: tuple[KeepAudio, ...] = get_args(KeepAudio)
HAS_FLUIDSYNTH = synthesizer_name() == "FluidSynth"


@pytest.fixture(
    params=[
        "symusic",
        pytest.param(
            "FluidSynth", marks=pytest.mark.skipif(not HAS_FLUIDSYNTH, reason="no libfluidsynth")
        ),
    ]
)
def synthesizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each synthesizer in turn."""
    if request.param == "symusic":
        monkeypatch.setattr(synthesis, "_fluidsynth", lambda: None)
    return str(request.param)


def score_of(
    *notes: tuple[int, int, int, int],
    program: int = 0,
    drums: bool = False,
    tempos: tuple[tuple[int, float], ...] = ((0, 120.0),),
    controls: tuple[tuple[int, int, int], ...] = (),
) -> ScoreTick:
    """Return a score of one track at 480 ticks a beat; notes are start, length, pitch, velocity."""
    score = ScoreTick(480)
    for tempo in tempos:
        score.tempos.append(TempoTick(*tempo))
    track = TrackTick("test", program, drums)
    for note in notes:
        track.notes.append(NoteTick(*note))
    for control in controls:
        track.controls.append(ControlChangeTick(*control))
    score.tracks.append(track)
    return score


def rises(sound: Audio, quiet: float = 0.03) -> list[float]:
    """Return the times at which sound begins after at least 50 ms below ``quiet`` of the peak."""
    level = np.abs(sound.samples).max(axis=1)
    loud = np.flatnonzero(level > quiet * level.max())
    first = np.concatenate([[True], np.diff(loud) > 0.05 * sound.rate])
    return [float(t) for t in loud[first] / sound.rate]


def samples_of(sound: Sound) -> Any:
    """Return all samples of a sound that is made in blocks."""
    return np.concatenate([np.zeros((0, 2), np.float32), *sound.blocks()])


def rms(sound: Audio) -> float:
    return float(np.sqrt(np.mean(sound.samples.astype(np.float64) ** 2)))


HITS = [0, 480, 1440, 1680, 2400, 3000]  # ticks
CURVE = ((0, 120.0), (480, 60.0), (1440, 97.3), (2400, 200.0))  # tempo changes between the hits


@pytest.mark.usefixtures("synthesizer")
def test_every_onset_sounds_within_10_ms_of_the_score_through_tempo_changes() -> None:
    score = score_of(*[(tick, 30, 37, 100) for tick in HITS], drums=True, tempos=CURVE)
    # 480 ticks at 120 beats a minute, 960 at 60, 240 and 720 at 97.3, 600 at 200
    onsets = np.cumsum([0, 1 / 2, 2, 30 / 97.3, 90 / 97.3, 75 / 200])
    assert rises(synthesize(score)) == pytest.approx(onsets, abs=0.010)


@pytest.mark.skipif(not HAS_FLUIDSYNTH, reason="no libfluidsynth")
def test_both_synthesizers_agree_on_the_onsets(monkeypatch: pytest.MonkeyPatch) -> None:
    score = score_of(*[(tick, 60, 37, 90) for tick in HITS], drums=True, tempos=CURVE)
    ours = rises(synthesize(score))
    monkeypatch.setattr(synthesis, "_fluidsynth", lambda: None)
    assert rises(synthesize(score)) == pytest.approx(ours, abs=0.005)


@pytest.mark.usefixtures("synthesizer")
def test_a_stronger_stroke_is_louder_and_no_controller_is_lost() -> None:
    def loudness(velocity: int = 100, **controls: int) -> float:
        numbers = {"volume": 7, "expression": 11}
        changes = tuple((0, numbers[name], value) for name, value in controls.items())
        return rms(synthesize(score_of((0, 480, 60, velocity), controls=changes)))

    assert loudness(120) > 1.5 * loudness(80) > 2 * loudness(40)
    assert loudness(volume=50) == pytest.approx(loudness() / 4, rel=0.1)  # (50 / 100) squared
    assert loudness(expression=0) < 1e-3 * loudness()


def loudness_in(sound: Audio, start: float, end: float) -> float:
    return rms(Audio(sound.samples[round(start * RATE) : round(end * RATE)], RATE))


@pytest.mark.usefixtures("synthesizer")
def test_a_note_rings_under_the_pedal_until_the_foot_is_up() -> None:
    def loudness(*controls: tuple[int, int, int]) -> list[float]:
        """How loud an organ is that is held for half a second, from 0.2, 1.6 and 3.4 s on."""
        notes = ((0, 480, 60, 100), (480 * 8, 480, 36, 1))  # the last one keeps the score going
        sound = synthesize(score_of(*notes, program=16, controls=controls))
        starts = [round(RATE * time) for time in (0.2, 1.6, 3.4)]
        return [rms(Audio(sound.samples[at : at + RATE // 4], RATE)) for at in starts]

    dry, wet = loudness(), loudness((240, 64, 127), (480 * 4, 64, 63))
    assert dry[1] < 0.1 * dry[0] and wet[1] > 0.5 * dry[0] and wet[2] < 0.1 * wet[1]
    late = loudness((480 * 2, 64, 127), (480 * 3, 64, 0))  # the key was up already
    assert late == pytest.approx(dry, rel=1e-3)


def test_a_pitch_that_is_struck_again_ends_what_rings_and_nothing_rings_beyond_the_end() -> None:
    notes = ((0, 480, 60, 90), (480, 480, 62, 90), (1440, 480, 60, 90))
    for drums, ends in ((False, [1.5, 9.0, 9.0]), (True, [0.5, 2.0, 1.0])):
        score: Any = score_of(*notes, drums=drums, controls=((0, 64, 64),)).to("second")
        part = synthesis.sustained(synthesis._part(score.tracks[0]), 9.0)
        assert part.pitches.tolist() == [60, 60, 62] and part.ends.tolist() == ends


@pytest.mark.usefixtures("synthesizer")
def test_a_fade_ramp_in_the_score_is_heard() -> None:
    ramp = tuple((i * 96, 11, 127 - i * 6) for i in range(21))
    faded = synthesize(score_of((0, 1920, 60, 100), program=48, controls=ramp))
    early, late = (
        Audio(faded.samples[a : a + RATE // 2], RATE) for a in (RATE // 4, 3 * RATE // 2)
    )
    assert rms(late) < 0.2 * rms(early)


@pytest.mark.usefixtures("synthesizer")
def test_a_controller_long_after_the_last_note_changes_nothing() -> None:
    late = synthesize(score_of((0, 480, 60, 100), controls=((480 * 400, 7, 0),)))
    plain = synthesize(score_of((0, 480, 60, 100)))
    assert len(late.samples) == len(plain.samples)
    np.testing.assert_array_equal(late.samples, plain.samples)


@pytest.mark.usefixtures("synthesizer")
def test_pan_moves_the_sound_to_its_side() -> None:
    for value, side in ((0, 0), (127, 1)):
        sound = synthesize(score_of((0, 480, 45, 100), program=25, controls=((0, 10, value),)))
        energy = (sound.samples.astype(np.float64) ** 2).sum(axis=0)
        assert energy[side] > 10 * energy[1 - side]


@pytest.mark.usefixtures("synthesizer")
def test_drums_play_the_drum_kit_and_ring_past_their_note() -> None:
    crash = synthesize(score_of((0, 10, 49, 100), drums=True))
    later = crash.samples[RATE // 2 : RATE]
    assert np.abs(later).max() > 0.03 * np.abs(crash.samples).max()
    piano = synthesize(score_of((0, 10, 49, 100)))
    assert np.abs(piano.samples[RATE:]).max() < 0.03 * np.abs(piano.samples).max()


@pytest.mark.usefixtures("synthesizer")
def test_a_note_does_not_outlive_its_end() -> None:
    sound = synthesize(score_of((0, 480, 60, 100), (240, 240, 60, 100), program=48))
    assert np.abs(sound.samples[2 * RATE :]).max() < 0.02 * np.abs(sound.samples).max()


@pytest.mark.usefixtures("synthesizer")
def test_more_tracks_than_midi_has_channels_all_sound() -> None:
    score = ScoreTick(480)
    score.tempos.append(TempoTick(0, 120.0))
    for i in range(20):
        track = TrackTick(f"{i}", 0, False)
        track.notes.append(NoteTick(480 * i, 60, 60, 100))
        score.tracks.append(track)
    assert len(rises(synthesize(score), quiet=0.2)) == 20


@pytest.mark.usefixtures("synthesizer")
def test_silence_stays_silence() -> None:
    nothing = synthesize(ScoreTick(480))
    assert nothing.duration == TAIL and not nothing.samples.any()
    assert not finish(nothing, 3.0).samples.any()


@pytest.mark.usefixtures("synthesizer")
def test_the_same_score_gives_the_same_samples() -> None:
    score = score_of((0, 480, 60, 100), (240, 480, 64, 80))
    assert np.array_equal(synthesize(score).samples, synthesize(score).samples)


def test_a_midi_file_sounds_like_its_score(tmp_path: Path) -> None:
    score = score_of((0, 480, 60, 100), (480, 480, 64, 100), tempos=((0, 120.0), (480, 90.0)))
    score.dump_midi(str(tmp_path / "-score.mid"))
    assert np.allclose(
        synthesize(tmp_path / "-score.mid").samples, synthesize(score).samples, atol=1e-3
    )


@pytest.mark.parametrize(
    "data", [b"", b"MThd", b"hello, I am a text", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\xff\xff\x90"]
)
def test_what_is_no_score_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "score.mid"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"score\.mid' is (not a|a broken) MIDI file"):
        synthesize(path)
    with pytest.raises(InputError, match="there is no file"):
        synthesize(tmp_path / "missing.mid")


FONT = default_soundfont()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is not a sound font"),
        (b"once upon a time" * 99, "is not a sound font"),
        (b"RIFF\x04\0\0\0WAVE", "is not a sound font"),
        (b"RIFF\x04\0\0\0sfbk", "is cut off or broken"),
        (FONT.read_bytes()[:10], "is not a sound font"),
        (FONT.read_bytes()[:5000], "is cut off or broken"),
        (FONT.read_bytes()[:-9], "is cut off or broken"),
    ],
)
@pytest.mark.usefixtures("synthesizer")
def test_what_is_no_sound_font_is_refused(data: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.sf2"
    path.write_bytes(data)
    with pytest.raises(AssetError, match=f"mine.sf2' {complaint}"):
        synthesize(score_of((0, 480, 60, 100)), path)


def test_a_sound_font_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"missing\.sf2': No such file"):
        synthesize(ScoreTick(480), tmp_path / "missing.sf2")
    with pytest.raises(AssetError, match="Is a directory"):
        synthesize(ScoreTick(480), tmp_path)


def test_without_libfluidsynth_symusic_plays_and_nothing_is_printed() -> None:
    code = """
        import sys
        sys.modules["fluidsynth"] = None  # its import fails, as where the library is missing
        from symusic.core import NoteTick, ScoreTick, TrackTick
        from emsync.sound.synthesis import synthesize, synthesizer_name
        assert synthesizer_name() == "symusic"
        score = ScoreTick(480)
        score.tracks.append(TrackTick("t", 0, False))
        score.tracks[0].notes.append(NoteTick(0, 480, 60, 100))
        assert synthesize(score).samples.any()
    """
    assert run_python(code) == ""


@pytest.mark.skipif(not HAS_FLUIDSYNTH, reason="no libfluidsynth")
def test_fluidsynth_prints_nothing() -> None:
    code = """
        from symusic.core import NoteTick, ScoreTick, TrackTick
        from emsync.sound.synthesis import synthesize
        score = ScoreTick(480)
        score.tracks.append(TrackTick("t", 127, True))
        score.tracks[0].notes.append(NoteTick(0, 480, 60, 100))
        assert synthesize(score).samples.any()
    """
    assert run_python(code) == ""


def run_python(code: str) -> str:
    """Run ``code`` in a fresh interpreter and return all that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


# --- finished sound -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 4000),
    duration=st.floats(0.001, 5),
    fade=st.floats(0, 4),
    seed=st.integers(0, 9),
)
def test_finish_gives_the_exact_length_and_fade(
    length: int, duration: float, fade: float, seed: int
) -> None:
    rate = 1000
    noise = np.random.default_rng(seed).uniform(-3, 3, (length, 2)).astype(np.float32)
    done = finish(Audio(noise, rate), duration, fade)
    assert len(done.samples) == round(duration * rate)
    faded = round(min(fade, duration / 2) * rate)
    steady = len(done.samples) - faded
    untouched = fit(Audio(noise, rate), duration).samples
    assert np.array_equal(done.samples[:steady], untouched[:steady])
    if faded > 1:
        assert np.allclose(done.samples[-1], 0, atol=1e-6)


def test_the_fade_takes_three_seconds_and_only_falls() -> None:
    done = finish(Audio(np.ones((8 * RATE, 2), np.float32), RATE), 10 - 2)
    level = done.samples[:, 0]
    assert np.all(level[: 5 * RATE] == level[0]) and np.all(np.diff(level[5 * RATE :]) <= 0)
    assert level[round(6.5 * RATE)] == pytest.approx(level[0] / 2, rel=0.01)


def test_finish_leaves_its_argument_alone() -> None:
    sound = Audio(np.ones((100, 2), np.float32), 100)
    finish(sound, 1.0)
    assert np.all(sound.samples == 1)


def test_sound_that_is_not_stereo_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, 2\), not \(5,\)"):
        Audio(np.zeros(5, np.float32), RATE)


def test_a_wav_file_holds_the_samples_to_16_bits_and_twice_the_same_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, (999, 2)).astype(np.float32)
    one, two = tmp_path / "one.wav", tmp_path / "concat:two.wav"
    write_wav(Audio(noise, 22050), one)
    write_wav(Audio(noise, 22050), two)
    assert one.read_bytes() == two.read_bytes()
    with wave.open(str(one)) as file:
        assert file.getparams()[:4] == (2, 2, 22050, 999)
        read = np.frombuffer(file.readframes(999), "<i2").reshape(-1, 2) / 32767
    assert np.abs(read - noise).max() < 0.51 / 32767


def test_the_music_gives_way_smoothly_where_the_film_is_loud() -> None:
    music = Audio(np.full((12 * RATE, 2), 0.5, np.float32), RATE)
    film = np.zeros((10 * RATE, 2), np.float32)
    film[4 * RATE : 7 * RATE] = 0.2 * np.sin(np.arange(3 * RATE) * 0.05)[:, None]
    level = 20 * np.log10(samples_of(duck(music, Audio(film, RATE)))[:, 0] / 0.5)
    at = {t: level[round(t * RATE)] for t in (0.0, 3.5, 4.05, 6.9, 9.9, 11.9)}
    assert at[0.0] == at[3.5] == 0  # far from the film's sound: untouched
    assert at[4.05] < -9 and at[6.9] == pytest.approx(-12, abs=0.1)
    assert at[9.9] > -0.2 and at[11.9] > -0.01  # the film ends before the music
    assert np.abs(np.diff(level)).max() < 12 / (0.02 * RATE)  # never a click


def test_the_music_stays_down_between_two_words() -> None:
    music = Audio(np.full((4 * RATE, 2), 0.5, np.float32), RATE)
    words = np.zeros((4 * RATE, 2), np.float32)
    for start in np.arange(1, 3, 0.5):
        words[round(start * RATE) : round((start + 0.25) * RATE)] = 0.1
    level = 20 * np.log10(samples_of(duck(music, Audio(words, RATE)))[:, 0] / 0.5)
    assert level[round(1.4 * RATE) : round(2.9 * RATE)].max() < -11


def test_under_a_silent_film_the_music_is_as_it_was() -> None:
    music = Audio(np.random.default_rng(0).uniform(-1, 1, (999, 2)).astype(np.float32), RATE)
    for length in (0, 10, 5000):
        silent = Audio(np.zeros((length, 2), np.float32), RATE)
        assert np.array_equal(samples_of(duck(music, silent)), music.samples)
        for together in (mix, mix_ducked):
            share = samples_of(together(music, silent)) / music.samples
            assert np.allclose(share, share[0, 0])
    empty = Audio(np.zeros((0, 2), np.float32), RATE)
    assert len(samples_of(duck(empty, music))) == 0


def test_sounds_of_two_rates_are_not_mixed() -> None:
    low = Audio(np.full((10, 2), 0.2, np.float32), RATE)
    for together in (mix, mix_ducked, duck):
        with pytest.raises(ValueError, match="44100 and 8000"):
            together(low, Audio(low.samples, 8000))


# --- sound into a film ----------------------------------------------------------------------------


def draw_film(
    path: Path,
    codec: str = "libx264",
    shown: tuple[int, ...] = tuple(range(0, 3000, 40)),  # milliseconds
    rotation: int = 0,
    pixel: Fraction | None = None,
    sound: tuple[str, int, float, float] | None = None,  # layout, rate, start and length in seconds
) -> Path:
    """Write a small film, its sound a steady tone, and return its path."""
    options = {"bf": "2"} if codec == "libx264" else {}
    with path.open("wb") as file, av.open(file, "w", format=FORMATS[path.suffix]) as out:
        video: Any = out.add_stream(codec, rate=25, width=64, height=48, options=options)
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        if pixel:
            video.codec_context.sample_aspect_ratio = pixel
        if rotation:
            video.set_display_rotation(rotation)
        track: Any = None
        if sound:
            layout, rate, start, length = sound
            name = "libopus" if path.suffix == ".webm" else "aac"
            track = out.add_stream(name, rate=rate, layout=layout)
            channels = len(av.AudioLayout(layout).channels)
            tone = 0.25 * np.sin(np.arange(round(length * rate)) * 2 * np.pi * 440 / rate)
            block = np.tile(tone.astype(np.float32), (channels, 1))
            piece: Any = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            piece.sample_rate, piece.time_base = rate, Fraction(1, rate)
            piece.pts = round(start * rate)
        for i, time in enumerate(shown):
            pixels = np.full((48, 64, 3), (i * 37) % 256, np.uint8)
            pixels[i % 48] = 255 - pixels[0, 0, 0]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if track is not None:
            out.mux(track.encode(piece))
            out.mux(track.encode(None))
    return path


FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".ts": "mpegts"}


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    with path.open("rb") as file, av.open(file) as film:
        yield film


def pictures(path: Path) -> tuple[list[bytes], list[float]]:
    """Return the bytes of every picture, and when each is shown, in the order of the file."""
    with opened(path) as film:
        packets = [p for p in film.demux(film.streams.video[0]) if p.size]
        return [bytes(p) for p in packets], [float(p.pts * p.time_base) for p in packets]


def decoded(path: Path) -> list[bytes]:
    """Return the pixels of every picture."""
    with opened(path) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]


def heard(path: Path) -> tuple[float, Audio]:
    """Return when the sound of a film begins, in seconds, and the sound."""
    with opened(path) as film:
        stream = film.streams.audio[0]
        frames = list(film.decode(stream))
        samples = np.concatenate([f.to_ndarray() for f in frames], axis=1).T
        return float(frames[0].pts * frames[0].time_base), Audio(samples, stream.rate)


def tone(seconds: float, level: float = 0.1) -> Audio:
    wave_ = level * np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * 1000 / RATE)
    return Audio(np.repeat(wave_.astype(np.float32)[:, None], 2, axis=1), RATE)


def strength(sound: Audio, hertz: float, start: float, end: float) -> float:
    """Return the amplitude of a sine of ``hertz`` in ``sound`` between two times."""
    a, b = round(start * sound.rate), round(end * sound.rate)
    phase = np.exp(-2j * np.pi * hertz * np.arange(a, b) / sound.rate)
    return float(np.abs(sound.samples[a:b].mean(axis=1) @ phase) * 2 / (b - a))


def mux(source: Path, music: Audio, output: Path, keep: KeepAudio = "replace", **more: Any) -> None:
    film = open_film(source)
    emsync.sound.mux.mux(film, soundtrack(film, level(music), keep), output, **more)


def timing(path: Path) -> Timing:
    found = open_film(path).timing
    assert found is not None
    return found


def check_copy(source: Path, output: Path) -> None:
    """Check that the pictures are the same bytes at the same distances, with sound as long."""
    before, shown_before = pictures(source)
    after, shown_after = pictures(output)
    if source.suffix == ".ts":  # the same pictures, between other marks
        assert decoded(output) == decoded(source)
    else:
        assert after == before
    shift = min(shown_before)
    assert np.allclose(shown_after, np.subtract(shown_before, shift), atol=0.0011)  # .mkv: 1 ms
    begin, sound = heard(output)
    course = timing(output)
    assert begin == pytest.approx(float(course.start * course.base), abs=0.001)
    assert sound.duration == pytest.approx(course.duration, abs=0.025)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
@pytest.mark.parametrize("name", CLIPS)
def test_real_pictures_are_copied_bit_for_bit_or_refused_with_a_way_out(
    name: str, shared: Path, tmp_path: Path
) -> None:
    clip = shared / "clips" / name
    taken = []
    for suffix in (".mp4", ".mkv", ".webm"):
        output = tmp_path / f"out{suffix}"
        try:
            mux(clip, tone(60), output, "mix")
        except UsageError as refusal:
            reason = str(refusal)
        else:
            check_copy(clip, output)
            taken.append(suffix)
            continue
        assert "cannot hold; choose ." in reason and not list(tmp_path.glob(f"*{suffix}"))
    assert ".mkv" in taken


VARIABLE = tuple(np.cumsum([33, 33, 100, 10, 50, 40, 700] * 5).tolist())


@pytest.mark.parametrize(
    "target", [".mp4", *(pytest.param(s, marks=pytest.mark.slow) for s in (".mov", ".mkv"))]
)
@pytest.mark.parametrize(
    "film",
    [
        {"name": "plain.mp4"},
        {"name": "late.mp4", "shown": tuple(range(1000, 4000, 40))},
        {"name": "broadcast.ts"},
        {"name": "variable.mp4", "shown": VARIABLE},
        {"name": "variable.mkv", "shown": VARIABLE},
        {"name": "sounding.mkv", "sound": ("stereo", 44100, 0.0, 9.0)},
    ],
    ids=lambda film: film["name"],
)
@pytest.mark.filterwarnings("ignore:the film with music leaves out .* s of sound")
def test_pictures_keep_their_bytes_and_distances(
    film: dict[str, Any], target: str, tmp_path: Path
) -> None:
    settings = {key: value for key, value in film.items() if key != "name"}
    source = draw_film(tmp_path / film["name"], **settings)
    output = tmp_path / f"out{target}"
    mux(source, tone(30), output, "mix")
    check_copy(source, output)


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
def test_rotation_is_kept(target: str, tmp_path: Path) -> None:
    source = draw_film(tmp_path / "portrait.mp4", rotation=90)
    mux(source, tone(3), tmp_path / f"out{target}")
    for path in (source, tmp_path / f"out{target}"):
        with opened(path) as film:
            assert next(film.decode(video=0)).rotation == 90


def test_the_shape_of_a_pixel_is_kept(tmp_path: Path) -> None:
    source = draw_film(tmp_path / "wide.mp4", pixel=Fraction(4, 3))
    for target in (".mp4", ".mov", ".mkv"):
        mux(source, tone(3), tmp_path / f"out{target}")
        with opened(tmp_path / f"out{target}") as film:
            assert film.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_webm_takes_vp9_with_opus(tmp_path: Path) -> None:
    source = draw_film(tmp_path / "clip.webm", "libvpx-vp9", sound=("stereo", 48000, 0.0, 3.0))
    mux(source, tone(3), tmp_path / "out.webm", "mix")
    check_copy(source, tmp_path / "out.webm")
    _, sound = heard(tmp_path / "out.webm")
    assert strength(sound, 440, 0.5, 2.5) == pytest.approx(0.12, rel=0.1)  # both -19 LUFS
    assert strength(sound, 1000, 0.5, 2.5) == pytest.approx(0.112, rel=0.1)


@pytest.mark.parametrize(
    ("layout", "rate"),
    [
        ("mono", 8000),
        pytest.param("mono", 44100, marks=pytest.mark.slow),
        pytest.param("stereo", 48000, marks=pytest.mark.slow),
        pytest.param("5.1", 48000, marks=pytest.mark.slow),
    ],
)
def test_the_films_own_sound_is_replaced_kept_or_kept_above_the_music(
    layout: str, rate: int, tmp_path: Path
) -> None:
    source = draw_film(tmp_path / "film.mkv", sound=(layout, rate, 0.0, 3.0))
    own, music = {}, {}
    for keep in KEEPS:
        output = tmp_path / f"{keep}.mkv"
        mux(source, tone(3), output, keep)
        _, sound = heard(output)
        own[keep], music[keep] = (strength(sound, f, 0.5, 2.5) for f in (440, 1000))
    assert own["replace"] < 1e-3 and music["replace"] == pytest.approx(0.158, rel=0.05)
    ratio = own["mix"] / music["mix"]
    assert ratio == pytest.approx(1.07, rel=0.05)  # equally loud: the ear hears 440 Hz less
    assert own["duck"] / music["duck"] == pytest.approx(ratio * 10 ** (15 / 20), rel=0.1)


@pytest.mark.filterwarnings("ignore:the film with music leaves out .* s of sound")
@pytest.mark.parametrize(("start", "length"), [(1.0, 0.5), (0.0, 1.0), (2.5, 4.0)])
def test_the_films_own_sound_stays_in_its_place(
    start: float, length: float, tmp_path: Path
) -> None:
    source = draw_film(tmp_path / "film.mkv", sound=("stereo", 44100, start, length))
    mux(source, tone(3, level=0), tmp_path / "out.mp4", "mix")
    _, sound = heard(tmp_path / "out.mp4")
    level = np.abs(sound.samples[: 3 * RATE]).max(axis=1) > 0.1
    assert np.argmax(level) / RATE == pytest.approx(start, abs=0.03)
    assert level.nonzero()[0][-1] / RATE == pytest.approx(min(start + length, 3), abs=0.03)


def test_a_film_that_begins_late_has_its_sound_moved_with_it(tmp_path: Path) -> None:
    shown = tuple(range(1000, 4000, 40))
    source = draw_film(tmp_path / "film.mkv", shown=shown, sound=("stereo", 44100, 2.0, 1.0))
    mux(source, tone(3, level=0), tmp_path / "out.mkv", "mix")
    _, sound = heard(tmp_path / "out.mkv")
    assert np.argmax(np.abs(sound.samples[:, 0]) > 0.1) / RATE == pytest.approx(1.0, abs=0.03)


def test_what_an_edit_list_hides_stays_hidden_or_is_refused(tmp_path: Path) -> None:
    source = draw_film(tmp_path / "hidden.mp4", shown=tuple(range(-200, 2800, 40)))
    with opened(source) as film:
        assert next(film.demux(video=0)).is_discard
    mux(source, tone(3), tmp_path / "out.mp4")
    assert decoded(tmp_path / "out.mp4") == decoded(source)
    assert timing(tmp_path / "out.mp4").duration == pytest.approx(2.8)
    with pytest.raises(UsageError, match=r"hides pictures .* which \.mkv cannot; choose \.mp4"):
        mux(source, tone(3), tmp_path / "out.mkv")


@pytest.mark.slow
def test_a_silent_film_is_given_the_music_whatever_is_to_be_kept(tmp_path: Path) -> None:
    source = draw_film(tmp_path / "silent.mp4")
    for keep in KEEPS:
        mux(source, tone(3), tmp_path / f"{keep}.mp4", keep)
    files = {(tmp_path / f"{keep}.mp4").read_bytes() for keep in KEEPS}
    assert len(files) == 1


@pytest.mark.slow
def test_the_same_film_and_music_give_the_same_bytes(tmp_path: Path) -> None:
    source = draw_film(tmp_path / "film.mp4")
    for suffix in (".mp4", ".mkv"):
        for name in "ab":
            mux(source, tone(3), tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = draw_film(tmp_path / "film.mp4", sound=("stereo", 44100, 0.0, 3.0))
    capfd.readouterr()  # the encoder's own chatter
    mux(source, tone(3), tmp_path / "out.mp4", "duck")
    assert capfd.readouterr() == ("", "")


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    seconds: list[float] = []
    mux(draw_film(tmp_path / "film.mp4"), tone(3), tmp_path / "out.mp4", progress=seconds.append)
    assert seconds == sorted(seconds) and seconds[-1] > 2.8


@pytest.mark.parametrize(
    "name", ["concat:a.mp4", "http:a.mp4", "-x.mp4", 'it\'s "a" film.mp4', "a|b;c.mp4", "%d.mp4"]
)
def test_a_name_is_a_file_name_and_nothing_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw_film(Path(name))
    mux(Path(name), tone(3), Path("out " + name))
    check_copy(Path(name), Path("out " + name))
    assert len(list(Path().iterdir())) == 2


def test_a_playlist_does_not_lead_to_another_file(tmp_path: Path) -> None:
    draw_film(tmp_path / "secret.ts")
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(InputError, match="no known format"):
        mux(playlist, tone(3), tmp_path / "out.mp4")


@pytest.mark.parametrize("data", [b"", b"just words\n" * 50, b"\0" * 4096])
def test_what_is_no_film_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(data)
    with pytest.raises(InputError, match=r"film\.mp4': no known format"):
        mux(tmp_path / "film.mp4", tone(1), tmp_path / "out.mp4")
    with pytest.raises(InputError, match="there is no file"):
        mux(tmp_path / "missing.mp4", tone(1), tmp_path / "out.mp4")
    with pytest.raises(InputError, match="is a folder"):
        mux(tmp_path, tone(1), tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_a_sound_file_is_no_film(tmp_path: Path) -> None:
    write_wav(tone(1), tmp_path / "sound.wav")
    with pytest.raises(InputError, match=r"sound\.wav' holds sound but no video"):
        mux(tmp_path / "sound.wav", tone(1), tmp_path / "out.mp4")


def test_what_cannot_be_is_refused_before_any_work(tmp_path: Path) -> None:
    source = draw_film(tmp_path / "film.mp4")
    with pytest.raises(UsageError, match=r"'out\.avi'; end its name with one of \.mp4, \.mov"):
        check_mux(open_film(source), tmp_path / "out.avi")
    no = r"has h264 pictures, which \.webm cannot hold; choose \.mp4"
    with pytest.raises(UsageError, match=no):
        check_mux(open_film(source), tmp_path / "out.webm")
    with pytest.raises(UsageError, match="is the film itself"):
        check_mux(open_film(source), tmp_path / "film.mp4")
    with pytest.raises(UsageError, match="'loud'; choose one of replace, mix, duck"):
        Outputs(keep_audio="loud")  # type: ignore[arg-type]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".wav"])
def test_a_full_disk_leaves_the_previous_file_and_nothing_else(suffix: str, tmp_path: Path) -> None:
    source = draw_film(tmp_path / "film.mp4")
    output = tmp_path / f"out{suffix}"
    output.write_bytes(b"before")
    write: dict[str, Callable[[], None]] = {".wav": lambda: write_wav(tone(3), output)}
    with full_disk(5000), pytest.raises(EmsyncError, match=r"cannot write .*File too large"):
        write.get(suffix, lambda: mux(source, tone(3), output))()
    assert output.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 2
