"""Laws of the files of a take: one sound everywhere, as long as the film, whole or not at all."""

from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import av
import numpy as np
import pytest

from emsync.composition import Composition
from emsync.errors import EmsyncError, EmsyncWarning
from emsync.options import Options, Outputs
from emsync.pipeline import generate
from emsync.sound import audio
from emsync.sound.loudness import measured
from emsync.studio import exports
from emsync.studio.exports import (
    write_bundle_zip,
    write_film,
    write_notation,
    write_sound,
    write_stems,
    write_stems_zip,
)
from emsync.video.film import open_film

DURATION = 4.04  # seconds; in samples it is no whole number
SAMPLES = round(DURATION * 44100)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, draw_cut: Callable[..., Path]) -> Path:
    return draw_cut(tmp_path_factory.mktemp("film") / "clip.mp4", 101)


@pytest.fixture(scope="module")
def composition(film: Path, small: Path) -> Composition:
    return generate(film, Options(candidates=1, palette="rock"), checkpoint=small)


@pytest.fixture(scope="module")
def score(composition: Composition) -> bytes:
    return composition.midi()


def heard(file: Any) -> Any:
    """Return the (N, 2) samples of a sound file, as whole numbers of 16 bits."""
    with av.open(file) as sound:
        pieces = [frame.to_ndarray() for frame in sound.decode(audio=0)]
        assert sound.streams.audio[0].rate == 44100
    return np.concatenate([piece.reshape(-1, 2) for piece in pieces]).astype(int)


def test_the_sound_is_as_long_as_the_film_to_the_sample(score: bytes, tmp_path: Path) -> None:
    loudness = write_sound(score, DURATION, tmp_path / "sound.flac", -20.0)
    write_sound(score, DURATION, tmp_path / "mix.wav", -20.0)
    sound, mix = heard(tmp_path / "sound.flac"), heard(tmp_path / "mix.wav")
    assert len(sound) == SAMPLES and (sound == mix).all()
    told = measured(audio.Audio((sound / 32767).astype(np.float32), 44100))
    assert told.integrated == pytest.approx(loudness.integrated, abs=0.1)
    assert loudness.integrated <= -19.9


def test_the_players_sum_to_the_sound(score: bytes, tmp_path: Path) -> None:
    write_sound(score, DURATION, tmp_path / "sound.flac")
    stems = write_stems(score, DURATION, tmp_path / "stems")
    files = sorted((tmp_path / "stems").iterdir())
    assert [path.name for path in files] == [f"{stem.name}.flac" for stem in stems]
    alone = [heard(path) for path in files]
    assert len(alone) > 1 and {len(one) for one in alone} == {SAMPLES}
    assert all(np.abs(one).max() > 0 for one in alone)
    assert np.abs(sum(alone) - heard(tmp_path / "sound.flac")).max() <= 0.5 * (len(alone) + 1)


def test_stems_are_named_after_the_players_of_the_take(
    composition: Composition, score: bytes, tmp_path: Path
) -> None:
    stems = write_stems(score, DURATION, tmp_path / "stems")
    parts = [part.player.name for part in composition.performance().parts if len(part.onsets)]
    assert [stem.title for stem in stems] == parts
    assert {stem.instrument for stem in stems} == set(composition.piece.instruments)


def test_the_archive_of_stems_holds_the_players_and_the_mix(score: bytes, tmp_path: Path) -> None:
    stems = write_stems(score, DURATION, tmp_path / "stems")
    write_stems_zip(score, DURATION, target := tmp_path / "stems.zip")
    with ZipFile(target) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*(f"{stem.name}.wav" for stem in stems), "mix.wav"]
        alone = [heard(BytesIO(archive.read(f"{stem.name}.wav"))) for stem in stems]
        mix = heard(BytesIO(archive.read("mix.wav")))
    assert len(mix) == SAMPLES
    assert np.abs(sum(alone) - mix).max() <= 0.5 * (len(alone) + 1)
    assert (alone[0] == heard(tmp_path / "stems" / f"{stems[0].name}.flac")).all()
    assert {path.name for path in tmp_path.iterdir()} == {"stems", "stems.zip"}


