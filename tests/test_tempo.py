"""One tempo inside, any tempo outside."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis
from emsync.data.songs import read_song
from emsync.fit.tempo import MIDDLE, TUNING, at_tempo, fit_tempo, tempo_of
from emsync.music.piece import Piece
from emsync.video.cuts import Cut
from emsync_tokenizers.events import Events
from emsync_tokenizers.vocabulary import STEPS_PER_SECOND

ONE_TEMPO = 60 * STEPS_PER_SECOND / 64  # beats a minute at which a sixteenth is sixteen steps
cuts = st.lists(st.floats(0.5, 59.5), max_size=8).map(lambda ts: tuple(Cut(t) for t in ts))


def off_beat(tempo: float, found: tuple[Cut, ...]) -> float:
    beats = np.array([cut.time for cut in found]) * tempo / 60
    return float(np.abs(beats - np.round(beats)).mean())


@given(cuts, st.floats(60, 180))
def test_the_tempo_is_tuned_within_its_range_and_brings_cuts_no_further_from_bars(
    found: tuple[Cut, ...], wanted: float
) -> None:
    tempo = fit_tempo(wanted, found)
    assert abs(tempo / wanted - 1) <= TUNING + 1e-9
    if not found:
        assert tempo == wanted


def test_cuts_on_the_beats_of_a_near_tempo_are_met() -> None:
    found = tuple(Cut(60 / 116 * beats) for beats in (8, 20, 36, 52))
    assert fit_tempo(110.0, found) == pytest.approx(116.0, rel=0.003)
    assert off_beat(fit_tempo(110.0, found), found) < 0.05


def test_what_is_asked_has_the_last_word_then_the_analysis_then_the_arousal() -> None:
    video = Analysis(20.0, "25", arousal=0.5, tempo=90.0)
    assert tempo_of(video, 77.0) == 77.0
    assert tempo_of(video) == 90.0
    calm, open_, wild = (Analysis(20.0, "25", arousal=a) for a in (-1.0, math.nan, 1.0))
    assert tempo_of(calm) < tempo_of(open_) == MIDDLE < tempo_of(wild)


@given(cuts, st.floats(40, 240), st.floats(40, 240))
def test_music_for_the_video_at_the_composer_s_tempo_fits_it_when_stretched(
    found: tuple[Cut, ...], own: float, tempo: float
) -> None:
    video = Analysis(60.0, "25", cuts=found)
    inner = at_tempo(video, own, tempo)
    times = np.array([cut.time for cut in inner.cuts])
    music = Piece.of(np.zeros((0, 4)), chords=times, downbeats=np.array([inner.duration]))
    heard = music.stretched(own / tempo)
    np.testing.assert_allclose(heard.chords, np.sort([cut.time for cut in found]), atol=1e-9)
    np.testing.assert_allclose(heard.downbeats, [60.0])
    assert inner.tempo == own


def test_a_scheme_of_one_tempo_knows_its_bars_where_they_are_whole_steps() -> None:
    assert Events().at_tempo(ONE_TEMPO) == Events(bar_steps=256)
    assert Events().at_tempo(113.0) == Events()


def test_a_song_brought_to_one_tempo_has_bars_of_one_length_and_the_same_notes(
    shared: Path,
) -> None:
    folders = [shared / "corpus" / "lpd-samples" / name for name in ("lpd_cleansed", "lmd-midi")]
    songs = [sorted(f.rglob(end))[0] for f, end in zip(folders, ("*.npz", "*.mid"), strict=True)]
    for path in songs:
        own, even = read_song(path), read_song(path, ONE_TEMPO)
        assert len(own) == len(even)
        lengths = np.diff(even.downbeats)
        assert np.median(lengths) == pytest.approx(2.048, abs=1e-4)
        grid = even.onsets / 2.048 * 96  # Lakh Pianoroll has 24 steps a beat
        if path.suffix == ".npz":
            np.testing.assert_allclose(grid, np.round(grid), atol=1e-6)
