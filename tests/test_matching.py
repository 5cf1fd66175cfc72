"""Laws of finding music by rhythm: clicks that fall on jumps are found, and an index is honest."""

import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emsync.arrays import Float32s
from emsync.cli import main
from emsync.errors import EmsyncError, EmsyncWarning, InputError, UsageError
from emsync.locks import locked
from emsync.matching.former import read_former
from emsync.matching.index import VERSION, Index, Track, file_of, read_index, write_index
from emsync.matching.library import listen_to
from emsync.matching.match import match
from emsync.matching.matcher import Columns, Match, Matcher, Shelf, choose
from emsync.matching.rhythm import STAMP, Cm, Dm
from emsync.metrics.rhythm import EPSILON, cm
from emsync.signals import SAMPLE_RATE, STEP_RATE
from emsync.sound.decode import read_stereo
from emsync.sound.rhythm import read_rhythm, rhythm_in, rhythm_of
from emsync.tensors import Rows, map_tensors, read_tensors, write_tensors
from emsync.testing import check_matcher
from emsync.video.film import open_film
from emsync.video.watch import watch

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
    report = match(film, library, index=tmp_path / "index")
    assert report.matches[0].path == library / "album" / "right.wav"
    assert report.matches[0].offset == pytest.approx(2.5, abs=0.1)
    assert (report.tracks, report.heard, report.skipped) == (3, 3, ())
    assert {m.offset for m in report.matches if "short" in m.path.name} == {0.0}
    by_beats = match(film, library, metric="dm", top=2, index=tmp_path / "index")
    assert len(by_beats.matches) == 2 and by_beats.heard == 0


def rhythm(steps: int, rng: np.random.Generator) -> Columns:
    """Return the columns of a drawn track."""
    signal = rng.uniform(0, 1, steps).astype(np.float16)
    return {"onsets": signal, "beats": np.arange(5, steps, 11, dtype=np.int32)}


SILENT: Columns = {"onsets": np.zeros(90, np.float16), "beats": np.zeros(0, np.int32)}


def test_rank_is_each_metric_on_each_track_alone() -> None:
    rng = np.random.default_rng(0)
    film: Columns = {"impact": rng.uniform(0, 1, 50), "beats": np.array([3, 17, 40], np.int32)}
    heard = {f"{n}": (n / STEP_RATE, rhythm(n, rng)) for n in (20, 50, 80, 200)}
    shelf = Shelf.of({**heard, "silent": (2.0, SILENT)})
    for found in Cm().rank(film, shelf, 5):
        best = cm(shelf.track(found.track)["onsets"], film["impact"])
        assert (found.score, found.offset) == pytest.approx((best.score, best.delay), abs=1e-3)
    for found in Dm().rank(film, shelf, 5):
        track = shelf.track(found.track)
        delays = np.arange(max(0, len(track["onsets"]) - 50) + 1) / STEP_RATE
        if len(track["beats"]):
            beats = (film["beats"] / STEP_RATE)[:, None, None] + delays[:, None]
            away = np.abs(track["beats"] / STEP_RATE - beats).min(axis=2).sum(axis=0)
            assert found.score == pytest.approx(1 / (away.min() + EPSILON), rel=1e-4)
    assert Dm().rank(film, shelf, 5)[-1] == Match(4, 0.0, 0.0)
    assert {match.offset for match in Cm().rank(film, shelf, 5) if match.track < 2} == {0.0}


@pytest.mark.parametrize("matcher", [Cm(), Dm()])
def test_the_rhythm_meets_the_interface(matcher: Matcher) -> None:
    check_matcher(matcher)


def test_a_metric_is_the_name_of_a_matcher_and_takes_what_its_colon_says() -> None:
    assert choose("cm") == Cm() and choose("dm:") == Dm()
    with pytest.raises(UsageError, match="takes no argument, but got 'loud'"):
        choose("cm:loud")


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


def tracks_of(*names: str) -> list[Track]:
    rng = np.random.default_rng(0)
    return [Track(name, 3, 2**60, 1.5, rhythm(20, rng)) for name in names]


def same(one: Columns, other: Columns) -> bool:
    return set(one) == set(other) and all(
        rows.dtype == other[name].dtype and np.array_equal(rows, other[name])
        for name, rows in one.items()
    )