def test_the_film_has_its_pictures_untouched(film: Path, score: bytes, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    write_film(
        score, open_film(film), target := tmp_path / "film.mp4",
        progress=lambda stage, share: told.append((stage, share)),
    )  # fmt: skip
    with av.open(film) as one, av.open(target) as two:
        before, after = ([bytes(p) for p in f.demux(video=0) if p.size] for f in (one, two))
        sound: Any = two.streams.audio[0]
        assert sound.duration * sound.time_base == pytest.approx(DURATION, abs=0.03)
    assert before == after
    assert {stage for stage, _ in told} == {"Playing", "Writing the film"}
    shares = [share for stage, share in told if stage == "Writing the film"]
    assert shares == sorted(shares) and 0.9 < shares[-1] <= 1


def test_a_film_that_mp4_cannot_hold_is_encoded_anew(
    score: bytes, tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    path = write_numbered(tmp_path / "film.webm", range(0, 2000, 40), "libvpx", size=(640, 360))
    film = open_film(path)
    with pytest.warns(EmsyncWarning, match="cannot hold the vp8 pictures of 'film.webm'"):
        write_film(score, film, target := tmp_path / "film.mp4")
    made = open_film(target)
    assert film.timing is not None and made.timing is not None
    assert made.timing.times == pytest.approx(film.timing.times, abs=1e-4)
    assert (made.width, made.height, made.has_audio) == (640, 360, True)


@pytest.mark.parametrize("keep", ["mix", "duck"])
def test_the_films_own_sound_is_kept_as_wished(keep: Any, score: bytes, tmp_path: Path) -> None:
    path, rate = tmp_path / "spoken.mp4", 44100
    tone = (0.3 * np.sin(np.arange(2 * rate) * 2 * np.pi * 3000 / rate)).astype(np.float32)
    with av.open(path, "w") as out:
        pictures: Any = out.add_stream("libx264", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound: Any = out.add_stream("aac", rate=rate, layout="mono")
        for _ in range(50):
            grey = np.full((48, 64, 3), 90, np.uint8)
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        out.mux(pictures.encode(None))
        for start in range(0, len(tone), 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            piece.sample_rate, piece.pts, piece.time_base = rate, start, Fraction(1, rate)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))

    def tone_in(film: Path) -> float:
        with av.open(film) as seen:
            pieces = [frame.to_ndarray().mean(axis=0) for frame in seen.decode(audio=0)]
        tones = np.concatenate(pieces)[:rate]
        return float(np.abs(np.fft.rfft(tones * np.hanning(len(tones)))[2995:3005]).max())

    write_film(score, open_film(path), plain := tmp_path / "plain.mp4")
    write_film(score, open_film(path), kept := tmp_path / "kept.mp4", Outputs(keep_audio=keep))
    assert tone_in(kept) > 20 * tone_in(plain)


def test_notation_and_bundle_are_those_of_the_command_line(
    composition: Composition, score: bytes, tmp_path: Path
) -> None:
    write_notation(composition, notes := tmp_path / "score.musicxml")
    write_bundle_zip(composition, target := tmp_path / "bundle.zip", Outputs(lufs=-18.0))
    write_sound(score, composition.analysis.duration, mix := tmp_path / "mix.wav", -18.0)
    with ZipFile(target) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        assert archive.read("score.mid") == score
        assert archive.read("score.musicxml") == notes.read_bytes()
        assert archive.read("mix.wav") == mix.read_bytes()
    alone = {"score.mid", "score.json", "score.musicxml", "markers.csv", "cuts.edl", "mix.wav"}
    assert alone | {"preview.mp4", "report.html", "report.png"} <= names
    assert any(name.startswith("stems/") for name in names)
    assert any(name.startswith("parts/") for name in names)
    assert {path.name for path in tmp_path.iterdir()} == {
        "score.musicxml", "bundle.zip", "mix.wav",
    }  # fmt: skip


@pytest.mark.parametrize("write", [write_stems_zip, write_stems, write_sound])
def test_what_fails_leaves_nothing(
    write: Any, score: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise EmsyncError("no ink")

    monkeypatch.setattr(exports, "write_audio", fail)
    with pytest.raises(EmsyncError, match="no ink"):
        write(score, DURATION, tmp_path / "made")
    assert not list(tmp_path.iterdir())
