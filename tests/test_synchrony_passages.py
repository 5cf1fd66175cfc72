"""The store of passages: what is in it, and that it is the same however it is made."""

from pathlib import Path

import numpy as np
import pytest

from emsync.cli import main
from emsync.data.split import is_held_out
from emsync.errors import InputError, UsageError
from emsync.music.piece import DRUMS, PIANO, Piece, Played, to_score
from emsync.synchrony.passages import (
    BAR,
    BEAT,
    HALF,
    HIT,
    Passages,
    Playing,
    accents_of,
    play_passages,
)


def song(seed: int, seconds: float = 12.0) -> Piece:
    """Return a song of a chord on each beat, 120 a minute, and a drum between."""
    pitch = 50 + seed
    beats = np.arange(0, seconds, 0.5)
    chords = [(PIANO, pitch + step, t, t + 0.4) for t in beats for step in (0, 4, 7)]
    drums = [(DRUMS, 38, t + 0.25, t + 0.3) for t in beats]
    return Piece.of(np.array(chords + drums), downbeats=np.arange(0, seconds, 2.0))


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(4):
        to_score(song(seed)).dump_midi(folder / f"{seed}.mid")
    return folder


@pytest.fixture(scope="module")
def store(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    play_passages(folder, songs, 3, Playing(seconds=6.0, held=0.5), workers=1)
    return folder


def test_a_store_has_what_each_passage_is(store: Path) -> None:
    passages = Passages.open(store)
    assert len(passages) == 3 and not {0, 1, 2} - {
        *passages.places("train"),
        *passages.places("held"),
    }
    for place, row in enumerate(passages.rows):
        assert row.beat == pytest.approx(0.5, abs=0.01)
        assert row.split == ("held" if is_held_out(row.group, 0.5) else "train")
        mel, piece = passages.mel(place), passages.piece(place)
        assert mel.shape == (480, 160) and mel.dtype == np.float16
        assert piece.onsets[0] == 0 and piece.downbeats[0] == 0 and piece.duration <= 6
        assert len(passages.velocities(place)) == len(piece)
        kinds = passages.accents(place)[:, 2]
        assert [(kinds == kind).sum() for kind in (BEAT, HALF, BAR, HIT)] == [6, 3, 3, 12]


def test_what_is_heard_is_where_it_is_written(store: Path) -> None:
    passages = Passages.open(store)
    level = np.diff(passages.mel(0).astype(np.float32).mean(axis=1))
    onsets = np.unique(np.round(passages.piece(0).onsets * 80).astype(int))[1:]
    heard = [level[at - 2 : at + 4].max() for at in onsets]
    assert np.median(heard) > 4 * np.abs(level).mean()


@pytest.mark.slow
def test_the_same_bytes_whatever_the_number_of_processes(
    songs: Path, store: Path, tmp_path: Path
) -> None:
    play_passages(tmp_path, songs, 3, Playing(seconds=6.0, held=0.5), workers=2)
    for name in ("store.json", "passages.csv", "shards/00000.safetensors"):
        assert (tmp_path / name).read_bytes() == (store / name).read_bytes()


def test_it_goes_on_where_it_stopped(songs: Path, tmp_path: Path) -> None:
    command = ["pairs", "play", str(songs), "--out", str(tmp_path / "a"), "--seconds", "4"]
    assert main([*command, "--count", "1", "--workers", "1"]) == 0
    assert main([*command, "--count", "1", "--workers", "1"]) == 0
    assert len(Passages.open(tmp_path / "a")) == 1
    assert main([*command, "--held", "0.9"]) == 2  # it was made in another way
    assert main([*command[:-1], "4.5"]) == 2
    assert main(["pairs", "play", str(tmp_path), "--out", str(tmp_path / "b")]) == 3


def test_accents_are_beats_of_their_kind_and_strokes() -> None:
    rows = np.array(
        [
            (PIANO, 60, 0.0, 0.4, 127, 0),
            (DRUMS, 36, 0.5, 0.6, 127, 1),
            (DRUMS, 42, 0.52, 0.6, 64, 1),
        ]
    )
    played = Played.of(rows, np.array([0.0]), np.zeros(0))
    accents = accents_of(played, np.array([0.0, 0.5, 1.0]))
    assert accents[:, 2].tolist() == [BAR, BEAT, HIT, HALF]
    assert accents[:, 0].tolist() == [0.0, 0.5, 0.5, 1.0]
    assert accents[1, 1] == accents[2, 1] == 1.0 and accents[3, 1] == 0.0


def test_what_is_no_store_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no store of passages; `emsync pairs play` makes one"):
        Passages.open(tmp_path)
    with pytest.raises(UsageError, match="4 to 120 whole seconds"):
        Playing(seconds=3)
    broken = tmp_path / "broken"
    (broken / "shards").mkdir(parents=True)
    for name in ("store.json", "passages.csv", "shards/00000.safetensors"):
        (broken / name).write_bytes((store / name).read_bytes())
    with (broken / "shards" / "00000.safetensors").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(InputError, match="cut off or broken"):
        Passages.open(broken).mel(0)