def test_an_index_gives_back_what_was_put_in_and_lies_on_the_disk(tmp_path: Path) -> None:
    tracks = [
        *tracks_of("b.mp3", "a/é.mp3", "c\udcff.wav"),
        Track("d.ogg", 0, 5, 0.0, {name: rows[:0] for name, rows in SILENT.items()}),
    ]
    write_index(tmp_path / "i", STAMP, tracks)
    index = read_index(tmp_path / "i", STAMP)
    assert index.shelf.names == ["a/é.mp3", "b.mp3", "c\udcff.wav", "d.ogg"]
    for track in tracks:
        kept = index.track(index.shelf.names.index(track.name))
        assert (kept.size, kept.changed, kept.seconds) == (track.size, track.changed, track.seconds)
        assert same(kept.columns, track.columns)
    base: Any = index.shelf.columns["onsets"].values
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    Cm().verify(index.shelf)


def test_ranking_is_the_same_from_an_index_and_from_memory(tmp_path: Path) -> None:
    tracks = tracks_of("a", "b", "c")
    write_index(tmp_path / "i", STAMP, tracks)
    film = {"impact": np.random.default_rng(1).uniform(0, 1, 12), "beats": np.array([2, 9])}
    for matcher in (Cm(), Dm()):
        kept = matcher.rank(film, read_index(tmp_path / "i", STAMP).shelf, 3)
        assert kept == matcher.rank(film, Index.of(tracks).shelf, 3)


