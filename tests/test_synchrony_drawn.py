"""Films drawn to accents: what moves is seen to move when it should, and nothing else tells."""

import numpy as np
import pytest

from emsync.arrays import Float64s
from emsync.synchrony.drawn import film
from emsync.synchrony.drawn.driving import (
    CLOSEST,
    LATE,
    MISSED,
    Drive,
    driven,
    of_level,
)
from emsync.synchrony.drawn.kinds import KINDS, SEEN, UNSEEN
from emsync.synchrony.drawn.stage import boxes, disc, dots, stroke
from emsync.synchrony.passages import BAR, BEAT, HALF, HIT
from emsync.synchrony.seen import HEIGHT, RATE, WIDTH, row_count

SECONDS = 8.0
ARRIVING = ("clap", "stack", "arrive", "strike")  # which move until an impact, and not from it on
TURNING = ("bounce", "swing", "walk", "halt")  # which move all the time, and turn or stand at one


def accents(beat: float = 0.55) -> Float64s:
    """Return the accents of a song in 4/4, from before a film to after it, with strokes between."""
    times = np.arange(-2.0, SECONDS + 2, beat)
    kinds = np.array([BAR, BEAT, HALF, BEAT])[np.arange(len(times)) % 4]
    strokes = times + beat / 2
    rows = [
        np.stack([times, np.ones(len(times)), kinds], axis=1),
        np.stack([strokes, np.ones(len(times)), np.full(len(times), HIT)], axis=1),
    ]
    return np.concatenate(rows)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what has nothing to do with the music."""
    monkeypatch.setattr(film, "BESIDE", 0.0)
    monkeypatch.setattr(film, "ASTRAY", 0.0)
    monkeypatch.setattr(film, "AIMLESS_CUTS", (0.0, 0.0))
    monkeypatch.setattr("emsync.synchrony.drawn.stage.GRAIN", (0.0, 1.0))
    monkeypatch.setattr(film, "_pass_by", lambda stage: None)


def test_there_are_twelve_kinds_and_more_three_of_them_unseen() -> None:
    assert len(SEEN) >= 12 and len(UNSEEN) == 3
    assert set(SEEN) | set(UNSEEN) == set(KINDS) and not set(SEEN) & set(UNSEEN)


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_is_the_same_for_its_seed_alone(kind: str) -> None:
    first, again, other = (
        film.drawn(accents(), 0.55, SECONDS, kind, np.random.default_rng(seed))
        for seed in (3, 3, 4)
    )
    assert first.shape == (80, HEIGHT, WIDTH) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_seen_changes_at_the_impacts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.arange(-1.3, SECONDS + 1, 0.7)
    drive = Drive(times, np.ones(len(times)))
    monkeypatch.setattr(film, "driven", lambda *_: drive)
    at = (np.arange(80) + 0.5) / RATE
    hit = np.diff(drive.last(at)) > 0  # between which pictures there is an impact
    moves = hit | (np.append(hit[1:], False) if kind in ARRIVING else np.append(False, hit[:-1]))
    changes = []
    for seed in range(8):
        pictures = film.drawn(accents(), 0.55, SECONDS, kind, np.random.default_rng(seed))
        change = np.abs(np.diff(pictures.astype(np.float32), axis=0)).mean(axis=(1, 2))
        changes.append(change / change.mean())
    change = np.mean(changes, axis=0)
    if kind in TURNING:
        assert np.corrcoef(change[:-7], change[7:])[0, 1] > 0.5  # it comes again after 0.7 s
    else:
        assert change[moves].mean() > 1.15 * change[~moves].mean()


def test_cuts_that_mean_nothing_are_no_accents() -> None:
    times = [film._cuts(SECONDS, np.random.default_rng(seed)) for seed in range(400)]
    assert 0.25 < np.mean([len(cuts) > 0 for cuts in times]) < 0.5
    assert np.concatenate(times).std() == pytest.approx(SECONDS / 12**0.5, rel=0.1)


def test_levels_are_beats_half_bars_bars_and_strokes() -> None:
    song = accents(0.55)
    counts = [len(of_level(song, level).times) for level in (BEAT, HALF, BAR, HIT)]
    beats = int((song[:, 2] != HIT).sum())
    assert counts == [beats, (beats + 1) // 2, (beats + 3) // 4, beats]
    strokes = of_level(np.array([[t, 0.5, HIT] for t in np.arange(0, 8, 0.1)]), HIT)
    assert np.diff(strokes.times).min() >= CLOSEST


def test_some_accents_are_missed_and_others_met_a_little_late() -> None:
    song = accents(0.55)
    song = song[song[:, 2] != HIT]  # whoever wants strokes gets beats
    met = count = 0
    for seed in range(200):
        drive = driven(song, 0.55, SECONDS, np.random.default_rng(seed))
        away = np.abs(drive.times[:, None] - song[:, 0]).min(axis=1)
        assert away.max() <= LATE + 1e-9
        step = np.median(np.diff(drive.times)) > 0.7
        count += 0 if step else len(song)
        met += 0 if step else len(drive.times)
    assert met / count == pytest.approx(1 - MISSED, abs=0.02)


def test_silence_is_drawn_as_well() -> None:
    pictures = film.drawn(np.zeros((0, 3)), 0.0, 0.3, "jump", np.random.default_rng(0))
    assert pictures.shape == (3, HEIGHT, WIDTH)


def test_phases_are_whole_at_impacts() -> None:
    drive = Drive(np.array([0.5, 1.0, 2.0]), np.ones(3))
    phase = drive.phase(np.array([0.0, 0.5, 1.5, 2.0, 2.75]))
    assert phase == pytest.approx([-0.75 + 1 / 12, 0, 1.5, 2, 3], abs=0.1)
    assert drive.since(np.array([0.25, 0.75]))[1] == pytest.approx(0.25)
    assert drive.until(np.array([0.25, 0.75])) == pytest.approx([0.25, 0.25])
    assert drive.kick(np.array([0.4, 0.5]), 0.2).tolist() == [0.0, 1.0]


def test_figures_cover_as_much_as_they_are_large() -> None:
    pixels = HEIGHT**2
    one = np.ones(1)
    box = boxes(*(np.full((1, 1), edge) for edge in (0.51, 0.33, 1.02, 0.61)))
    assert box.sum() / pixels == pytest.approx(0.51 * 0.28, rel=1e-3)
    circle = disc(0.9 * one, 0.5 * one, 0.3 * one)
    assert circle.sum() / pixels == pytest.approx(np.pi * 0.09, rel=0.02)
    ring = disc(0.9 * one, 0.5 * one, 0.3 * one, 0.5 * one)
    assert ring.sum() / pixels == pytest.approx(np.pi * 0.09 * 0.75, rel=0.05)
    line = stroke(0.4 * one, 0.5 * one, 1.2 * one, 0.5 * one, 0.1)
    assert line.sum() / pixels == pytest.approx(0.08 + np.pi * 0.0025, rel=0.05)
    assert dots(0.9 * one[None], 0.5 * one[None], 0.1 * one[None]).sum() / pixels == pytest.approx(
        np.pi * 0.01, rel=0.02
    )


@pytest.mark.parametrize(("seconds", "rows"), [(0.0, 1), (0.3, 3), (0.30000001, 3), (0.31, 4)])
def test_rows_are_ten_a_second(seconds: float, rows: int) -> None:
    assert row_count(seconds) == rows
