"""Laws of a film's own sound: which is heard, when, and what becomes of odd and damaged ones."""

import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from av.stream import Disposition
from symusic.core import ControlChangeTick, NoteTick, ScoreTick, TrackTick

from emsync.brief import look
from emsync.errors import EmsyncWarning, InputError, UsageError
from emsync.options import Options, Outputs
from emsync.outputs import check_outputs
from emsync.sound import blocks, synthesis
from emsync.sound.audio import Audio
from emsync.sound.blocks import BLOCK, Kept, Made, Sound
from emsync.sound.decode import own_sound, read_mono
from emsync.sound.levelling import level
from emsync.sound.mixing import duck, mix, mix_ducked
from emsync.sound.mux import check_kept, mux, soundtrack
from emsync.sound.synthesis import synthesize
from emsync.video import watch as watching
from emsync.video.film import open_film

RATE = 44100
FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"}


class Tone(NamedTuple):
    """A sound track: a steady tone of 0.2."""

    hertz: float
    layout: str = "stereo"
    rate: int = 48000
    codec: str = "aac"
    tags: Mapping[str, str] = MappingProxyType({})
    default: bool = False
    seconds: float = 2.0
    bent: Callable[[int, Any], Any] = lambda number, packet: packet  # what becomes of packets


def draw(path: Path, *tones: Tone, seconds: float = 2.0, late: float = 0.0) -> Path:
    """Write a small film with these sounds, its pictures ``late`` seconds late."""
    with av.open(path, "w", format=FORMATS[path.suffix]) as out:
        pictures: Any = out.add_stream("libx264", rate=25, width=64, height=48)
        pictures.pix_fmt = "yuv420p"
        tracks: list[Any] = []
        for tone in tones:
            track: Any = out.add_stream(tone.codec, rate=tone.rate, layout=tone.layout)
            track.metadata.update(tone.tags)
            track.disposition = Disposition.default if tone.default else Disposition(0)
            tracks.append(track)
        for i in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), "rgb24")
            frame.pts, frame.time_base = i + round(late * 25), Fraction(1, 25)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        for tone, track in zip(tones, tracks, strict=True):
            times = np.arange(round(tone.seconds * tone.rate)) / tone.rate
            wave = 0.2 * np.sin(2 * np.pi * tone.hertz * times)
            channels = len(av.AudioLayout(tone.layout).channels)
            flat = np.repeat(wave[:, None], channels, axis=1).reshape(1, -1)
            piece = av.AudioFrame.from_ndarray(
                (flat * 32767).astype(np.int16), format="s16", layout=tone.layout
            )
            piece.sample_rate, piece.time_base, piece.pts = tone.rate, Fraction(1, tone.rate), 0
            for number, packet in enumerate([*track.encode(piece), *track.encode(None)]):
                if (packet := tone.bent(number, packet)) is not None:
                    out.mux(packet)
    return path


def strength(samples: Any, hertz: float, start: float, end: float) -> list[float]:
    """Return how loud a tone is between two seconds, left and right."""
    a, b = round(start * RATE), round(end * RATE)
    phase = np.exp(-2j * np.pi * hertz * np.arange(a, b) / RATE)
    return [float(abs(samples[a:b, side] @ phase) * 2 / (b - a)) for side in (0, 1)]


def silence(seconds: float) -> Audio:
    return Audio(np.zeros((round(seconds * RATE), 2), np.float32), RATE)


def samples_of(sound: Sound) -> Any:
    return np.concatenate([np.zeros((0, 2), np.float32), *sound.blocks()])


def kept(path: Path, track: int | None = None) -> Any:
    """Return what is heard of a film under silent music."""
    film = open_film(path)
    check_kept(film, "mix", track)
    return samples_of(soundtrack(film, level(silence(film.duration)), "mix", track))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Tone(440), Tone(440, "mono")),
        (Tone(440), Tone(440, rate=44100)),
        (Tone(440, "mono", 44100), Tone(440, "5.1")),
        (Tone(440, codec="mp2"), Tone(440, "mono", codec="mp2")),
    ],
    ids=["channels", "rate", "both", "mp2"],
)
@pytest.mark.filterwarnings("ignore:the timestamps")
def test_sound_whose_kind_changes_is_heard_through(
    first: Tone, second: Tone, tmp_path: Path
) -> None:
    path = tmp_path / "joined.ts"
    parts = [draw(tmp_path / f"{i}.ts", tone) for i, tone in enumerate((first, second))]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    sounds = [kept(path), own_sound(path, RATE).samples]
    for samples in sounds:
        for start, end in ((0.5, 1.5), (2.5, 3.5)):
            strengths = strength(samples, 440, start, end)
            assert 0.08 < min(strengths) <= max(strengths) < 0.6
    assert len(sounds[0]) == pytest.approx(4 * RATE, abs=RATE * 0.05)
    assert len(read_mono(path)) == pytest.approx(4 * 22050, abs=22050 * 0.1)


