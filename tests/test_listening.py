"""Laws of listening to a film: each measure on sound that is drawn, odd and damaged sound."""

import itertools
import threading
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from emsync.arrays import Float64s
from emsync.encoders import weights
from emsync.encoders.tags import TAGS
from emsync.errors import AssetError, EmsyncWarning, UsageError, noted
from emsync.sound import decode, listening
from emsync.sound.blocks import Made
from emsync.sound.listening import CELL, Heard, listen
from emsync.sound.loudness import SILENT
from emsync.sound.spectra import RATE
from emsync.video import watch as watching
from emsync.video.film import Film, frames, open_film
from emsync.video.footage import Needs
from emsync.video.watch import watch


def film_of(seconds: float) -> Film:
    """Return a film that is in no file."""
    return Film(Path("drawn.mp4"), seconds, Fraction(25), 64, 48, 0, True, round(25 * seconds), 0)


@pytest.fixture
def hear(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Heard]:
    """A function that listens to samples, RATE a second."""

    def heard(samples: Float64s, block: int = 10_000) -> Heard:
        both = np.stack([samples, samples], 1).astype(np.float32)
        blocks = [both[at : at + block] for at in range(0, len(both), block)]
        made = Made(RATE, len(both), lambda: blocks)
        monkeypatch.setattr(listening, "film_sound", lambda *_: made)
        found = listen(film_of(len(both) / RATE))
        assert found is not None
        return found

    return heard


def times(seconds: float) -> Float64s:
    return np.arange(round(seconds * RATE)) / RATE


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> Float64s:
    return level * np.random.default_rng(seed).normal(size=round(seconds * RATE))


def struck(seconds: float, every: float, level: float = 0.3) -> Float64s:
    """Return bursts of noise at an even pulse, the first after half of it."""
    return noise(seconds, level) * np.exp(-40 * ((times(seconds) + every / 2) % every))


def tune(seconds: float) -> Float64s:
    """Return plucked tones, two a second."""
    now = times(seconds)
    since = now % 0.5
    pitch = 220 * 2 ** (np.array([0, 4, 7, 12, 9, 7, 5, 2])[(now / 0.5).astype(int) % 8] / 12)
    tones = sum(np.sin(2 * np.pi * k * pitch * since) / k for k in range(1, 6))
    return 0.2 * tones * np.exp(-3 * since)


def babble(seconds: float) -> Float64s:
    """Return syllables at an uneven four a second, each gliding in pitch, with pauses."""
    rng, now = np.random.default_rng(3), times(seconds)
    sound, at = np.zeros(len(now)), 0.2
    while at < seconds - 0.4:
        length = rng.uniform(0.1, 0.35)
        here = (now >= at) & (now < at + length)
        since = now[here] - at
        phase = 2 * np.pi * (rng.uniform(90, 200) * since + rng.uniform(-40, 40) * since**2)
        voice = sum(np.sin(k * phase) / k for k in range(1, 12))
        sound[here] = 0.2 * voice * np.sin(np.pi * since / length) ** 2
        at += length + rng.uniform(0.01, 0.15) + (0.4 if rng.random() < 0.12 else 0.0)
    return sound


def test_loudness_is_that_of_bs_1770(hear: Callable[..., Heard]) -> None:
    tone = 10 ** (-23 / 20) * np.sin(2 * np.pi * 997 * times(5))  # -23 LUFS on both sides
    assert hear(tone).loudness == pytest.approx(-23.0, abs=0.1)
    assert hear(0.1 * tone).loudness == pytest.approx(-43.0, abs=0.1)


def test_brightness_is_the_frequency_of_a_tone(hear: Callable[..., Heard]) -> None:
    for hertz in (500.0, 3000.0):
        found = hear(0.1 * np.sin(2 * np.pi * hertz * times(4)))
        assert found.brightness == pytest.approx(hertz, rel=0.15)


@pytest.mark.parametrize("rate", [1, 2, 4])
def test_onsets_are_counted(rate: int, hear: Callable[..., Heard]) -> None:
    found = hear(struck(10, 1 / rate))
    assert found.onsets == pytest.approx(rate, rel=0.05)


def test_a_tune_and_a_beat_are_music(hear: Callable[..., Heard]) -> None:
    for sound in (tune(10), struck(10, 0.5)):
        found = hear(sound)
        assert found.music.min() > 0.9
        assert found.speech.max() < 0.1


def test_speech_is_told_from_music_and_from_noise(hear: Callable[..., Heard]) -> None:
    found = hear(babble(20))
    assert found.speech.mean() > 0.5 > found.music.mean()
    wind = noise(20) * (1 + 0.5 * np.sin(2 * np.pi * 0.4 * times(20)))
    for sound in (noise(20), wind):
        found = hear(sound)
        assert max(found.speech.max(), found.music.max()) < 0.3


