"""Laws of loudness: it is what BS.1770 and EBU Tech 3341 say, and all that is written has it."""

import itertools
import json
import tracemalloc
import wave
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emsync.cli import main
from emsync.errors import EmsyncWarning, UsageError
from emsync.options import Outputs
from emsync.sound.audio import Audio, whole
from emsync.sound.blocks import BLOCK, Made
from emsync.sound.levelling import CEILING, MOST_LIMITED, level, level_in_place, limited
from emsync.sound.loudness import Loudness, measured, true_peaks
from emsync.sound.mixing import mix, mix_ducked

RATE = 44100
GOLDEN = Path(__file__).parent / "golden" / "three-scenes" / "score.mid"


def tone(
    *spans: tuple[float, float],  # dBFS of the peaks, and seconds
    hertz: float = 1000,
    rate: int = 48000,
    sides: Sequence[float] = (1, 1),
) -> Audio:
    """Return a sine, one level after the other."""
    gains = np.concatenate([np.full(round(s * rate), 10 ** (db / 20)) for db, s in spans])
    sine = gains * np.sin(2 * np.pi * hertz * np.arange(len(gains)) / rate)
    return Audio((sine[:, None] * np.array(sides)).astype(np.float32), rate)


def drums(seconds: float, rate: int = RATE, seed: int = 0) -> Audio:
    """Return a hum with strokes, whose peaks are about 22 dB above its loudness."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    sound = 0.1 * np.sin(2 * np.pi * 220 * np.arange(count) / rate)
    stroke = 0.5 * np.exp(-np.arange(3000) / 600)
    for at in range(0, count - len(stroke), rate // 2):
        sound[at : at + len(stroke)] += stroke * rng.normal(size=len(stroke))
    return Audio((sound[:, None] * [1, 0.8]).astype(np.float32), rate)


def by_ffmpeg(sound: Audio, folder: Path) -> dict[str, float]:
    """Return what FFmpeg's meter says of ``sound``: I in LUFS, LRA in LU, and the true peak."""
    told, graph = folder / "told", av.filter.Graph()
    source: Any = graph.add_abuffer(
        sample_rate=sound.rate, format="fltp", layout="stereo", time_base=Fraction(1, sound.rate)
    )
    meter = graph.add("ebur128", "metadata=1:peak=true")
    printer = graph.add("ametadata", f"mode=print:file='{told}'")
    sink: Any = graph.add("abuffersink")
    for a, b in itertools.pairwise((source, meter, printer, sink)):
        a.link_to(b)
    graph.configure()
    at = 0
    for block in [*sound.blocks(), None]:
        frame = None
        if block is not None:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), "fltp", "stereo")
            frame.sample_rate, frame.pts = sound.rate, at
            frame.time_base, at = Fraction(1, sound.rate), at + len(block)
        source.push(frame)
        while True:
            try:
                sink.pull()
            except (av.BlockingIOError, av.EOFError):
                break
    del graph, source, meter, printer, sink
    pairs = (line.split("=") for line in told.read_text().split() if "=" in line)
    last = {key.removeprefix("lavfi.r128."): float(value) for key, value in pairs if "r128" in key}
    return last | {"true_peak": 20 * np.log10(last["true_peak"])}


# --- the meter ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "lufs"),
    [  # EBU Tech 3341, minimum requirements 1 to 5
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_the_meter_reads_what_tech_3341_requires(
    spans: list[tuple[float, float]], lufs: float
) -> None:
    rate = RATE if len(spans) == 1 else 16000  # the long ones at a rate that is soon measured
    assert measured(tone(*spans, rate=rate)).integrated == pytest.approx(lufs, abs=0.1)


def test_one_side_counts_half_and_997_hertz_at_full_scale_is_3() -> None:
    assert measured(tone((0, 5), hertz=997, sides=(1, 0))).integrated == pytest.approx(
        -3.01, abs=0.02
    )
    assert measured(tone((0, 5), hertz=997)).integrated == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    ("spans", "lu"),
    [  # EBU Tech 3342, minimum requirements 1 to 4
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
)
def test_the_range_is_what_tech_3342_requires(spans: list[tuple[float, float]], lu: float) -> None:
    assert measured(tone(*spans, rate=16000)).range == pytest.approx(lu, abs=1)


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize(
    ("share", "phase", "amplitude", "expected"),
    [  # EBU Tech 3341, 15 to 19: sines of a share of the rate, between whose samples the peaks lie
        (4, 0.0, 0.5, -6.0),
        (4, 45.0, 0.5, -6.0),
        (6, 60.0, 0.5, -6.0),
        (8, 67.5, 0.5, -6.0),
        (4, 45.0, 1.41, 3.0),
    ],
)
def test_true_peaks_lie_between_samples(
    share: int, phase: float, amplitude: float, expected: float, rate: int
) -> None:
    times = np.arange(rate)
    sine = amplitude * np.sin(2 * np.pi * times / share + np.radians(phase))
    sine *= np.minimum(1, np.minimum(times, times[::-1]) / 500)  # no click
    found = measured(Audio(np.repeat(sine[:, None], 2, 1).astype(np.float32), rate)).true_peak
    assert expected - 0.4 <= found <= expected + 0.2


def test_true_peaks_are_those_of_the_sound_oversampled() -> None:
    from scipy.signal import resample

    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(size=(20_000, 2)), axis=0)
    spectrum[9000:] = 0  # nothing above 0.9 of half the rate
    sound = np.fft.irfft(spectrum, axis=0).astype(np.float32)
    finest = np.abs(resample(sound, 4 * len(sound))).max(axis=1)
    found = np.concatenate([*true_peaks(iter([sound]))])
    wanted = finest.reshape(-1, 4).max(axis=1)
    middle = slice(100, -100)
    assert np.all(found[middle] > wanted[middle] * 0.97)
    assert found[middle].max() == pytest.approx(wanted[middle].max(), rel=0.01)


