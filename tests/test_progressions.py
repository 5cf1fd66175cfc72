"""The chords drawn for a section, and the table they are drawn from."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from emsync.metrics.harmony import movement, real_songs
from emsync.music import chords as ch
from emsync.planning.chart import PHRASE, Chart
from emsync.planning.progressions import (
    DISTINCT,
    LEADS,
    TABLES,
    closed,
    loop,
    table,
)

MODES = [False, True]


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def halves(chart: Chart) -> list[int]:
    return [entry.chord for entry in chart for _ in range(entry.halves)]


@pytest.mark.parametrize("minor", MODES)
def test_what_was_counted_is_a_table_of_shares(minor: bool) -> None:
    counted = table(minor)
    n = len(counted.chords)
    assert counted.chords[0] == ch.chord(0, ch.MINOR if minor else ch.MAJOR)
    assert counted.shares.sum() == pytest.approx(1, abs=1e-3)
    assert counted.first.sum() == pytest.approx(1, abs=1e-3)
    assert counted.moves.shape == (PHRASE, n, n)
    assert counted.moves.sum(axis=-1) == pytest.approx(np.ones((PHRASE, n)), abs=1e-3)
    assert counted.within.sum(axis=-1) == pytest.approx(np.ones(n), abs=1e-3)
    assert ((counted.split > 0) & (counted.split < 0.5)).all() and 0 < counted.again < 1
    assert all(sum(colours.values()) < 1 for colours in counted.colours)
    assert counted.first.argmax() == 0  # phrases begin on the tonic more than on anything else


@pytest.mark.parametrize("minor", MODES)
def test_a_loop_can_go_back_to_every_chord_it_begins_with(minor: bool) -> None:
    places = table(minor).moves
    assert (places[1] @ places[2] @ places[3] > 0).all()  # so no draw is without a choice
    for moves in places:
        between = table(minor).within[:, :, None] * moves[None, :, :]  # now, between, later
        n = np.arange(len(moves))
        between[n, n] = between[:, n, n] = 0
        assert (between.sum(axis=1)[moves > 0] > 0).all()


def test_the_table_is_small() -> None:
    assert Path(TABLES).stat().st_size < 60_000


@pytest.mark.parametrize("minor", MODES)
@pytest.mark.parametrize("bars", [4, 8])
def test_a_loop_is_whole_varied_and_in_its_mode(minor: bool, bars: int) -> None:
    for seed in range(100):
        chords = loop(rng(seed), minor, bars, colour=0.0)
        sounds = halves(chords)
        assert len(sounds) == 2 * bars
        assert set(sounds) <= set(table(minor).chords)
        assert min(len(set(sounds[i : i + 8])) for i in range(0, 2 * bars, 8)) >= DISTINCT
        assert max(len(list(run)) for _, run in groupby(2 * sounds)) <= 4
        assert chords == loop(rng(seed), minor, bars, colour=0.0)


@pytest.mark.parametrize("minor", MODES)
def test_most_loops_begin_on_the_tonic_and_all_that_are_asked_to(minor: bool) -> None:
    tonic = table(minor).chords[0]
    begins = [halves(loop(rng(s), minor, 4, 0.0))[0] == tonic for s in range(200)]
    assert 0.5 < np.mean(begins) < 0.9
    assert all(halves(loop(rng(s), minor, 8, 0.0, home=True))[0] == tonic for s in range(50))


@pytest.mark.parametrize("bars", [0, 3, 6, -4])
def test_a_loop_is_of_phrases(bars: int) -> None:
    with pytest.raises(ValueError, match="phrases"):
        loop(rng(0), False, bars)


@pytest.mark.parametrize("minor", MODES)
def test_colour_is_how_many_chords_are_more_than_triads(minor: bool) -> None:
    def share(colour: float) -> float:
        chords = [c for s in range(200) for c in set(halves(loop(rng(s), minor, 4, colour)))]
        return float(np.mean([c // 12 > ch.DIMINISHED for c in chords]))

    assert share(0.0) == 0
    assert 0.2 < share(0.3) < 0.4
    assert share(1.0) == 1


@pytest.mark.parametrize("minor", MODES)
@pytest.mark.parametrize("bars", [*range(1, 14), 32])
def test_a_section_is_as_long_as_asked_and_closes_as_asked(minor: bool, bars: int) -> None:
    tonic = table(minor).chords[0]
    leads = {ch.parse_chord(name) % 12 for name in LEADS[minor]}
    for seed in range(20):
        chords = loop(rng(seed), minor, 4)
        once = halves(chords)
        for closing in ("open", "half", "tonic"):
            sounds = halves(closed(rng(seed, 1), chords, bars, closing, minor))
            assert len(sounds) == 2 * bars
            close = {"open": 0, "half": 2, "tonic": 4}[closing]
            kept = max(2 * bars - close, 0)
            assert sounds[:kept] == (once * bars)[:kept]  # the loop, up to the close
            assert max(len(list(run)) for _, run in groupby(c % 12 for c in sounds)) <= 5
            if closing == "half":
                assert sounds[-1] % 12 in leads
            if closing == "tonic":
                assert sounds[-2:] == [tonic, tonic]
                assert bars == 1 or sounds[-3] % 12 in leads


def test_planned_harmony_moves_as_that_of_real_songs_does() -> None:
    measured = []
    for seed in range(200):
        draw = rng(seed)
        minor, bars = bool(draw.random() < 0.4), int(draw.integers(8, 33))
        chords = loop(draw, minor, 8)
        sounds = np.array(halves(closed(draw, chords, bars, "tonic", minor)))
        measured.append(movement(sounds, np.arange(len(sounds) + 1) * 120 / 108, tonic=0))
    for name in ("distinct", "changes", "commonest", "drone", "cadences"):
        values = [getattr(moves, name) for moves in measured]
        assert np.nanmedian(values) in real_songs()[name], name
    assert np.mean([moves.commonest for moves in measured]) < 0.45
