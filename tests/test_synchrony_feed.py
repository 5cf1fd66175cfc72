"""Batches of films and music: pure in seed and step, and what is a negative is one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emsync.arrays import Picture
from emsync.errors import UsageError
from emsync.matching.matcher import Columns
from emsync.music.piece import DRUMS, PIANO, Piece, Played
from emsync.retrieval.stores import Head, Written, write_head
from emsync.sound.mel import SILENCE
from emsync.synchrony.feed import Batch, Feed, FeedConfig
from emsync.synchrony.footage import FOOTAGE, TALL, WIDE, Clip, Shown
from emsync.synchrony.passages import PASSAGES, Passage, Passages, Playing, written_arrays
from emsync.synchrony.retimed import retimed

SECONDS = 8.0


def fill(folder: Path, songs: int, held: int) -> Path:
    """Write a store of drum beats, whose mel is loud where a drum is struck."""
    rows, arrays = [], {}
    (folder / "shards").mkdir(parents=True)
    for number in range(songs):
        beat = 0.4 + 0.03 * number
        times = np.arange(0, SECONDS - 0.1, beat)
        notes = [(DRUMS, 38, t, t + 0.05) for t in times] + [(PIANO, 40 + number, 0, SECONDS)]
        piece = Piece.of(np.array(notes), downbeats=times[::4])
        played = Played(piece, np.full(len(piece), 90, np.uint8), piece.classes.astype(np.intp))
        mel = np.full((round(80 * SECONDS), 160), SILENCE, np.float16)
        mel[(times * 80).astype(int)] = number / 10
        arrays[number] = {"mel": mel, **written_arrays(played, SECONDS)}
        split = "held" if number < held else "train"
        rows.append(Passage(number, f"{number}.mid", str(number), split, SECONDS, beat))
    write_head(folder, Playing(SECONDS).head())
    PASSAGES.write_shard(folder, 0, Written([], rows, []), arrays)
    PASSAGES.write_rows(folder, rows)
    return folder


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Passages:
    return Passages.open(fill(tmp_path_factory.mktemp("feed") / "store", 9, 3))


SMALL = FeedConfig(films=3, seconds=2.0)


def test_a_batch_depends_on_seed_and_step_alone(passages: Passages) -> None:
    feed, again, other = (Feed(passages, SMALL, seed) for seed in (0, 0, 1))
    feed.batch(7)
    batches = feed.batch(4), again.batch(4)
    for name in Batch._fields:
        assert np.array_equal(*(getattr(batch, name) for batch in batches))
    assert not np.array_equal(other.batch(4).luma, batches[0].luma)
    assert not np.array_equal(again.batch(5).luma, batches[0].luma)


def test_a_batch_has_the_shapes_of_its_rows(passages: Passages) -> None:
    batch = Feed(passages, SMALL, 0).batch(0)
    assert batch.luma.shape == (3, 20, 27, 48) and batch.luma.dtype == np.uint8
    assert batch.mel.shape == (3, 160, 160) and batch.notes.shape == (3, 80, 15)
    assert batch.extra_mel.shape == (3, 2, 160, 160)
    assert batch.extra_notes.shape == (3, 2, 80, 15)
    assert batch.extra_is.all()
    begun = Feed(passages, FeedConfig(films=3, seconds=2.04), 0).batch(0)  # a tenth begun counts
    assert begun.luma.shape[1] == 21 and begun.mel.shape[1] == 8 * 21


def test_films_of_a_batch_are_of_songs_to_learn_from_and_each_of_another(
    passages: Passages,
) -> None:
    feed = Feed(passages, SMALL, 0)
    for step in range(10):
        songs = feed.met(step).removeprefix("songs: ").split(", ")
        assert len(set(songs)) == 3 and not {"0.mid", "1.mid", "2.mid"} & set(songs)


def test_what_does_not_belong_differs_in_sound_and_in_notes(passages: Passages) -> None:
    batch = Feed(passages, SMALL, 0).batch(2)
    for film in range(3):
        for extra in range(2):
            assert not np.array_equal(batch.extra_mel[film, extra], batch.mel[film])
            assert not np.array_equal(batch.extra_notes[film, extra], batch.notes[film])
        # moved within its own song: as loud as that, and nothing else
        assert batch.extra_mel[film, 0].max() == batch.mel[film].max()


def test_each_kind_of_negative_can_be_left_out(passages: Passages) -> None:
    for shift, replacement in ((True, False), (False, True), (False, False)):
        config = FeedConfig(films=3, seconds=2.0, shift=shift, replacement=replacement)
        batch = Feed(passages, config, 0).batch(0)
        assert (batch.extra_is == (shift, replacement)).all()
        assert np.array_equal(batch.luma, Feed(passages, SMALL, 0).batch(0).luma)


def test_music_that_cannot_be_moved_is_silence(passages: Passages) -> None:
    whole = FeedConfig(films=3, seconds=SECONDS)  # no room to move in
    batch = Feed(passages, whole, 0).batch(0)
    assert (batch.extra_mel[:, 0] == np.float32(SILENCE)).all()
    assert not batch.extra_notes[:, 0].any() and batch.extra_is.all()


def test_films_to_measure_on_are_of_held_out_songs_and_always_the_same(
    passages: Passages,
) -> None:
    one, two = (Feed(passages, SMALL, seed).held_out("unseen", 2, 2) for seed in (0, 5))
    assert [len(films.luma) for films in one] == [2, 1]
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(one, two, strict=True))
    assert [films.starts for films in one] == [films.starts for films in two]
    beats = [recording.beat for films in one for recording in films.recordings]
    assert beats == pytest.approx([0.4, 0.43, 0.46])
    seen = Feed(passages, SMALL, 0).held_out("seen", 2, 1)
    assert len(seen) == 1 and not np.array_equal(seen[0].luma, one[0].luma)


def test_too_few_songs_or_too_short_passages_are_refused(passages: Passages) -> None:
    with pytest.raises(UsageError, match="has 6 songs to learn from, and a batch 7 films"):
        Feed(passages, FeedConfig(films=7, seconds=2.0), 0)
    with pytest.raises(UsageError, match="last 8 s, too short for films of 9 s"):
        Feed(passages, FeedConfig(films=2, seconds=9.0), 0)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of three films, the first white, the second black, the third grey."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "shards").mkdir()
    rows = [Shown(i, f"{i}.mp4", 50, 2.0, 1) for i in range(3)]
    write_head(folder, Head(0.0, {}, {}, {}))
    FOOTAGE.write_rows(folder, rows)
    for row, level in zip(rows, (255, 0, 128), strict=True):
        arrays: Columns = {
            "luma": np.full((50, TALL, WIDE), level, np.uint8),
            "times": np.arange(50) / 25,
            "impacts": np.array([[1.0, 1.0]]),
        }
        written = Written([row.name], [row], [])
        FOOTAGE.write_shard(folder, row.number, written, {row.number: arrays})
    return folder


def test_what_is_left_out_is_measured_on_and_never_learned_from(
    passages: Passages, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: dict[str, set[int]] = {"batch": set(), "held": set()}
    now = "batch"

    def spied(clips: Sequence[Clip], *others: Any) -> Picture:
        levels[now] |= {int(clip.luma[0, 0, 0]) for clip in clips}
        return retimed(clips, *others)

    monkeypatch.setattr("emsync.synchrony.feed.retimed", spied)
    config = FeedConfig(
        films=3, seconds=2.0, footage=str(footage), retimed=1.0, left_out="1.webm, 2"
    )
    feed = Feed(passages, config, 0)
    assert feed.batch(0).luma.shape == (3, 20, 27, 48)
    now = "held"
    assert [len(films.luma) for films in feed.held_out("footage")] == [3]
    assert levels == {"batch": {255}, "held": {0, 128}}
    assert Feed(passages, SMALL, 0).held_out("footage") == []


def test_films_that_are_not_there_cannot_be_left_out(passages: Passages, footage: Path) -> None:
    for settings, match in (
        ({"left_out": "1"}, "footage names no folder"),
        ({"left_out": "9", "footage": str(footage)}, "has no film '9' to leave out; it has 0, 1"),
    ):
        with pytest.raises(UsageError, match=match):
            Feed(passages, FeedConfig(films=3, seconds=2.0, **settings), 0)  # type: ignore[arg-type]
