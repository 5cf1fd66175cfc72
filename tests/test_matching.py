"""Laws of finding music by rhythm: clicks that fall on jumps are found, and an index is honest."""

import json
import os
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emsync.cli import main
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.locks import locked
from emsync.matching.match import (
    VERSION,
    Track,
    listen_to,
    match,
    rank,
    read_index,
    visible_impact,
    write_index,
)
from emsync.metrics.rhythm import EPSILON, cm
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.decode import read_stereo
from emsync.sound.rhythm import Rhythm, read_rhythm, rhythm_of
from emsync.video.film import open_film

JUMPS = [0.6, 1.0, 1.6, 2.2, 2.4, 3.2]  # seconds: uneven, so that one offset is right


def clicks(path: Path, times: Sequence[float], seconds: float, rate: int = SAMPLE_RATE,
           channels: int = 1) -> Path:  # fmt: skip
    """Write a recording of clicks."""
    sound = np.random.default_rng(0).normal(0, 1e-4, round(seconds * rate))
    for at in times:
        tail = np.arange(round(0.05 * rate)) / rate
        click = 0.5 * np.sin(2 * np.pi * 880 * tail) * np.exp(-tail / 0.01)
        place = round(at * rate)
        sound[place : place + len(click)] += click[: len(sound) - place]
    samples = np.repeat((sound * 32767).astype("<i2")[:, None], channels, axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def jumps(times: Sequence[float], seconds: float) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of a film in which a block jumps at each of ``times``."""
    ground = np.random.default_rng(1).integers(40, 90, (15, 26, 1), np.uint8)
    ground = np.repeat(ground.repeat(8, 0)[:120].repeat(8, 1)[:, :200], 3, axis=2)
    left = goal = 20.0
    for i in range(round(seconds * 25)):
        if any(abs(i / 25 - at) < 0.5 / 25 for at in times):
            goal = 80.0 - goal  # 60 or 20: no faster than optical flow can follow
        left += (goal - left) * 0.25
        picture = ground.copy()
        picture[40:80, round(left) : round(left) + 40] = 230
        yield picture


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, write_film: Callable[..., Path]) -> Path:
    return write_film(tmp_path_factory.mktemp("film") / "jumps.mp4", jumps(JUMPS, 4.0))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three recordings of different rates and channels: the right one, in a folder, and others."""
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    clicks(folder / "album" / "right.wav", [at + 2.5 for at in JUMPS], 8.0, 44100, 2)
    clicks(folder / "even.wav", np.arange(0.3, 8.0, 0.45).tolist(), 8.0)
    clicks(folder / "short.wav", [0.1, 0.8], 1.0, 16000)
    (folder / "cover.jpg").write_bytes(b"not music, and not looked at")
    return folder


@pytest.mark.slow
def test_music_that_moves_with_the_film_is_found_with_its_offset(
    film: Path, library: Path, tmp_path: Path
) -> None:
    report = match(film, library, index=tmp_path / "index.npz")
    assert report.matches[0].path == library / "album" / "right.wav"
    assert report.matches[0].offset == pytest.approx(2.5, abs=0.1)
    assert (report.tracks, report.heard, report.skipped) == (3, 3, ())
    assert {m.offset for m in report.matches if "short" in m.path.name} == {0.0}
    by_beats = match(film, library, metric="dm", top=2, index=tmp_path / "index.npz")
    assert len(by_beats.matches) == 2 and by_beats.heard == 0


def test_rank_is_each_metric_on_each_track_alone() -> None:
    rng = np.random.default_rng(0)
    pictures = Rhythm(rng.uniform(0, 1, 50), np.array([3, 17, 40], np.int32))
    tracks = [
        Track(f"{n}", 0, 0, Rhythm(rng.uniform(0, 1, n), np.arange(5, n, 11, dtype=np.int32)))
        for n in (20, 50, 80, 200)
    ]
    tracks.append(Track("silent", 0, 0, Rhythm(np.zeros(90), np.zeros(0, np.int32))))
    for found in rank(pictures, tracks, "cm"):
        rhythm = next(t.rhythm for t in tracks if t.name == found.path.as_posix())
        best = cm(rhythm.signal, pictures.signal)
        assert (found.score, found.offset) == pytest.approx((best.score, best.delay), abs=1e-3)
    for found in rank(pictures, tracks, "dm"):
        rhythm = next(t.rhythm for t in tracks if t.name == found.path.as_posix())
        delays = np.arange(max(0, len(rhythm.signal) - 50) + 1) / STEP_RATE
        if len(rhythm.beats):
            beats = (pictures.beats / STEP_RATE)[:, None, None] + delays[:, None]
            away = np.abs(rhythm.beats / STEP_RATE - beats).min(axis=2).sum(axis=0)
            assert found.score == pytest.approx(1 / (away.min() + EPSILON), rel=1e-4)
    assert rank(pictures, tracks, "dm")[-1].path.name == "silent"
    assert rank(pictures, tracks, "dm")[-1].score == 0.0


@pytest.mark.slow
def test_a_click_is_an_onset_at_its_time_and_silence_has_none(tmp_path: Path) -> None:
    heard = read_rhythm(clicks(tmp_path / "clicks.wav", [1.0, 2.0], 3.0, 48000, 2))
    strong = np.flatnonzero(heard.signal > 0.5)
    assert len(heard.signal) == pytest.approx(3 * STEP_RATE, abs=1)
    assert np.abs(strong / STEP_RATE - np.round(strong / STEP_RATE)).max() < 0.1
    assert heard.signal.max() == 1.0
    silent = rhythm_of(np.zeros(SAMPLE_RATE, np.float32))
    assert silent.signal.max() == 0.0 and len(silent.beats) == 0


def test_long_music_in_blocks_is_librosas_onset_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    import librosa

    from emsync.sound import rhythm as module

    samples = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE * 3).astype(np.float32)
    samples[::7000] += 0.9
    monkeypatch.setattr(module, "BLOCK", 32)
    whole = librosa.onset.onset_strength(y=samples, sr=SAMPLE_RATE)
    assert module.onset_strength(samples) == pytest.approx(whole, abs=1e-3)