ENGLISH, FRENCH = {"language": "eng"}, {"language": "fre"}


@pytest.mark.parametrize(
    ("tones", "wanted", "left", "right"),
    [
        ([Tone(300, tags=ENGLISH), Tone(700, tags=FRENCH, default=True)], None, 700, 700),
        ([Tone(300, tags=ENGLISH), Tone(700, tags=FRENCH, default=True)], 0, 300, 300),
        ([Tone(300, default=True), Tone(700, "5.1")], None, 300, 300),
        ([Tone(300), Tone(700)], None, 300, 300),
        ([Tone(300, "mono"), Tone(700)], None, 700, 700),  # the one with the most channels
        ([Tone(300, "mono"), Tone(700, "mono")], None, 300, 700),  # a camera's two microphones
        ([Tone(300, "mono"), Tone(700, "mono")], 1, 700, 700),
        ([Tone(300, "mono", tags=ENGLISH), Tone(700, "mono", tags=FRENCH)], None, 300, 300),
        ([Tone(300, "mono"), Tone(700, "mono", default=True)], None, 700, 700),
        ([Tone(300, "mono"), Tone(700, "mono"), Tone(900, "mono")], None, 300, 700),
    ],
)
def test_the_sound_that_players_take_is_kept(
    tones: Sequence[Tone], wanted: int | None, left: float, right: float, tmp_path: Path
) -> None:
    path = draw(tmp_path / "film.mkv", *tones)
    told = pytest.warns(EmsyncWarning, match=r"has \d sound tracks \(0: .*\), of which track")
    with told if wanted is None else nullcontext():
        samples = kept(path, wanted)
    for hertz in {tone.hertz for tone in tones}:
        heard = [level > 0.1 for level in strength(samples, hertz, 0.5, 1.5)]
        assert heard == [hertz == left, hertz == right]


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_two_tracks_of_a_camera_are_left_and_right(suffix: str, tmp_path: Path) -> None:
    path = draw(
        tmp_path / f"camera{suffix}", *(Tone(f, "mono", codec="pcm_s16le") for f in (300, 700))
    )
    with pytest.warns(EmsyncWarning, match="tracks 0 and 1 are heard as left and right"):
        samples = own_sound(path, RATE).samples
    assert strength(samples, 300, 0.5, 1.5) == pytest.approx([0.2, 0], abs=0.01)
    assert strength(samples, 700, 0.5, 1.5) == pytest.approx([0, 0.2], abs=0.01)


def test_the_track_that_counts_is_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = open_film(draw(tmp_path / "film.mkv", Tone(300, tags=ENGLISH), Tone(3000)))
    for track, hertz in ((0, 300), (1, 3000)):
        seen = look(film, Options(estimator="sound", audio_stream=track))
        assert seen is not None
        assert seen.sound is not None
        assert seen.sound.brightness[0] == pytest.approx(hertz, rel=0.1)
    monkeypatch.setattr(watching, "frames", None)
    with pytest.raises(UsageError, match="no sound track 2"):
        look(film, Options(audio_stream=2))


def test_a_track_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    film = open_film(draw(tmp_path / "film.mkv", Tone(300, tags=ENGLISH), Tone(700)))
    outputs = Outputs(video=tmp_path / "out.mkv", keep_audio="mix", audio_stream=2)
    with pytest.raises(UsageError, match=r"no sound track 2; it has 0: eng, aac, stereo; 1: aac"):
        check_outputs(outputs, film)
    silent = open_film(draw(tmp_path / "silent.mkv"))
    with pytest.raises(UsageError, match="no sound track 0; it is silent"):
        check_kept(silent, "mix", 0)


