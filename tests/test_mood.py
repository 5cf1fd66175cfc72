"""The mood model: what it hears in the notes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emsync.errors import InputError
from emsync.music.mood import Features, MoodModel, features, major_third_share
from emsync.music.piece import DRUMS, PIANO, Piece

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10, 12)


def song(third: int = 4, pace: float = 0.5, root: int = 48) -> Piece:
    """A scale over its triad, of which every note lasts most of ``pace`` seconds."""
    scale = SCALE if third == 4 else MINOR_SCALE
    line = [(PIANO, root + 12 + s, i * pace, (i + 0.9) * pace) for i, s in enumerate(scale * 4)]
    end = len(line) * pace
    triad = [(PIANO, root + s, t, t + 2) for t in np.arange(0, end, 2) for s in (0, third, 7)]
    return Piece.of(np.array(line + triad), downbeats=np.arange(0, end, 4 * pace))


def test_major_and_minor_are_told_apart_in_every_key() -> None:
    for root in range(40, 52):
        major, minor = features(song(4, root=root)), features(song(3, root=root))
        assert major.major > 0 > minor.major
        assert major.thirds > 0.5 and minor.thirds < -0.5
    assert major_third_share(song(4)) > 0.9 > 0.1 > major_third_share(song(3))


def test_measures_do_not_depend_on_the_key_but_for_the_register() -> None:
    a, b = features(song(root=48)), features(song(root=50))
    assert b.register == pytest.approx(a.register + 2 / 12)
    assert replace(b, register=a.register).__dict__ == pytest.approx(a.__dict__)


def test_pace_is_measured_in_octaves() -> None:
    slow, fast = features(song(pace=1.0)), features(song(pace=0.5))
    assert fast.tempo == pytest.approx(slow.tempo + 1)
    assert slow.onsets < fast.onsets < slow.onsets + 1.1


def test_music_without_pitches_has_no_mood() -> None:
    with pytest.raises(InputError, match="no pitched notes"):
        features(Piece.of(np.array([(DRUMS, 36, 0.0, 0.1)])))
    assert np.isnan(major_third_share(Piece.of(np.array([(PIANO, 60, 0.0, 1.0)]))))


def test_a_fit_finds_what_it_was_made_of_and_survives_saving(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [features(song(rng.choice([3, 4]), rng.uniform(0.2, 1))) for _ in range(60)]
    truth = [row.major + row.density for row in rows]
    model = MoodModel.fit(rows, truth, penalty=0.1)
    assert np.corrcoef(model.predict(rows), truth)[0, 1] > 0.99
    model.save(tmp_path / "mood.json", {"songs": 60})
    again = MoodModel.load(tmp_path / "mood.json")
    assert np.allclose(again.predict(rows), model.predict(rows), atol=1e-3)


def test_the_weights_that_come_along_prefer_lively_music_in_major() -> None:
    heard = [features(song(4, 0.25)), features(song(3, 0.25)), features(song(3, 1.0))]
    bright, dark, slow = MoodModel.load().predict(heard)
    assert bright > dark > slow


def test_what_is_heard_in_the_notes_is_in_range_and_rises_with_the_mode_and_the_mood() -> None:
    model = MoodModel.load()
    rows = [features(song(third, pace)) for third in (3, 4) for pace in (0.1, 0.25, 1.0, 4.0)]
    told = [model.heard(row) for row in rows]
    assert all(-1 <= value <= 1 for value in told)
    assert all(
        minor < major or abs(minor) == 1 for minor, major in zip(told[:4], told[4:], strict=True)
    ), told
    middle = dict(zip(model.names, model.means, strict=True))
    assert model.heard(Features(**middle)) == pytest.approx(0, abs=1e-9)