def test_an_index_gives_back_what_was_put_in(tmp_path: Path) -> None:
    tracks = [
        Track(
            "a/é.mp3", 3, 2**60, Rhythm(np.array([0, 1, 0.5], np.float16), np.array([1], np.int32))
        ),
        Track("b.mp3", 4, 5, Rhythm(np.array([1], np.float16), np.zeros(0, np.int32))),
    ]
    write_index(tmp_path / "index.npz", tracks)
    back, rebuilt = read_index(tmp_path / "index.npz")
    assert rebuilt == "" and list(back) == ["a/é.mp3", "b.mp3"]
    for track in tracks:
        kept = back[track.name]
        assert (kept.size, kept.changed) == (track.size, track.changed)
        assert kept.rhythm.signal.tolist() == track.rhythm.signal.tolist()
        assert kept.rhythm.beats.tolist() == track.rhythm.beats.tolist()


def test_only_what_changed_is_heard_again(library: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.npz"
    assert listen_to(library, index).heard == 3
    before = index.stat().st_mtime_ns
    assert listen_to(library, index).heard == 0
    assert index.stat().st_mtime_ns == before, "an index that holds is not written again"
    clicks(library / "even.wav", [0.5], 2.0)
    (library / "short.wav").unlink()
    changed = listen_to(library, index)
    assert changed.heard == 1
    assert list(read_index(index)[0]) == ["album/right.wav", "even.wav"]
    facts = (library / "even.wav").stat()
    os.utime(library / "even.wav", ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert listen_to(library, index).heard == 1


@pytest.mark.slow
def test_an_older_index_is_made_anew_and_said_so(
    film: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index.npz"
    np.savez(index, emsync_rhythm=np.array(VERSION - 1))
    assert main(["match", str(film), str(library), "--index", str(index), "--json"]) == 0
    out, err = capsys.readouterr()
    assert f"is of version {VERSION - 1}" in json.loads(out)["rebuilt"]
    assert "the index is made anew" in err
    assert len(read_index(index)[0]) == 3


@pytest.mark.parametrize(
    "damage",
    [
        {"lengths": np.array([-1, 2])},
        {"lengths": np.array([10**12, 0])},
        {"counts": np.array([1])},
        {"beats": np.array([5], np.int32)},
        {"signals": np.array([0.5, 7], np.float16)},
        {"signals": np.array([0.5, np.nan], np.float16)},
        {"names": np.array([1, 2])},
        {"sizes": np.array([1])},
        {"emsync_rhythm": np.zeros(0)},
    ],
)
def test_an_index_whose_parts_contradict_each_other_is_refused(
    damage: dict[str, NDArray[Any]], tmp_path: Path
) -> None:
    one = Rhythm(np.array([1], np.float16), np.array([0], np.int32))
    write_index(tmp_path / "index.npz", [Track("a", 1, 1, one), Track("b", 1, 1, one)])
    assert set(read_index(tmp_path / "index.npz")[0]) == {"a", "b"}
    with np.load(tmp_path / "index.npz") as data:
        np.savez(tmp_path / "index.npz", **{**data, **damage})
    with pytest.raises(InputError, match="not an index of music"):
        read_index(tmp_path / "index.npz")


def test_an_index_that_is_none_is_refused_before_the_film_is_watched(
    film: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(*_: object) -> None:
        raise AssertionError("the film was watched")

    monkeypatch.setattr("emsync.matching.match.visible_impact", watched)
    os.mkfifo(tmp_path / "fifo.npz")
    with pytest.raises(InputError, match="no ordinary file"):
        match(film, library, index=tmp_path / "fifo.npz")
    (tmp_path / "thesis.npz").write_bytes(b"mine")
    with pytest.raises(InputError, match="not an index of music"):
        match(film, library, index=tmp_path / "thesis.npz")


def test_a_second_process_cannot_write_the_same_index(library: Path, tmp_path: Path) -> None:
    with (
        locked(tmp_path / "index.npz", "writing"),
        pytest.raises(EmsyncError, match="another process is writing"),
    ):
        listen_to(library, tmp_path / "index.npz")
    assert listen_to(library, tmp_path / "index.npz").heard == 3


@pytest.mark.parametrize("content", [b"", b"my thesis", b"PK\x03\x04 cut off"])
def test_what_is_no_index_is_never_overwritten(
    library: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "thesis.npz").write_bytes(content)
    with pytest.raises(InputError, match="not an index of music"):
        listen_to(library, tmp_path / "thesis.npz")
    assert (tmp_path / "thesis.npz").read_bytes() == content
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(InputError, match="not an index of music"):
        listen_to(library, tmp_path / "other.npz")
    np.savez(tmp_path / "newer.npz", emsync_rhythm=np.array(VERSION + 1))
    with pytest.raises(InputError, match="take a newer emsync"):
        listen_to(library, tmp_path / "newer.npz")


def test_an_index_that_fails_half_way_leaves_the_old_one(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index.npz"
    listen_to(library, index)
    before = index.read_bytes()
    (library / "short.wav").unlink()

    def full(file: IO[bytes], **_: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(Exception, match="No space left"):
        listen_to(library, index)
    assert index.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.npz", "music"]


def test_unreadable_files_are_listed_and_skipped_with_exit_code_5(
    film: Path, library: Path, capsys: pytest.CaptureFixture[str], write_film: Callable[..., Path]
) -> None:
    (library / "broken.mp3").write_bytes(b"this is no sound")
    (library / "empty.ogg").write_bytes(b"")
    write_film(library / "mute.m4a.mp4", jumps([0.2], 0.4)).rename(library / "mute.m4a")
    code = main(["match", str(film), str(library), "--json"])
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert code == 5
    skipped = [Path(row["path"]).name for row in report["skipped"]]
    assert skipped == ["broken.mp3", "empty.ogg", "mute.m4a"]
    assert "broken.mp3" in err
    assert len(report["matches"]) == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the track reaches .* LUFS")  # clicks are hardly as loud
def test_the_winner_is_muxed_from_its_offset_and_silent_after_its_end(
    film: Path, library: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    report = match(film, library, out=out)
    told = report.to_json()["loudness"]
    assert told["lufs"] < -15 and told["true_peak"] <= -1
    sound = read_stereo(out, 0.0, 9.0)
    assert sound.duration == pytest.approx(4.0, abs=0.1)
    loud = np.abs(sound.samples).max(axis=1)
    hits = np.flatnonzero(loud > 0.3) / sound.rate
    shift = report.matches[0].offset - 2.5
    assert np.abs(hits[:, None] + shift - np.array(JUMPS)).min(axis=1).max() < 0.05
    for name in ("album/right.wav", "even.wav"):
        (library / name).unlink()
    match(film, library, out=out)
    samples = read_stereo(out, 0.0, 9.0).samples
    assert len(samples) / 44100 == pytest.approx(4.0, abs=0.1)
    assert np.abs(samples[:44100]).max() > 0.3
    assert np.abs(samples[int(1.2 * 44100) :]).max() < 1e-3


def test_the_visible_impact_of_a_film_is_where_it_jumps(film: Path) -> None:
    duration, signal = visible_impact(open_film(film))
    assert duration == pytest.approx(4.0)
    strong = np.flatnonzero(signal > 0.5 * signal.max()) / STEP_RATE
    assert np.abs(strong[:, None] - np.array(JUMPS)).min(axis=1).max() < 0.15


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"metric": "loudness"}, UsageError, "choose one of cm, dm"),
        ({"top": 0}, UsageError, "choose 1 or more"),
        ({"library": Path("nowhere")}, InputError, "no folder 'nowhere'"),
        ({"index": Path("nowhere/index.npz")}, UsageError, "no folder 'nowhere'"),
        ({"out": Path("out.avi")}, UsageError, "end its name with"),
        ({"video": Path("none.mp4")}, InputError, "no file 'none.mp4'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(
    film: Path, library: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        match(**{"video": film, "library": library, **change})


def test_a_library_without_music_and_a_film_without_motion_are_refused(
    film: Path, library: Path, tmp_path: Path, write_film: Callable[..., Path]
) -> None:
    (tmp_path / "void").mkdir()
    with pytest.raises(InputError, match="holds no music"):
        match(film, tmp_path / "void")
    (tmp_path / "void" / "broken.mp3").write_bytes(b"noise")
    with pytest.raises(InputError, match=r"can be heard: .*broken\.mp3"):
        match(film, tmp_path / "void")
    still = write_film(tmp_path / "still.mp4", jumps([], 1.0))
    with pytest.raises(InputError, match="nothing moves"):
        match(still, library)


@pytest.mark.slow
def test_real_music_is_found_by_a_film_that_jumps_on_its_beats(
    shared: Path, tmp_path: Path, write_film: Callable[..., Path]
) -> None:
    heard = read_rhythm(shared / "music" / "librosa_choice_drumbass.ogg")
    start = 4.0
    steps = heard.beats / STEP_RATE - start
    film = write_film(tmp_path / "beats.mp4", jumps((np.round(steps * 25) / 25).tolist(), 12.0))
    report = match(film, shared / "music", metric="dm")
    assert report.matches[0].path.name == "librosa_choice_drumbass.ogg"
    assert report.skipped == ()


# --- rhythm in generation -------------------------------------------------------------------------


def test_a_candidate_that_sounds_with_the_impacts_is_better_than_one_beside_them() -> None:
    from emsync.analysis import Analysis
    from emsync.fit.ending import Ending
    from emsync.fit.hits import fit
    from emsync.music.piece import PIANO, Piece
    from emsync.ranking import RHYTHM, WEIGHTS, judge
    from emsync.signals import bells

    video = Analysis(duration=8.0, fps="25")
    pictures = bells(np.arange(0.5, 8.0, 1.0), np.ones(8), round(8 * STEP_RATE))
    judged, none = [], np.zeros(0, np.int64)
    for start in (0.5, 0.8):
        notes = [(PIANO, 60, t, t + 0.2) for t in np.arange(start, 8.0, 1.0)]
        piece = Piece.of(np.array(notes), downbeats=np.arange(0.0, 8.0, 2.0))
        judged.append(
            judge(fit(piece, (), 8.0, "off"), Ending("cut", None, 8.0), video, 0, none, pictures)
        )
    on, off = judged
    assert on.parts["rhythm"] > off.parts["rhythm"] + 0.3
    weights = {**WEIGHTS, **RHYTHM}
    total = sum(weights[name] * value for name, value in on.parts.items())
    assert on.score == pytest.approx(total / 1.25, abs=1e-3), "a fifth is the rhythm's"


@pytest.mark.slow
def test_rhythm_is_a_part_of_the_score_where_it_is_asked_for(
    film: Path, small: Path, tmp_path: Path
) -> None:
    from emsync.options import Options
    from emsync.pipeline import generate

    for rhythm in (True, False):
        options = Options(candidates=2, rhythm=rhythm, cuts="none")
        composition = generate(film, options, checkpoint=small)
        assert [("rhythm" in c.parts) for c in composition.candidates] == [rhythm] * 2
        assert all(0 <= share <= 1 for c in composition.candidates for share in c.parts.values())
    with pytest.raises(UsageError, match="leave out rhythm or the analysis"):
        Options(rhythm=True, analysis=tmp_path / "analysis.json")