def test_a_sound_without_a_decoder_is_refused_before_any_work(tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mkv", Tone(300))
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    film = open_film(path)
    check_kept(film, "replace")
    with pytest.raises(InputError, match="no installed decoder reads the sound of"):
        check_kept(film, "duck")


def garbled(number: int, packet: Any) -> Any:
    if not 40 <= number < 50:
        return packet
    noise = av.Packet(b"\xff" * 40)
    noise.pts, noise.dts, noise.time_base = packet.pts, packet.dts, packet.time_base
    noise.stream = packet.stream
    return noise


def test_damaged_sound_is_silent_where_it_is_damaged_and_in_its_place_elsewhere(
    tmp_path: Path,
) -> None:
    path = draw(tmp_path / "film.mkv", Tone(440, bent=garbled))
    with pytest.warns(EmsyncWarning, match="is damaged; where it is, there is silence"):
        samples = kept(path)
    assert min(strength(samples, 440, 0.2, 0.8)) > 0.15
    assert np.abs(samples[round(0.93 * RATE) : round(1.0 * RATE)]).max() < 0.01
    assert min(strength(samples, 440, 1.2, 1.9)) > 0.15
    with pytest.warns(EmsyncWarning, match="damaged"):
        mux(
            open_film(path),
            soundtrack(open_film(path), level(silence(2)), "duck"),
            tmp_path / "o.mp4",
        )


def test_a_sound_of_which_nothing_can_be_decoded_is_refused(tmp_path: Path) -> None:
    def all_garbled(number: int, packet: Any) -> Any:
        return garbled(40, packet)

    path = draw(tmp_path / "film.mkv", Tone(440, codec="mp2", bent=all_garbled))
    with pytest.raises(InputError, match=r"the sound of .* is damaged: .*; replace it"):
        check_kept(open_film(path), "mix")
    with pytest.raises(InputError, match="damaged"):
        read_mono(path)


def test_a_gap_in_a_sound_is_silent(tmp_path: Path) -> None:
    def later(number: int, packet: Any) -> Any:
        if number >= 47:  # a second
            packet.pts = packet.dts = packet.pts + round(0.5 / packet.time_base)
        return packet

    path = draw(tmp_path / "gap.mkv", Tone(440, bent=later), seconds=3)
    samples = kept(path)
    assert np.abs(samples[round(1.05 * RATE) : round(1.45 * RATE)]).max() < 0.01
    assert min(strength(samples, 440, 1.6, 2.4)) > 0.15
    assert own_sound(path, RATE).duration == pytest.approx(2.5, abs=0.05)


def test_what_is_heard_outside_the_pictures_is_told(tmp_path: Path) -> None:
    path = draw(tmp_path / "late.mp4", Tone(440, seconds=5.0), late=1.0)
    film = open_film(path)
    with pytest.warns(
        EmsyncWarning, match=r"1\.0 s of sound before the first picture; 2\.0 s of sound after"
    ):
        mux(film, soundtrack(film, level(silence(2)), "mix"), tmp_path / "out.mp4")


def pieces_of(samples: Any, size: int) -> Iterator[Any]:
    return (samples[at : at + size] for at in range(0, len(samples), size))


def test_how_sound_is_cut_into_blocks_is_not_heard() -> None:
    rng = np.random.default_rng(0)
    music, film = (rng.normal(0, s, (3 * BLOCK + 17, 2)).astype(np.float32) for s in (0.3, 0.02))
    film[BLOCK : 2 * BLOCK] = 0

    def made(samples: Any, size: int) -> Made:
        return Made(RATE, len(samples), lambda: pieces_of(samples, size))

    for together in (mix, mix_ducked, duck):
        whole = samples_of(together(Audio(music, RATE), Audio(film, RATE)))
        cut = samples_of(together(made(music, 1000), made(film, 777)))
        assert np.array_equal(whole, cut)


@pytest.mark.slow
@pytest.mark.parametrize("together", [mix, mix_ducked])
def test_a_long_film_is_not_held_in_memory(together: Callable[[Sound, Sound], Sound]) -> None:
    length = 90 * RATE  # 32 MB

    def noise() -> Iterator[Any]:
        return (np.full((BLOCK, 2), 0.1, np.float32) for _ in range(length // BLOCK + 1))

    tracemalloc.start()
    try:
        sound = together(Made(RATE, length, noise), Made(RATE, length, noise))
        assert sum(len(block) for block in sound.blocks()) == length
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_score_sounds_alike_however_long_its_windows_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score = ScoreTick(480)
    track = TrackTick("strings", 48, False)
    for i in range(12):
        track.notes.append(NoteTick(480 * i, 1000, 60 + i % 5, 80 + i))
    track.controls.append(ControlChangeTick(960, 7, 60))
    score.tracks.append(track)
    whole = synthesize(score).samples
    monkeypatch.setattr(synthesis, "WINDOW", 30_001)
    assert np.array_equal(synthesize(score).samples, whole)


def test_a_sound_that_is_kept_in_a_file_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (BLOCK + 99, 2)).astype(np.float32)
    monkeypatch.setattr(blocks, "IN_MEMORY", 1000)
    kept_ = Kept(Audio(samples, RATE))
    first, second = kept_.blocks(), kept_.blocks()  # may be heard twice at once
    next(first)
    assert np.array_equal(np.concatenate([*second]), samples)
