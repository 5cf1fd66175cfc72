"""The store of pairs: what is drawn, that no music leaks into it, and that it goes on."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from emsync.cli import main
from emsync.errors import EmsyncWarning, InputError, UsageError
from emsync.music.piece import DRUMS, GUITAR, PIANO, Piece, Played, to_score
from emsync.progress import Stopwatch
from emsync.retrieval.drawn.course import STEP, Course, course_of
from emsync.retrieval.drawn.draw import Drawing, draw, one, strengths_in_words
from emsync.retrieval.drawn.drawing import HEIGHT, STYLES, WIDTH, drawn
from emsync.retrieval.drawn.following import CHANNELS, FASTEST, RATE, read_follow, written
from emsync.retrieval.drawn.keeping import keep_film
from emsync.retrieval.drawn.playing import RATE as SOUND_RATE
from emsync.retrieval.drawn.playing import passage, play
from emsync.retrieval.drawn.words import words_of
from emsync.retrieval.filling import Filled, Made, Task, fill
from emsync.retrieval.measured import ALL, PLAIN, Measured, read_columns
from emsync.retrieval.pairs import PAIRS, Pair, PairStore, sides
from emsync.retrieval.prepare import prepare
from emsync.retrieval.stores import Head
from emsync.video.watch import watch_drawn

CHEAP = Measured((), ("onsets",))
HEAD = Head(4.0, {"flow": "flow 1"}, {"beats": "beats 1"}, {"by": "test"})


def song(seed: int, seconds: float = 30.0) -> Piece:
    """Return a song that grows busier and quiet again, with a chord in each bar."""
    rng = np.random.default_rng(seed)
    busy = 0.5 + 0.5 * np.sin(np.arange(0, seconds, 0.25) / (2 + seed % 3))
    notes = [
        (kind, pitch + int(rng.integers(5)), 0.25 * i, 0.25 * i + 0.2)
        for i, share in enumerate(busy)
        for kind, pitch in ((DRUMS, 36), (GUITAR, 50), (PIANO, 60), (PIANO, 67))
        if rng.random() < share
    ]
    return Piece.of(np.array(notes), downbeats=np.arange(0, seconds, 2.0))


def played(piece: Piece) -> Played:
    return Played(piece, np.full(len(piece), 90, np.uint8), piece.classes.astype(np.intp))


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(5):
        to_score(song(seed, 8.0)).dump_midi(folder / f"{seed}.mid")
    return folder


def course(seed: int, halves: int = 56) -> Course:
    return course_of(played(song(seed)), halves * STEP)


# --- what follows ---------------------------------------------------------------------------------


def test_strengths_are_read_and_written_alike() -> None:
    assert read_follow("0.7") == dict.fromkeys(CHANNELS, 0.7)
    assert read_follow("motion=.7, cuts=1") == {
        **dict.fromkeys(CHANNELS, 0.0),
        "motion": 0.7,
        "cuts": 1,
    }
    for text in ("0", "0.7", "1", "motion=0.5", "cuts=0.2,words=1"):
        assert strengths_in_words(read_follow(text)) == text


@pytest.mark.parametrize(
    "text", ["1.5", "-0.1", "much", "nan", "smell=1", "motion=2", "motion", ""]
)
def test_other_strengths_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_follow(text)


@pytest.mark.parametrize("seed", range(3))
def test_a_film_that_follows_nothing_is_the_same_to_any_music(seed: int) -> None:
    scripts = [
        written(course(music), read_follow("0"), np.random.default_rng(seed)) for music in (1, 2)
    ]
    for name, value in vars(scripts[0]).items():
        np.testing.assert_array_equal(value, getattr(scripts[1], name), name)


def test_a_film_that_follows_wholly_has_the_energy_and_the_cuts_of_its_music() -> None:
    music = course(1)
    scripts = [written(music, read_follow("1"), np.random.default_rng(seed)) for seed in (1, 2)]
    np.testing.assert_array_equal(scripts[0].speed, scripts[1].speed)
    steps = scripts[0].speed
    at = (np.arange(len(steps)) / RATE / STEP).astype(int)
    mean = np.bincount(at, steps) / np.bincount(at)
    assert np.corrcoef(mean, music.energy)[0, 1] > 0.9
    assert steps.min() >= 0 and steps.max() <= FASTEST
    cuts = np.flatnonzero(np.diff(scripts[0].shots)) / RATE
    assert all(np.abs(music.downbeats - cut).min() < 4 / RATE for cut in cuts)


def test_a_channel_alone_changes_nothing_else() -> None:
    none, only = (
        written(course(1), read_follow(text), np.random.default_rng(5))
        for text in ("0", "motion=1")
    )
    assert not np.array_equal(none.speed, only.speed)
    for name in ("bright", "swell", "shots", "warm", "vivid", "figure", "texture"):
        np.testing.assert_array_equal(getattr(none, name), getattr(only, name), name)


def test_a_course_is_of_ranks_and_of_beats() -> None:
    music = course(0)
    for values in (music.energy, music.density):
        assert values.shape == (56,) and values.min() >= 0 and values.max() <= 1
    np.testing.assert_allclose(music.beats[:5], [0, 0.5, 1, 1.5, 2])
    silent = course_of(played(Piece.of(np.zeros((0, 4)))), 28.0)
    assert not silent.energy.any() and not len(silent.beats) and 0 <= silent.major <= 1


# --- what is drawn and played ---------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_films_are_drawn_alike_again_and_move_as_fast_as_they_should(style: str) -> None:
    def film(speed: float) -> list[NDArray[np.uint8]]:
        script = written(course(1, 8), read_follow("0"), np.random.default_rng(3))
        script = replace(
            script, speed=np.full(50, speed), swell=np.ones(50), shots=np.zeros(50, np.int64),
            bright=np.ones(50), vivid=0.8,
        )  # fmt: skip
        return list(drawn(script, style, np.random.default_rng(7)))

    pictures = film(0.3)
    assert len(pictures) == 50 and pictures[0].shape == (HEIGHT, WIDTH, 3)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, film(0.3), strict=True))
    slow, fast = (watch_drawn(film(speed), RATE).motion.mean() for speed in (0.1, 0.3))
    assert 0.15 < fast < 0.4 and slow < 0.6 * fast


def test_tags_tell_what_is_drawn_but_for_a_few() -> None:
    script = written(course(1), read_follow("1"), np.random.default_rng(3))
    said = [words_of(script, "plates", np.random.default_rng(seed)) for seed in range(300)]
    for kind in zip(*said, strict=True):
        most = max(map(kind.count, kind))
        assert 0.85 < most / len(kind) < 0.97
    assert STYLES["plates"].figures[script.figure] in {words[0] for words in said}


def test_a_passage_begins_on_a_downbeat_and_a_short_song_has_none() -> None:
    whole = played(song(2))
    part = passage(whole, 10.0, np.random.default_rng(0))
    assert part is not None and part.piece.downbeats[0] == 0 and part.piece.duration <= 10
    assert len(part.velocities) == len(part.tracks) == len(part.piece)
    assert passage(whole, 40.0, np.random.default_rng(0)) is None


def test_a_passage_has_a_velocity_for_each_note_wherever_its_end_falls() -> None:
    # 0.6 + 0.4 is 1.0, and the note at 1.0 is 0.39999999999999997 from 0.6
    times = np.arange(40) * 0.1
    notes = Piece.of(
        np.stack([np.full(40, PIANO), np.arange(40) + 40, times, times + 0.05], axis=1),
        downbeats=times[::3].astype(np.float64),
    )
    song = Played(notes, np.arange(40).astype(np.uint8), np.zeros(40, np.intp))
    for seed in range(20):
        part = passage(song, 0.4, np.random.default_rng(seed))
        assert part is not None
        assert part.velocities.tolist() == (part.piece.pitches - 40).tolist()


def test_sound_is_as_long_as_asked_and_another_for_each_seed() -> None:
    part = played(song(1, 4.0))
    sounds = [play(part, 4.0, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert all(sound.shape == (4 * SOUND_RATE,) and sound.dtype == np.float32 for sound in sounds)
    assert np.array_equal(sounds[0], sounds[1])
    levels = [float(np.sqrt(np.mean(sound**2))) for sound in sounds]
    assert abs(np.log(levels[0] / levels[2])) > 0.02 and min(levels) > 0.005
    assert np.corrcoef(sounds[0], sounds[2])[0, 1] < 0.9


@pytest.mark.slow
def test_flow_follows_energy_by_the_strength() -> None:
    mean = {}
    for text in ("0", "1"):
        rows = []
        for seed in range(20):
            music = course(seed)
            script = written(music, read_follow(text), np.random.default_rng(seed))
            style = list(STYLES)[seed % 4]
            footage = watch_drawn(list(drawn(script, style, np.random.default_rng(seed))), RATE)
            at = np.minimum((footage.motion_times / STEP).astype(int), 55)
            count = np.bincount(at, minlength=56)
            flow = np.bincount(at, footage.motion, minlength=56)[count > 0] / count[count > 0]
            rows.append(np.corrcoef(flow, music.energy[count > 0])[0, 1])
        mean[text] = np.mean(rows)
    assert abs(mean["0"]) < 0.15 and mean["1"] > 0.8


# --- a store --------------------------------------------------------------------------------------


def small(**changes: Any) -> Drawing:
    given: dict[str, Any] = {"seconds": 4.0, "held": 0.5, "columns": CHEAP, **changes}
    return Drawing(**given)


@pytest.fixture(scope="module")
def drawn_store(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Filled]:
    folder = tmp_path_factory.mktemp("drawn") / "store"
    return folder, draw(folder, songs, 5, small(), keep=1, workers=1)


def test_a_drawn_store_has_its_songs_in_one_split_and_unseen_styles_held_out(
    drawn_store: tuple[Path, Filled],
) -> None:
    folder, filled = drawn_store
    store = PairStore.open(folder)
    assert filled.count == filled.made == len(store.pairs) and not filled.skipped
    assert set(filled.seconds) == {"drawing", "playing", "watching", "hearing"}
    for name in {pair.song for pair in store.pairs}:
        own = [pair for pair in store.pairs if pair.song == name]
        assert len({pair.split for pair in own}) == 1
        styles = [pair.style for pair in own]
        train = own[0].split == "train"
        assert styles == (["shapes", "plates"] if train else list(STYLES)[:4])
        assert [pair.film for pair in own] == list(range(len(own)))
    assert {pair.split for pair in store.pairs} == {"train", "held"}
    assert all(pair.k == "0.7" and len(pair.tags) == 7 for pair in store.pairs)
    for place in range(len(store.pairs)):
        assert store.film(place)["flow"].shape == (16,)
        assert store.music(place)["onsets"].shape == (4, 3)
    assert not np.array_equal(store.music(0)["onsets"], store.music(1)["onsets"])
    assert [path.name for path in (folder / "films").iterdir()] == ["00000.mp4"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_store_that_was_cut_off_goes_on_to_the_same_bytes(
    workers: int, drawn_store: tuple[Path, Filled], songs: Path, tmp_path: Path
) -> None:
    whole, cut = drawn_store[0], tmp_path / "store"
    shutil.copytree(whole, cut)
    (cut / "shards" / "00000.safetensors").unlink()
    again = draw(cut, songs, 5, small(), workers=workers)
    assert 0 < again.made <= PAIRS.shard
    for name in ("pairs.csv", "store.json", "shards/00000.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


def test_more_songs_leave_those_that_are_there(
    drawn_store: tuple[Path, Filled], songs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    draw(folder, songs, 2, small(), workers=1)
    few = (folder / "pairs.csv").read_text().splitlines()
    assert (drawn_store[0] / "pairs.csv").read_text().splitlines()[: len(few)] == few


def test_a_store_made_in_another_way_is_refused(
    drawn_store: tuple[Path, Filled], songs: Path
) -> None:
    with pytest.raises(UsageError, match="another way: seed was 0, not 1;"):
        draw(drawn_store[0], songs, 5, small(seed=1), workers=1)


def test_a_style_is_trained_on_or_unseen() -> None:
    with pytest.raises(UsageError, match="'lines' cannot be trained on and unseen"):
        Drawing(styles=("shapes", "lines"), unseen=("lines",))


def test_films_of_one_song_differ_and_the_same_film_is_the_same(songs: Path) -> None:
    path = songs / "1.mid"
    pair = Pair(0, "", "1.mid", "1.mid", 0, "train", "shapes", "0.7", (), "drawn")
    made = [
        one(small(), Task("", replace(pair, film=film), path), Stopwatch()) for film in (0, 0, 1)
    ]
    assert np.array_equal(made[0][1], made[1][1]) and np.array_equal(made[0][0], made[1][0])
    assert not np.array_equal(made[0][1], made[2][1])


def filled_with(folder: Path, values: Iterable[float]) -> None:
    """Write a store in this process: one pair for each value, none where that is not finite."""
    tasks = [
        Task(
            str(i), Pair(i, str(i), str(i), "", 0, "held", "", "", ("a", "b"), ""), Path(str(value))
        )
        for i, value in enumerate(values)
    ]
    fill(PAIRS, folder, HEAD, tasks, constant, workers=1)


def constant(task: Task[Pair], watch: Stopwatch) -> Made[Pair]:
    value = float(str(task.path))
    if not np.isfinite(value):
        raise InputError("it is not finite")
    film = {"flow": np.full(4, value, np.float32)}
    return Made(task.row, sides(film, {"beats": np.zeros(0, np.float32)}))


def test_kept_films_have_the_same_bytes_each_time(tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 255, (90, 400, 3), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(wide, (0, 0), 3), np.uint8)
    pictures = [np.ascontiguousarray(blurred[:, 3 * n : 3 * n + 160]) for n in range(75)]
    written = set()
    for n in range(6):
        keep_film(tmp_path / f"{n}.mp4", pictures, np.zeros(96_000, np.float32))
        written.add((tmp_path / f"{n}.mp4").read_bytes())
    assert len(written) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text")
def test_a_store_with_a_song_of_any_name_is_opened(songs: Path, tmp_path: Path) -> None:
    first = next(path for path in sorted(songs.rglob("*")) if path.is_file())
    name = 'a\n\r,"\udcff b' + first.suffix
    (tmp_path / "songs").mkdir()
    shutil.copy(first, tmp_path / "songs" / name)
    draw(tmp_path / "store", tmp_path / "songs", 1, small(), workers=1)
    assert {pair.song for pair in PairStore.open(tmp_path / "store").pairs} == {name}


def test_songs_that_cannot_be_read_are_told(songs: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "songs"
    shutil.copytree(songs, mixed)
    (mixed / "broken.npz").write_bytes(b"PK nothing")
    with pytest.warns(EmsyncWarning, match=r"left out, 1 by now; the first: .*broken\.npz"):
        draw(tmp_path / "store", mixed, 1000, small(), workers=1)


def test_what_cannot_be_made_is_left_out_and_told(tmp_path: Path) -> None:
    filled_with(tmp_path, [1.0, np.nan, 3.0])
    store = PairStore.open(tmp_path)
    assert [pair.number for pair in store.pairs] == [0, 2]
    assert store.film(1)["flow"][0] == 3 and store.pairs[0].tags == ("a", "b")
    assert store.music(1)["beats"].shape == (0,)
    kept = PAIRS.read_written(tmp_path, 0)
    assert kept is not None and kept.skipped == [("1", "it is not finite")]
    with pytest.raises(InputError, match="no pair could be made"):
        filled_with(tmp_path / "none", [np.nan])


def _spoil_version(folder: Path) -> None:
    path = folder / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))


def _spoil_table(folder: Path) -> None:
    path = folder / "pairs.csv"
    path.write_text(path.read_text().replace("held", "lost"))


def _cut_shard(folder: Path) -> None:
    path = folder / "shards" / "00000.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


SPOILT: tuple[Callable[[Path], object], ...] = (
    lambda folder: (folder / "store.json").unlink(),
    lambda folder: (folder / "store.json").write_text("[]"),
    lambda folder: (folder / "store.json").write_text('{"version": 1}'),
    lambda folder: (folder / "pairs.csv").unlink(),
    lambda folder: (folder / "pairs.csv").write_text("number,name\n0,a\n"),
    lambda folder: (folder / "shards" / "00000.safetensors").unlink(),
    lambda folder: (folder / "shards" / "00000.safetensors").write_bytes(b"\0" * 99),
    _spoil_version, _spoil_table, _cut_shard,
)  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_broken_store_is_refused_in_a_sentence(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    filled_with(tmp_path, [1.0])
    spoil(tmp_path)
    with pytest.raises(InputError):
        PairStore.open(tmp_path).film(0)


def test_a_damaged_shard_is_made_anew(tmp_path: Path) -> None:
    filled_with(tmp_path, [1.0])
    before = (tmp_path / "shards" / "00000.safetensors").read_bytes()
    (tmp_path / "shards" / "00000.safetensors").write_bytes(before[:50])
    filled_with(tmp_path, [1.0])
    assert (tmp_path / "shards" / "00000.safetensors").read_bytes() == before


def test_pairs_that_are_named_otherwise_are_made_anew(tmp_path: Path) -> None:
    """Such as songs whose versions are told of by a table that was not there before."""
    pair = Pair(0, "0", "0", "its own", 0, "train", "", "", (), "")
    for known in (pair, pair, replace(pair, group="a song's", split="held")):
        filled = fill(PAIRS, tmp_path, HEAD, [Task("0", known, Path("1.0"))], constant, workers=1)
        assert PairStore.open(tmp_path).pairs == (known,)
    assert filled.made == 1
    for now in (replace(known, tags=("seen",)), known):
        told = fill(PAIRS, tmp_path, HEAD, [Task("0", now, Path("1.0"))], constant, workers=1)
        assert told.made == (now is not known)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="other files"):
        filled_with(tmp_path, [1.0])


def test_columns_are_named_or_all_or_plain() -> None:
    assert read_columns("all") == Measured() == Measured.of(ALL)
    assert read_columns("plain") == Measured.of(PLAIN) and "lite0" not in read_columns("plain").film
    assert read_columns("onsets, motion") == Measured(("motion",), ("onsets",))
    assert "rhythm" not in Measured().learned.music
    with pytest.raises(UsageError, match="no column 'smell'"):
        read_columns("smell")
    for text in ("", "motion", "musicnn", "impact,rhythm", "impact,mel"):
        with pytest.raises(UsageError, match="name one of films and one of music"):
            read_columns(text)


# --- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--follow", "1.5"], 2, "follow by '1.5'"),
        (["--follow", "smell=1"], 2, "'smell'"),
        (["--style", "cubes"], 2, "no style 'cubes'"),
        (["--style", ""], 2, "name a style"),
        (["--style", "lines"], 2, "the style 'lines' cannot be trained on and unseen"),
        (["--held", "2"], 2, "held out is 2"),
        (["--seconds", "1"], 2, "not 1"),
        (["--columns", "smell"], 2, "no column"),
        (["--labels", "nowhere.csv"], 3, "nowhere.csv"),
        ([], 3, "no songs"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "songs"
    empty.mkdir()
    if words[:1] == ["--labels"]:
        to_score(song(0, 8.0)).dump_midi(empty / "a.mid")
    assert main(["pairs", "draw", str(tmp_path / "store"), "--songs", str(empty), *words]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_songs_that_are_too_short_are_told(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pairs", "draw", str(tmp_path / "store"), "--songs", str(songs)]) == 3
    assert "plays for 28 seconds" in capsys.readouterr().err


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, write_film: Callable[..., Path]) -> Path:
    """Two clips, of which one has no sound."""
    import av

    folder = tmp_path_factory.mktemp("editor")
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 255, (48, 64, 3)).astype(np.uint8) for _ in range(30)]
    write_film(folder / "mute.mp4", pictures)
    with av.open(folder / "loud.mp4", "w") as film:
        stream: Any = film.add_stream("libx264", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        sounding: Any = film.add_stream("aac", rate=16000, layout="mono")
        for picture in pictures:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        film.mux(stream.encode(None))
        wave = np.sin(np.arange(19200)[None] * 0.3).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        frame.sample_rate = 16000
        film.mux(sounding.encode(frame))
        film.mux(sounding.encode(None))
    return folder


def test_clips_are_prepared_with_their_own_sound(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "tags.csv"
    table.write_text("clip,tags,source\nloud.mp4,noise grey,somebody\n")
    store = tmp_path / "store"
    words = [str(store), str(clips), "--tags", f"csv:{table}", "--columns", "motion,onsets"]
    assert main(["pairs", "prepare", *words, "--workers", "1", "--json"]) == 5
    out, error = capsys.readouterr()
    report = json.loads(out)
    assert report["pairs"] == 1 and report["skipped"][0]["path"] == "mute.mp4"
    assert "no sound" in error
    read = PairStore.open(store)
    pair = read.pairs[0]
    assert (pair.name, pair.source, pair.split, pair.tags) == (
        "loud.mp4", "somebody", "held", ("noise", "grey"),
    )  # fmt: skip
    assert len(read.film(0)["motion"]) == len(read.music(0)["onsets"]) == 2  # 1.2 s begin two


def test_clips_of_one_name_are_two(clips: Path, tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        shutil.copy(clips / "loud.mp4", tmp_path / place)
    table = tmp_path / "tags.csv"
    table.write_text("clip,tags,source\nloud.mp4,loud,\none/loud.mp4,first,somebody\n")
    folders = [tmp_path / "one", tmp_path / "two"]
    prepare(tmp_path / "store", folders, f"csv:{table}", read_columns("colour,onsets"), workers=1)
    pairs = PairStore.open(tmp_path / "store").pairs
    assert [(pair.name, pair.source, pair.tags) for pair in pairs] == [
        ("loud.mp4", "somebody", ("first",)),
        ("loud.mp4", "two", ("loud",)),
    ]
    assert len({pair.song for pair in pairs}) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nowhere.mp4"], 3),
        (["."], 3),
        ([".", "--tags", "ask"], 2),
        ([".", "--tags", "csv:no"], 3),
        ([".", "--tags", "csv:a.mp4"], 3),
    ],
)
def test_bad_clips_are_answered(
    words: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--tags" in words:
        (tmp_path / "a.mp4").touch()
    assert main(["pairs", "prepare", "store", *words]) == code
    assert not (tmp_path / "store").exists()