def test_the_meter_agrees_with_ffmpeg_s(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    swelling = rng.normal(0, 0.1, (12 * RATE, 2)) * np.linspace(0.02, 1, 12 * RATE)[:, None] ** 2
    for sound in (drums(8), Audio(swelling.astype(np.float32), RATE), drums(5, 48000)):
        theirs, ours = by_ffmpeg(sound, tmp_path), measured(sound)
        assert ours.integrated == pytest.approx(theirs["I"], abs=0.1)
        assert ours.range == pytest.approx(theirs["LRA"], abs=0.5)
        assert ours.true_peak == pytest.approx(theirs["true_peak"], abs=0.3)


def test_what_is_shorter_than_a_gating_block_is_measured_whole() -> None:
    for seconds in (0.01, 0.1, 0.39):
        assert measured(tone((-23, seconds))).integrated == pytest.approx(-23, abs=1.5)
    assert measured(Audio(np.zeros((0, 2), np.float32), RATE)).integrated == -np.inf


def test_how_sound_is_cut_into_blocks_is_not_measured() -> None:
    sound = drums(4)
    cut = Made(RATE, sound.length, lambda: iter(np.array_split(sound.samples, 100)))
    assert measured(cut) == measured(sound)


# --- one gain and a limiter -----------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    lufs=st.floats(-40, -14),
    seconds=st.floats(0.2, 3),
    loud=st.floats(-50, 0),
)
def test_any_sound_reaches_its_loudness(lufs: float, seconds: float, loud: float) -> None:
    done = level(tone((loud, seconds), hertz=300), lufs)
    heard = measured(whole(done))
    assert heard.integrated == pytest.approx(lufs, abs=0.1)
    assert heard.integrated == pytest.approx(done.loudness.integrated, abs=0.01)
    assert heard.true_peak == pytest.approx(done.loudness.true_peak, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_peaks_are_turned_down_and_all_else_is_as_it_was(seed: int) -> None:
    sound = drums(6, seed=seed)
    done = level(sound, -22.0)
    assert done.is_limited
    heard, gain = whole(done), whole(done.gain).samples[:, 0]
    assert measured(heard).integrated == pytest.approx(-22, abs=0.1)
    assert measured(heard).true_peak <= CEILING + 0.01
    lowered = 20 * np.log10(gain.max() / gain)
    assert 0.5 < lowered.max() <= MOST_LIMITED + 0.5
    assert np.mean(lowered < 1e-4) > 0.5  # between the strokes nothing is changed
    assert np.abs(np.diff(lowered)).max() < lowered.max() / 50  # never a click: smooth in 5 ms
    assert np.allclose(heard.samples, sound.samples * gain[:, None])
    assert np.array_equal(whole(level(sound, -22.0)).samples, heard.samples)


def test_a_loudness_out_of_reach_is_told_with_the_one_reached() -> None:
    with pytest.warns(EmsyncWarning, match=r"the music reaches -2\d\.\d LUFS, not -10: its peaks"):
        done = level(drums(4), -10.0, "the music")
    assert -25 < done.loudness.integrated < -15
    assert measured(whole(done)).true_peak <= CEILING + 0.01


def test_silence_and_what_is_too_faint_to_be_heard_are_not_made_loud() -> None:
    for samples in (np.zeros((0, 2)), np.zeros((RATE, 2)), np.full((9 * RATE, 2), 1e-6)):
        sound = Audio(samples.astype(np.float32), RATE)
        done = level(sound)
        assert np.array_equal(whole(done).samples, sound.samples)
        assert str(done.loudness) == "silence"
        assert done.loudness.to_json()["lufs"] is None


def test_a_sound_is_levelled_in_place_as_elsewhere() -> None:
    sound = drums(5)
    elsewhere = whole(level(sound, -22.0)).samples
    level_in_place(sound, -22.0)
    assert np.array_equal(sound.samples, elsewhere)


@pytest.mark.slow
def test_a_long_sound_is_not_held_in_memory() -> None:
    length = 100 * RATE  # 35 MB
    part = drums(BLOCK / RATE).samples

    def strokes() -> Iterator[Any]:
        return itertools.repeat(part)

    tracemalloc.start()
    try:
        sound = Made(RATE, length, strokes)
        assert measured(sound).true_peak > 0
        assert sum(map(len, limited(sound, 3.0).blocks())) == length
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


# --- with a film's own sound ----------------------------------------------------------------------


def loud_of(samples: Any) -> float:
    return measured(Audio(np.ascontiguousarray(samples), RATE)).integrated


@pytest.mark.parametrize("recorded", [-35.0, -20.0, -10.0])
def test_music_is_as_loud_as_the_film_and_far_under_its_words(recorded: float) -> None:
    music = tone((-12, 12), hertz=500, rate=RATE)
    words = tone((-90, 4), (recorded, 4), (-90, 4), hertz=1500, rate=RATE)
    own = min(-16.0, loud_of(words.samples[4 * RATE : 8 * RATE]) + 12)

    def parts(sound: Any, start: float, end: float) -> tuple[float, float]:
        """Return how loud the music and the film are, which are told apart by their pitch."""
        samples = whole(sound).samples[round(start * RATE) : round(end * RATE)]
        spectrum = np.fft.rfft(samples, axis=0)
        low = np.fft.rfftfreq(len(samples), 1 / RATE)[:, None] < 1000
        both = (np.fft.irfft(spectrum * mask, len(samples), axis=0) for mask in (low, ~low))
        first, second = (loud_of(part.astype(np.float32)) for part in both)
        return first, second

    assert parts(mix(music, words), 5, 7) == pytest.approx((-16, own), abs=0.5)
    assert parts(mix_ducked(music, words), 5, 7) == pytest.approx((-31, own), abs=0.5)
    assert parts(mix_ducked(music, words), 0.5, 3)[0] == pytest.approx(-19, abs=0.3)


def test_the_hiss_of_a_silent_room_stays_soft() -> None:
    hiss = Audio(np.random.default_rng(0).normal(0, 1e-3, (RATE, 2)).astype(np.float32), RATE)
    music = tone((-12, 1), rate=RATE)
    with_hiss, without = whole(mix(music, hiss)), whole(mix(music, tone((-200, 1), rate=RATE)))
    raised = np.abs(with_hiss.samples - without.samples).max() / np.abs(hiss.samples).max()
    assert raised == pytest.approx(10 ** (12 / 20), rel=0.01)


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize("lufs", [-60.1, -4.9, float("nan"), float("inf")])
def test_a_loudness_that_cannot_be_is_refused_before_any_work(lufs: float) -> None:
    from emsync import match, render

    for refused in (
        lambda: Outputs(lufs=lufs),
        lambda: render("missing.mid", lufs=lufs),
        lambda: match("missing.mp4", "missing", lufs=lufs),
    ):
        with pytest.raises(UsageError, match=rf"a loudness of {lufs:g} LUFS is outside -60 to -5"):
            refused()


def test_render_tells_how_loud_its_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lufs in (-16, -23):
        out = tmp_path / "a.wav"
        words = ["render", GOLDEN, "--out", out, "--lufs", lufs, "--json"]
        assert main([str(word) for word in words]) == 0
        told = json.loads(capsys.readouterr().out)["loudness"]
        with wave.open(str(out)) as file:
            data = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        heard = measured(Audio((data / 32767).astype(np.float32), RATE))
        assert told["lufs"] == pytest.approx(lufs, abs=0.1)
        assert told["lufs"] == pytest.approx(heard.integrated, abs=0.1)
        assert told["true_peak"] == pytest.approx(heard.true_peak, abs=0.1) and (
            told["true_peak"] <= -1
        )


def test_loudness_is_told_in_words() -> None:
    assert str(Loudness(-16.04, -1.0)) == "-16.0 LUFS, true peak -1.0 dBTP"
