"""Real films retimed: impacts come to lie on accents, and nothing goes too fast or too slowly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emsync.arrays import Float64s
from emsync.cli import main
from emsync.errors import InputError
from emsync.synchrony import retimed
from emsync.synchrony.drawn.driving import Drive
from emsync.synchrony.footage import TALL, WIDE, Clip, Clips, impacts_of
from emsync.synchrony.passages import BEAT
from emsync.synchrony.retimed import FASTEST, SLOWEST, Warp, warped

BEAT_SECONDS = 0.5


def clip(seconds: float = 20.0, every: float = 0.62, rate: float = 25.0) -> Clip:
    """Return a film whose picture changes at its impacts alone."""
    times = np.arange(0, seconds, 1 / rate)
    struck = np.arange(0.3, seconds, every)
    number = np.searchsorted(struck, times, side="right")
    rng = np.random.default_rng(0)
    shots = rng.integers(0, 256, (number[-1] + 1, TALL, WIDE), np.uint8)
    return Clip(shots[number], times, np.stack([struck, np.ones(len(struck))], 1), seconds)


def beats(seconds: float = 8.0) -> Float64s:
    times = np.arange(-2.0, seconds + 2, BEAT_SECONDS)
    return np.stack([times, np.ones(len(times)), np.full(len(times), BEAT)], axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_impacts_are_warped_onto_accents(seed: int) -> None:
    film, drive = clip(), Drive(np.arange(-0.5, 9, BEAT_SECONDS), np.ones(19))
    warp, met = warped(film, drive, 0.0, 8.0, np.random.default_rng(seed))
    assert met >= 12
    anchors = warp(warp.film[1:])
    assert np.abs(anchors[:, None] - film.impacts[:, 0]).min(axis=1).max() < 1e-9
    assert np.abs(warp.film[1:, None] - drive.times).min(axis=1).max() < 1e-9
    assert (warp.speeds >= SLOWEST - 1e-9).all() and (warp.speeds <= FASTEST + 1e-9).all()


def test_a_clip_without_impacts_goes_on_as_it_is() -> None:
    still = clip()._replace(impacts=np.zeros((0, 2)))
    warp, met = warped(still, Drive(np.arange(8.0), np.ones(8)), 1.0, 6.0, np.random.default_rng(0))
    assert met == 0 and np.diff(warp(np.array([2.0, 5.5])))[0] == pytest.approx(3.5)


def test_straight_lines_lead_through_the_anchors() -> None:
    warp = Warp([0.0, 1.0, 3.0], [5.0, 6.5, 8.0])
    assert warp(np.array([0.0, 0.5, 1.0, 2.0, 4.0])) == pytest.approx([5, 5.75, 6.5, 7.25, 9])
    assert warp.speeds == pytest.approx([1.5, 0.75])


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what editors do, and chance."""
    for name in ("CUT", "AIMLESS", "PULSED", "FLARED", "MET"):
        monkeypatch.setattr(retimed, name, 0.0)
    monkeypatch.setattr(retimed, "GRAIN", (0.0, 0.0))
    monkeypatch.setattr("emsync.synchrony.drawn.driving.MISSED", 0.0)
    monkeypatch.setattr("emsync.synchrony.drawn.driving.LATE", 0.0)


@pytest.mark.usefixtures("plain")
def test_what_is_seen_changes_on_the_beat() -> None:
    made = retimed.retimed([clip()], beats(), BEAT_SECONDS, 8.0, np.random.default_rng(1))
    assert made.shape == (80, 27, 48) and made.dtype == np.uint8
    change = np.abs(np.diff(made.astype(np.float32), axis=0)).mean(axis=(1, 2))
    struck = np.flatnonzero(change > 5) + 1
    assert len(struck) >= 10
    late = (struck + 0.5) / 10 % BEAT_SECONDS  # the first picture at a beat, or one frame later
    assert (late < 0.151).all()


def test_a_retimed_film_is_the_same_for_its_seed_alone() -> None:
    clips = [clip(), clip(2.0, 0.4, 12.0)]
    first, again, other = (
        retimed.retimed(clips, beats(), BEAT_SECONDS, 8.0, np.random.default_rng(seed))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_impacts_stand_out_of_what_is_around() -> None:
    times = np.arange(0, 4, 0.04)
    strengths = np.full(100, 0.05)
    strengths[[25, 27, 60]] = 0.5, 0.4, 0.2
    found = impacts_of(times, strengths)
    assert found[:, 0] == pytest.approx([1.0, 2.4])
    assert 0 < found[1, 1] < found[0, 1] <= 1
    assert not len(impacts_of(times, 0.001 * strengths))  # nothing moves
    assert impacts_of(np.zeros(0), np.zeros(0)).shape == (0, 2)


def test_films_are_watched_once_and_kept(
    tmp_path: Path, draw_cut: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "films").mkdir()
    draw_cut(tmp_path / "films" / "one.mp4", 50, 25)
    (tmp_path / "films" / "two.mp4").write_bytes(b"no film")
    command = ["pairs", "watch", str(tmp_path / "films"), "--out", str(tmp_path / "store")]
    assert main([*command, "--workers", "1"]) == 5  # one of both is none
    clips = Clips.open(tmp_path / "store")
    assert [row.name for row in clips.rows] == ["one.mp4"]
    kept = clips.clip(0)
    assert kept.luma.shape == (50, TALL, WIDE) and kept.seconds == pytest.approx(2.0)
    assert kept.luma[:24].mean() < 60 < 190 < kept.luma[26:].mean()
    assert kept.impacts.shape == (clips.rows[0].impacts, 2)
    with pytest.raises(InputError, match="`emsync pairs watch` makes one"):
        Clips.open(tmp_path)