def test_a_tune_that_begins_is_heard_when_it_does(hear: Callable[..., Heard]) -> None:
    found = hear(np.concatenate([noise(12, 0.01), tune(12)]))
    assert found.music[:10].max() < 0.5 < found.music[14:].min()
    assert found.tags[: 2 * CELL] != pytest.approx(found.tags[2 * CELL :])


def test_it_hears_the_same_on_any_number_of_threads(hear: Callable[..., Heard]) -> None:
    alone = hear(tune(18))
    torch.set_num_threads(3)
    try:
        together = hear(tune(18))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)
    for name, row in vars(alone).items():
        assert (getattr(together, name) == row).all(), name


def test_silence_is_silent(hear: Callable[..., Heard]) -> None:
    for sound in (np.zeros(4 * RATE), np.full(4 * RATE, 1e-6)):
        found = hear(sound)
        assert (found.loudness == SILENT).all()
        for name in ("onsets", "brightness", "speech", "music", "tags"):
            assert not getattr(found, name).any(), name


@pytest.mark.parametrize("count", [1, 255, 256, 8000, 16001, 7 * RATE, 12 * RATE, 12 * RATE + 1])
def test_sound_of_any_length_has_a_row_a_second(count: int, hear: Callable[..., Heard]) -> None:
    found = hear(noise(count / RATE))
    seconds = max(1, round(count / RATE))
    assert all(len(row) == seconds for row in vars(found).values())
    assert found.tags.shape == (seconds, len(TAGS))
    assert all(np.isfinite(row).all() for row in vars(found).values())


def test_clipped_sound_is_no_error(hear: Callable[..., Heard]) -> None:
    found = hear(np.sign(tune(6)) * 16.0)
    assert all(np.isfinite(row).all() for row in vars(found).values())
    assert found.loudness.min() > 0


def test_how_the_sound_is_cut_into_blocks_changes_nothing(hear: Callable[..., Heard]) -> None:
    sound = np.concatenate([tune(9), babble(9)])
    one, other = hear(sound), hear(sound, 777)
    for name, row in vars(one).items():
        np.testing.assert_allclose(getattr(other, name), row, err_msg=name)


def test_a_piece_ends_unheard(hear: Callable[..., Heard]) -> None:
    """What is told of a second does not depend on where the pieces begin."""
    sound = np.concatenate([np.zeros(4 * RATE), tune(26)])
    late, early = hear(sound), hear(sound[4 * RATE :])
    for name in ("loudness", "onsets", "brightness", "music"):
        np.testing.assert_allclose(getattr(late, name)[8:28], getattr(early, name)[4:24], rtol=1e-3)


def test_memory_does_not_grow_with_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = np.stack([noise(4)] * 2, 1).astype(np.float32)
    monkeypatch.setattr(listening, "_tagged", lambda cell: np.zeros(len(TAGS), np.float32))
    peaks = []
    for minutes in (1, 5):
        made = Made(RATE, minutes * 60 * RATE, lambda: itertools.repeat(piece))
        monkeypatch.setattr(listening, "film_sound", lambda *_, made=made: made)
        tracemalloc.start()
        listen(film_of(60.0 * minutes))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4 * 60 * 8000  # bytes: 8 kB a second, as the pictures' rows


def test_musicnn_hears_some_of_far_too_long_a_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MOST_CELLS", 3)
    asked: list[int] = []

    def tagged(cell: Any) -> Any:
        asked.append(len(cell))
        return np.full(len(TAGS), len(asked) / 10, np.float32)

    monkeypatch.setattr(listening, "_tagged", tagged)
    made = Made(RATE, 60 * RATE, lambda: [np.stack([tune(60)] * 2, 1).astype(np.float32)])
    monkeypatch.setattr(listening, "film_sound", lambda *_: made)
    found = listen(film_of(60.0))
    assert found is not None
    assert len(asked) == 3
    assert sorted(set(found.tags[:, 0].round(2))) == [0.1, 0.2, 0.3]