def test_only_what_changed_is_heard_again(library: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    file = file_of(index, STAMP)
    assert listen_to(Cm(), library, index).heard == 3
    before, first = file.stat().st_mtime_ns, read_index(file, STAMP).shelf
    assert listen_to(Dm(), library, index).heard == 0
    assert file.stat().st_mtime_ns == before, "an index that holds is not written again"
    clicks(library / "even.wav", [0.5], 2.0)
    (library / "short.wav").unlink()
    changed = listen_to(Cm(), library, index)
    assert changed.heard == 1
    assert read_index(file, STAMP).shelf.names == ["album/right.wav", "even.wav"]
    assert same(changed.shelf.track(0), first.track(0)) and changed.shelf.seconds[1] == 2.0
    facts = (library / "even.wav").stat()
    os.utime(library / "even.wav", ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert listen_to(Cm(), library, index).heard == 1
    assert [path.name for path in index.iterdir()] == [file_of(index, STAMP).name]


@dataclass(frozen=True)
class Level(Cm):
    """A matcher that hears in another way: how loud a track is."""

    @property
    def stamp(self) -> str:
        return "level/1"

    def hear(self, samples: Float32s) -> Columns:
        return {"level": np.array([np.abs(samples).max()], np.float32)}

    verify = Matcher.verify


def test_what_is_heard_in_another_way_is_another_file_of_the_index(
    library: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    for matcher in (Cm(), Level()):
        assert listen_to(matcher, library, index).heard == 3
        assert listen_to(matcher, library, index).heard == 0
    assert {p.name for p in index.iterdir()} == {file_of(index, STAMP).name, "level-1.safetensors"}
    write_index(file_of(index, "level/1"), "level/1", tracks_of("even.wav"))
    with pytest.raises(InputError, match="not an index of music"):  # columns of another kind
        listen_to(Level(), library, index)
    file_of(index, STAMP).replace(file_of(index, "level/1"))
    with pytest.raises(InputError, match="not an index of music"):
        listen_to(Level(), library, index)


def former(path: Path, tracks: Sequence[Track], **damage: NDArray[Any]) -> None:
    """Write an index of the first version."""
    onsets, beats = ([track.columns[name] for track in tracks] for name in ("onsets", "beats"))
    arrays = {
        "emsync_rhythm": np.array(1),
        "names": np.array([track.name for track in tracks]),
        "sizes": np.array([track.size for track in tracks]),
        "changed": np.array([track.changed for track in tracks]),
        "lengths": np.array([len(signal) for signal in onsets]),
        "signals": np.concatenate(onsets),
        "counts": np.array([len(steps) for steps in beats]),
        "beats": np.concatenate(beats),
    }
    np.savez(path, **{**arrays, **damage})  # type: ignore[arg-type]


def now(track: Track) -> Columns:
    """Return what is made of a track of the first version, which has onsets, not their accents."""
    heard = rhythm_in(track.columns["onsets"])
    return {"onsets": heard.signal, "beats": heard.beats}


def test_an_index_of_the_first_version_is_read_once_and_becomes_a_folder(
    library: Path, tmp_path: Path
) -> None:
    old, rng = tmp_path / "index.npz", np.random.default_rng(0)
    names = ("album/right.wav", "even.wav", "gone.wav")
    facts = [(library / name).stat() for name in names[:2]] + [tmp_path.stat()]
    kept = [
        Track(name, fact.st_size, fact.st_mtime_ns, 1.0, rhythm(30, rng))
        for name, fact in zip(names, facts, strict=True)
    ]
    former(old, kept)
    before = old.read_bytes()
    with pytest.warns(EmsyncWarning, match=r"is kept in the folder '.*index' now"):
        found = listen_to(Cm(), library, old)
    assert found.heard == 1 and same(found.shelf.track(0), now(kept[0]))
    assert listen_to(Cm(), library, old).heard == 0
    assert listen_to(Cm(), library, tmp_path / "index").heard == 0
    assert old.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        {"lengths": np.array([-1, 2])},
        {"lengths": np.array([10**12, 0])},
        {"signals": np.full(40, 7, np.float16)},
        {"signals": np.full(40, np.nan, np.float16)},
        {"names": np.array([1, 2])},
        {"sizes": np.array([1])},
        {"emsync_rhythm": np.array(2)},
        {"emsync_rhythm": np.zeros(0)},
    ],
)
def test_a_former_index_whose_parts_contradict_each_other_is_refused(
    damage: dict[str, NDArray[Any]], library: Path, tmp_path: Path
) -> None:
    tracks = tracks_of("a", "b")
    former(tmp_path / "index.npz", tracks)
    assert same(read_former(tmp_path / "index.npz").track(1).columns, now(tracks[1]))
    former(tmp_path / "index.npz", tracks, **damage)
    with pytest.raises(InputError, match="not an index of music"):
        listen_to(Cm(), library, tmp_path / "index.npz")


def altered(path: Path, change: dict[str, Any]) -> None:
    """Write tensors of a file anew, some of them others, or without them where they are None."""
    tensors, said = read_tensors(path, "it", InputError)
    arrays = {name: rows.copy() for name, rows in map_tensors(path, tensors).items()}
    said |= {key: change.pop(key) for key in ("emsync_index", "stamp") if key in change}
    arrays = {name: rows for name, rows in {**arrays, **change}.items() if rows is not None}
    with path.open("wb") as file:
        write_tensors(file, {name: Rows.of(rows) for name, rows in arrays.items()}, said)


@pytest.mark.parametrize(
    "change",
    [
        {"stamp": "rhythm 1"},
        {"emsync_index": "1"},
        {"emsync_index": "two"},
        {"names": np.frombuffer(b"b\0a", np.uint8)},
        {"names": np.frombuffer(b"a\0a", np.uint8)},
        {"names": np.frombuffer(b"a", np.uint8)},
        {"names": None},
        {"sizes": np.array([1, 2], np.int32)},
        {"sizes": np.array([[1, 2]])},
        {"changed": np.array([1])},
        {"seconds": np.array([1, np.nan])},
        {"seconds": np.array([1.0, -1.0])},
        {"onsets": None},
        {"onsets.starts": None},
        {"onsets.starts": np.array([0, 20, 41])},
        {"onsets.starts": np.array([1, 20, 40])},
        {"onsets.starts": np.array([0, 2**62, 40])},
        {"onsets.starts": np.array([0, -20, 40])},
        {"onsets.starts": np.array([0, 40])},
        {"onsets": np.ones(40, np.float32)},
        {"onsets": np.ones((40, 2), np.float16)},
        {"onsets": np.full(40, np.nan, np.float16)},
        {"beats": np.array([5, 16, 5, 20], np.int32)},
        {"beats": np.array([5, 5, 5, 16], np.int32)},
    ],
)
def test_an_index_whose_parts_contradict_each_other_is_refused(
    change: dict[str, Any], library: Path, tmp_path: Path
) -> None:
    file = file_of(tmp_path, STAMP)
    write_index(file, STAMP, tracks_of("a", "b"))
    altered(file, change)
    before = file.read_bytes()
    with pytest.raises(InputError, match="not an index of music"):
        listen_to(Cm(), library, tmp_path)
    assert file.read_bytes() == before


def test_an_index_that_is_none_is_refused_before_the_film_is_watched(
    film: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(*_: object) -> None:
        raise AssertionError("the film was watched")

    monkeypatch.setattr("emsync.matching.match.watch", watched)
    os.mkfifo(tmp_path / "fifo.npz")
    with pytest.raises(InputError, match="no ordinary file"):
        match(film, library, index=tmp_path / "fifo.npz")
    (tmp_path / "thesis.npz").write_bytes(b"mine")
    with pytest.raises(InputError, match="not an index of music"):
        match(film, library, index=tmp_path / "thesis.npz")
    with pytest.raises(UsageError, match="is the library itself"):
        match(film, library, index=tmp_path / "music.npz")
    (tmp_path / "thesis").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is no folder"):
        match(film, library, index=tmp_path / "thesis")


def test_a_second_process_cannot_write_the_same_index(library: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    with (
        locked(tmp_path / "index", "writing"),
        pytest.raises(EmsyncError, match="another process is writing"),
    ):
        listen_to(Cm(), library, tmp_path / "index")
    assert listen_to(Cm(), library, tmp_path / "index").heard == 3


@pytest.mark.parametrize("content", [b"", b"my thesis", b"\x02" + bytes(7) + b"{}", b"PK\x03\x04"])
def test_what_is_no_index_is_never_overwritten(
    library: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "index").mkdir()
    for index in (tmp_path / "thesis.npz", tmp_path / "index"):
        file = file_of(index, STAMP) if index.is_dir() else index
        file.write_bytes(content)
        with pytest.raises(InputError, match="not an index of music"):
            listen_to(Cm(), library, index)
        assert file.read_bytes() == content
    file = file_of(tmp_path, STAMP)
    write_index(file, STAMP, tracks_of("a"))
    altered(file, {"emsync_index": str(VERSION + 1), "names": None})
    with pytest.raises(InputError, match="take a newer emsync"):
        listen_to(Cm(), library, tmp_path)


def test_an_index_is_refused_wherever_it_is_cut_off(library: Path, tmp_path: Path) -> None:
    file = file_of(tmp_path, STAMP)
    write_index(file, STAMP, tracks_of("a", "b"))
    whole = file.read_bytes()
    for size in range(0, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not an index of music"):
            read_index(file, STAMP)


def test_an_index_that_fails_half_way_leaves_the_old_one(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    listen_to(Cm(), library, index)
    before = file_of(index, STAMP).read_bytes()
    (library / "short.wav").unlink()

    def full(file: IO[bytes], *_: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("emsync.matching.index.write_tensors", full)
    with pytest.raises(Exception, match="No space left"):
        listen_to(Cm(), library, index)
    assert file_of(index, STAMP).read_bytes() == before
    assert [path.name for path in index.iterdir()] == [file_of(index, STAMP).name]


KILLED = """
import os, signal, sys
from pathlib import Path
from emsync.matching import index
from emsync.matching.library import listen_to
from emsync.matching.rhythm import Cm

def half(file, *_):
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

index.write_tensors = half
listen_to(Cm(), Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_index(
    library: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    listen_to(Cm(), library, index)
    before = file_of(index, STAMP).read_bytes()
    (library / "short.wav").unlink()
    done = subprocess.run([sys.executable, "-c", KILLED, str(library), str(index)])
    assert done.returncode == -signal.SIGKILL
    assert file_of(index, STAMP).read_bytes() == before
    assert len(list(index.iterdir())) > 1
    assert listen_to(Cm(), library, index).heard == 0
    assert [path.name for path in index.iterdir()] == [file_of(index, STAMP).name]


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
    observers = Cm().observers()
    footage = watch(open_film(film), None, observers)
    impact = Cm().see(footage, observers)["impact"]
    assert len(impact) / STEP_RATE == pytest.approx(4.0, abs=0.03)
    strong = np.flatnonzero(impact > 0.5 * impact.max()) / STEP_RATE
    assert np.abs(strong[:, None] - np.array(JUMPS)).min(axis=1).max() < 0.15


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"metric": "loudness"}, UsageError, "metric is 'loudness'; choose one of .*cm, .*dm"),
        ({"top": 0}, UsageError, "choose 1 or more"),
        ({"library": Path("nowhere")}, InputError, "no folder 'nowhere'"),
        ({"index": Path("nowhere/index")}, UsageError, "no folder 'nowhere'"),
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
