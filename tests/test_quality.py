"""Symbolic statistics: hand-computed values, and real songs."""

import sys
from pathlib import Path

import numpy as np
import pytest

from emsync.data.songs import read_song
from emsync.errors import AssetError
from emsync.evaluation import tables
from emsync.evaluation.quality import evaluate as evaluate_quality
from emsync.metrics import quality
from emsync.music.piece import DRUMS, PIANO, Piece, to_score


def bars(count: int, notes: list[tuple[int, int, float]], length: float = 2.0) -> Piece:
    """Return ``count`` bars of the same notes (class, pitch, sixteenth), each a sixteenth long."""
    step = length / 16
    rows = [
        (c, p, length * b + s * step, length * b + (s + 1) * step)
        for b in range(count)
        for c, p, s in notes
    ]
    return Piece.of(np.array(rows), downbeats=np.arange(0.0, count) * length)


def test_beats_follow_the_bars_and_go_on_evenly_around_them() -> None:
    piece = Piece.of(np.array([(PIANO, 60, 0.0, 9.0)]), downbeats=np.array([1.0, 3.0, 6.0]))
    beats = quality.beat_positions(piece, np.array([0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 7.5]))
    assert (beats - beats[1]).tolist() == [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def test_a_loop_has_one_distinct_bar_and_stands_on_the_grid() -> None:
    loop = bars(8, [(PIANO, 60, 0), (PIANO, 64, 4), (DRUMS, 36, 8)])
    measured = quality.measure(loop)
    assert measured["distinct_bars"] == 1 / 8
    assert measured["bar_regularity"] == measured["on_grid"] == 1.0
    assert measured["notes_per_second"] == pytest.approx(24 / loop.duration)
    assert measured["instruments"] == 2
    assert measured["density_per_instrument"] == pytest.approx(12 / loop.duration)


def test_a_piece_off_the_beat_is_told_from_one_on_it() -> None:
    chance = np.random.default_rng(0)
    rows = [(PIANO, 60, t, t + 0.1) for t in np.sort(chance.uniform(0, 16, 200))]
    piece = Piece.of(np.array(rows), downbeats=np.cumsum(chance.uniform(0.5, 3.0, 8)))
    assert quality.on_grid(piece) < 0.4
    assert quality.bar_regularity(piece.downbeats) < 0.3


def test_what_a_piece_does_not_have_is_nan_not_zero() -> None:
    measured = quality.measure(Piece.of(np.array([(PIANO, 60, 0.0, 1.0)])))
    assert np.isnan(measured["drum_pattern_consistency"])
    assert np.isnan(measured["bar_regularity"]) and np.isnan(measured["on_grid"])


def test_without_muspy_its_statistics_are_left_out_and_a_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "muspy", None)
    with pytest.raises(AssetError, match=r"python -m pip install 'emsync\[evaluate\]'"):
        quality.measure(bars(8, [(PIANO, 60, 0)]))
    for name in ("ours", "song"):
        to_score(bars(8, [(PIANO, 60, 0), (PIANO, 64, 8)])).dump_midi(tmp_path / f"{name}.mid")
    report = evaluate_quality([tmp_path / "ours.mid"], tmp_path)
    assert "statistics" not in report and report["portrait"]["melody.repeats"]["inside"] == 1
    assert any("python -m pip install" in line for line in tables.quality_tables(report))


def test_overlapped_area_is_one_for_the_same_and_zero_for_strangers() -> None:
    values = [0.1, 0.4, 0.5, 0.9, float("nan")]
    assert quality.overlapped_area(values, values) == pytest.approx(1.0)
    assert quality.overlapped_area([0.0, 0.1], [0.9, 1.0]) == 0.0
    assert quality.overlapped_area([1.0, 1.0], [1.0]) == 1.0
    assert np.isnan(quality.overlapped_area([], [1.0]))


def test_real_songs_compared_with_themselves_overlap_wholly(shared: Path) -> None:
    songs = sorted((shared / "corpus" / "lpd-samples" / "lpd_cleansed").rglob("*.npz"))[:2]
    assert len(songs) == 2
    pieces = [read_song(path).until(30.0) for path in songs]
    for name, row in quality.compare(pieces, pieces).items():
        assert row["overlap"] == pytest.approx(1.0) or np.isnan(row["overlap"]), name
        assert row["mean"] == row["reference_mean"] or np.isnan(row["mean"]), name


def _slow_resemblance(pieces: list[float], reference: list[float]) -> tuple[float, float]:
    """Yang & Lerch 2018 with SciPy's kernels and loops, on the same points."""
    stats = pytest.importorskip("scipy.stats")
    among = [abs(a - b) for i, a in enumerate(reference) for b in reference[:i]]
    between = [abs(a - b) for a in pieces for b in reference]
    grid = np.linspace(min(among + between), max(among + between), quality.POINTS)
    shares = [stats.gaussian_kde(values)(grid) for values in (among, between)]
    p, q = (np.maximum(s / s.sum(), quality.FLOOR) for s in shares)
    p, q = p / p.sum(), q / q.sum()
    return float(np.minimum(p, q).sum()), float(stats.entropy(p, q))


def test_resemblance_is_that_of_yang_and_lerch() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(0, 1, 12).tolist()
    for pieces in (rng.normal(0, 1, 9).tolist(), rng.normal(2, 0.3, 9).tolist()):
        found = quality.resemblance(pieces, reference)
        assert found == pytest.approx(_slow_resemblance(pieces, reference), rel=1e-6)


def test_the_same_music_resembles_itself_and_strangers_do_not() -> None:
    rng = np.random.default_rng(1)
    real = rng.normal(0, 1, 60).tolist()
    area, divergence = quality.resemblance(rng.normal(0, 1, 60).tolist(), real)
    assert area > 0.9 and 0 <= divergence < 0.05
    area, divergence = quality.resemblance((rng.normal(8, 1, 60)).tolist(), real)
    assert area < 0.1 and divergence > 2


def test_resemblance_of_values_without_spread_is_defined() -> None:
    assert quality.resemblance([1.0, 1.0], [1.0, 1.0, 1.0]) == pytest.approx((1.0, 0.0))
    area, divergence = quality.resemblance([5.0], [1.0, 1.0, 1.0])
    assert area < 0.01 and np.isfinite(divergence) and divergence > 5
    assert np.isnan(quality.resemblance([float("nan")], [1.0, 2.0])).all()
    with pytest.raises(ValueError, match="0 pieces cannot be compared"):
        quality.compare([], [])


def test_an_excerpt_begins_on_a_bar_line_and_is_as_long_as_asked() -> None:
    song = bars(30, [(PIANO, 60, 0), (PIANO, 64, 8)])
    part = quality.excerpt(song, 12.0)
    assert part.onsets[0] == 0.0 and part.downbeats.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert part.duration <= 12.0 and len(part) == 12
    assert quality.excerpt(song, 100.0) is song


def test_the_distance_of_most_songs_tells_where_they_are_all_alike() -> None:
    songs = [bars(2, [(PIANO, 60 + k, 2.0 * k) for k in range(n)]) for n in (1, 2, 3, 4)]
    table = quality.compare(songs, songs)
    assert table["pitch_class_entropy"]["reference_distance"] > 0.3
    assert table["instruments"]["reference_distance"] == 0