def write_film(path: Path, sound: Float64s | None, codec: str = "aac", cut: float = 1.0) -> Film:
    """Write a film of dark pictures with this sound; of its packets only a share is whole."""
    seconds = 4.0 if sound is None else len(sound) / RATE
    with av.open(path, "w") as out:
        pictures: Any = out.add_stream("libx264", rate=5, width=64, height=48)
        pictures.pix_fmt = "yuv420p"
        track: Any = None if sound is None else out.add_stream(codec, rate=RATE, layout="mono")
        for i in range(round(seconds * 5)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), "rgb24")
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        if sound is not None:
            whole = (np.clip(sound, -1, 1) * 32767).astype(np.int16)[None]
            piece = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
            piece.sample_rate, piece.time_base, piece.pts = RATE, Fraction(1, RATE), 0
            made = [*track.encode(piece), *track.encode(None)]
            for number, packet in enumerate(made):
                if number >= cut * len(made):
                    broken = av.Packet(bytes([255] * packet.size))
                    broken.stream, broken.pts, broken.dts = packet.stream, packet.pts, packet.dts
                    broken.time_base = packet.time_base
                    packet = broken
                out.mux(packet)
    return open_film(path)


def test_a_film_is_heard_under_its_pictures(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", tune(8))
    shares: list[float] = []
    found = listen(film, shares.append)
    assert found is not None
    assert len(found.loudness) == 8
    assert found.music.min() > 0.9
    assert shares[-1] == 1.0


@pytest.mark.parametrize("lost", [0, 6])
@pytest.mark.filterwarnings("ignore:the sound of")
def test_a_film_is_heard_while_it_is_watched_as_far_as_its_pictures_go(
    lost: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "film.mp4", tune(14), cut=0.6)
    monkeypatch.setattr(watching, "frames", lambda *_: list(frames(film))[: film.frames - lost])
    shares: list[float] = []
    with noted() as notes:
        seen = watch(film, shares.append, needs=Needs(faces=True, sound=True))
    assert seen.sound is not None
    alone = listen(seen.film)
    assert alone is not None
    for name, values in vars(alone).items():
        assert np.array_equal(getattr(seen.sound, name), values)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert ["damaged; where" in note for note in notes] == [False] * bool(lost) + [True]


def test_an_interrupt_ends_watching_and_listening(tmp_path: Path) -> None:
    def interrupt(share: float) -> None:
        if share > 0.3:
            raise KeyboardInterrupt

    film, threads = write_film(tmp_path / "film.mp4", tune(14)), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        watch(film, interrupt, needs=Needs(faces=True, sound=True))
    assert threading.active_count() == threads


def test_a_film_without_sound_is_not_heard(tmp_path: Path) -> None:
    assert listen(write_film(tmp_path / "film.mp4", None)) is None


@pytest.mark.filterwarnings("ignore:the sound of")
def test_damaged_sound_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    found = listen(write_film(tmp_path / "film.mp4", tune(10), cut=0.5))
    assert found is not None
    assert found.music[:4].min() > 0.9
    assert (found.loudness[7:] == SILENT).all()


@pytest.mark.filterwarnings("ignore:the sound of")
def test_sound_in_which_nothing_decodes_is_told_of_and_left(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", tune(6), "mp2", cut=0.0)
    with pytest.warns(EmsyncWarning, match="damaged"):
        assert listen(film) is None


def test_sound_that_becomes_too_much_is_heard_up_to_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "film.mp4", tune(8))
    monkeypatch.setattr("emsync.sound.bounds.MOST_HOURS", 5 / 3600)
    with pytest.warns(EmsyncWarning, match="what follows is not listened to"):
        found = listen(film)
    assert found is not None
    assert found.music[:4].min() > 0.9
    assert found.loudness[-1] == SILENT


def test_a_track_that_is_not_there_is_refused(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", tune(4))
    with pytest.raises(UsageError, match="no sound track 3"):
        listen(film, track=3)


def test_missing_weights_are_told_of_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "checkpoints_folder", lambda: tmp_path)
    monkeypatch.setattr(decode, "film_sound", None)
    with pytest.raises(AssetError, match="musicnn"):
        listen(film_of(4.0))


@pytest.mark.parametrize(
    ("clip", "speech", "music"),
    [
        ("nasa_13013.mp4", (0.4, 1.0), (0.0, 0.3)),
        ("fireworks.3gp", (0.0, 0.1), (0.0, 0.3)),
        ("aichoreo_dance_1.mp4", (0.0, 0.1), (0.9, 1.0)),
        ("moviepy_chaplin_bw.mp4", (0.0, 0.1), (0.9, 1.0)),
        ("gradio_world_silent.mp4", (0.0, 0.0), (0.0, 0.0)),
    ],
)
@pytest.mark.filterwarnings("ignore:.* has 2 sound tracks")
def test_real_films_sound_like_what_they_are(
    clip: str, speech: tuple[float, float], music: tuple[float, float], shared: Path
) -> None:
    found = listen(open_film(shared / "clips" / clip))
    assert found is not None
    assert speech[0] <= found.speech.mean() <= speech[1]
    assert music[0] <= found.music.mean() <= music[1]
