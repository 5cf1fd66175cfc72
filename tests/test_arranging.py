"""Who plays which note: every note once, within ranges, in figures that keep their contour."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Piece
from emsync.performance.arranging import Role, arranged
from emsync.performance.figures import phrases, separated
from emsync.performance.palette import Palette, names
from emsync.performance.player import BAND, PLAIN, Casting, Player

BAR = 2.0  # seconds

notes = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(21, 108), st.integers(0, 160),
        st.sampled_from([1, 2, 4, 8, 16]),
    ),
    max_size=60,
)  # fmt: skip
palettes = st.lists(st.sampled_from(names()), min_size=1, max_size=3)


@st.composite
def players(draw: st.DrawFn) -> list[Player]:
    """Draw a palette: of each class some players whose rules may leave notes to nobody."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        low = draw(st.integers(0, 110))
        found.append(
            Player(
                str(number), draw(st.integers(1, 4)), low=low,
                high=draw(st.integers(min(127, low + 11), 127)),
                octave=draw(st.integers(-2, 2)),
                notes=draw(st.sampled_from(["all", "long", "short"])),
                line=draw(st.sampled_from(["all", "upper", "lower"])),
                doubles=number > 0 and draw(st.booleans()),
            )
        )  # fmt: skip
    return [p for p in found if any(q.instrument == p.instrument and not q.doubles for q in found)]


def piece_of(rows: list[tuple[int, int, int, int]]) -> Piece:
    table = [(c, p, start / 8, (start + length) / 8) for c, p, start, length in rows]
    return Piece.of(np.array(table, np.float64), np.arange(0, 24, BAR))


def cast_of(chosen: list[str]) -> Casting:
    """Return the players of some palettes, one after the other."""
    return [(7.0 * i, Palette.named(name).players) for i, name in enumerate(chosen)]


def hold_laws(piece: Piece, roles: list[Role]) -> None:
    played = Counter[int]()
    for role in roles:
        mine = piece.pitches[role.notes].astype(int)
        assert (piece.classes[role.notes] == role.player.instrument).all()
        assert len(role.notes) and (np.diff(role.notes) > 0).all()
        if role.player.instrument != DRUMS:
            assert (role.pitches.astype(int) % 12 == mine % 12).all(), "the pitch class stays"
        if not role.player.doubles:
            played.update(role.notes.tolist())
    pitched = np.flatnonzero(piece.classes != DRUMS).tolist()
    assert all(played[note] == 1 for note in pitched), "one player who does not double"
    assert max(played.values(), default=1) == 1
    tracks = [role.player.track for role in roles]
    assert len(set(tracks)) == len(tracks)


@given(notes, palettes)
def test_every_note_has_one_player_in_the_shipped_palettes(
    rows: list[tuple[int, int, int, int]], chosen: list[str]
) -> None:
    piece, casting = piece_of(rows), cast_of(chosen)
    roles = arranged(piece, casting)
    hold_laws(piece, roles)
    again = arranged(piece, casting)
    assert [(r.player, r.notes.tolist(), r.pitches.tolist()) for r in roles] == [
        (r.player, r.notes.tolist(), r.pitches.tolist()) for r in again
    ]


@given(notes, players())
def test_no_note_is_outside_a_range(
    rows: list[tuple[int, int, int, int]], drawn: list[Player]
) -> None:
    piece = piece_of(rows)
    roles = arranged(piece, [(0.0, drawn)])
    hold_laws(piece, roles)
    for role in roles:
        assert role.pitches.min() >= role.player.low and role.pitches.max() <= role.player.high


@given(notes, players())
def test_a_line_that_fits_into_a_range_keeps_its_contour_and_its_player(
    rows: list[tuple[int, int, int, int]], drawn: list[Player]
) -> None:
    piece = piece_of(rows)
    roles = {r.player.name: r for r in arranged(piece, [(0.0, drawn)])}
    for instrument in {p.instrument for p in drawn}:
        mine = np.flatnonzero(piece.classes == instrument)
        for figure in (f for phrase in phrases(piece, mine, np.zeros(0)) for f in phrase):
            whose = [r for r in roles.values() if np.isin(figure.notes, r.notes).any()]
            assert all(np.isin(figure.notes, role.notes).all() for role in whose)
            for role in whose:
                sounding = role.pitches[np.isin(role.notes, figure.notes)].astype(int)
                written = piece.pitches[figure.notes].astype(int)
                octaves = (role.player.high - role.player.low - np.ptp(written)) // 12
                if octaves >= 1 or role.player.high - role.player.low == 127:
                    assert len(set((sounding - written).tolist())) == 1


@given(notes)
def test_the_plain_band_plays_what_is_composed(rows: list[tuple[int, int, int, int]]) -> None:
    piece = piece_of(rows)
    for role in arranged(piece, PLAIN):
        assert (role.notes == np.flatnonzero(piece.classes == role.player.instrument)).all()
        assert (role.pitches == piece.pitches[role.notes]).all()


def scale(pitches: list[int], step: float, length: float, instrument: int = STRINGS) -> Piece:
    rows = [(instrument, p, i * step, i * step + length) for i, p in enumerate(pitches)]
    return Piece.of(np.array(rows, np.float64), np.arange(0, 60, BAR))


def named(roles: list[Role]) -> dict[str, list[int]]:
    return {role.player.name: role.pitches.tolist() for role in roles}


LONG = Player("Long", STRINGS, notes="long", low=48, high=96)
SHORT = Player("Short", STRINGS, notes="short", low=48, high=96)


def test_long_notes_and_fast_figures_have_players_of_their_own() -> None:
    slow, fast = [60, 62, 64, 65] * 2, [67, 69, 71, 72] * 8
    rows = [(STRINGS, p, i * 1.0, i * 1.0 + 1) for i, p in enumerate(slow)]
    rows += [(STRINGS, p, 8 + i * 0.125, 8.125 + i * 0.125) for i, p in enumerate(fast)]
    piece = Piece.of(np.array(rows, np.float64), np.arange(0, 12, BAR))
    assert named(arranged(piece, [(0.0, [LONG, SHORT])])) == {"Long": slow, "Short": fast}


def test_a_line_of_eighths_around_the_threshold_does_not_flicker() -> None:
    lengths = [0.24, 0.3, 0.26, 0.3, 0.24, 0.35] * 12
    starts = np.cumsum([0, *lengths])
    rows = [(STRINGS, 60 + i % 7, a, b) for i, (a, b) in enumerate(pairwise(starts.tolist()))]
    piece = Piece.of(np.array(rows), np.arange(0, 24, BAR))
    roles = arranged(piece, [(0.0, [LONG, SHORT])])
    changes = np.diff(np.isin(np.arange(len(piece)), roles[0].notes).astype(int))
    assert np.count_nonzero(changes) <= 1


def test_a_phrase_moves_as_one_by_octaves_into_the_range() -> None:
    violin = Player("Violin", STRINGS, low=55, high=100)
    low = [43, 45, 47, 48, 50, 52, 54, 55]
    assert named(arranged(scale(low, 0.5, 0.5), [(0.0, [violin])])) == {
        "Violin": [p + 12 for p in low]
    }


def test_what_is_too_wide_for_a_range_is_folded_and_keeps_its_tones() -> None:
    narrow = Player("Narrow", STRINGS, low=60, high=83)
    rows = [(STRINGS, p, 0.0, 2.0) for p in (48, 60, 64, 67, 96)]
    (role,) = arranged(Piece.of(np.array(rows, np.float64), np.zeros(1)), [(0.0, [narrow])])
    assert sorted(role.pitches.tolist())[0] >= 60 and role.pitches.max() <= 83
    assert len(set(role.pitches[1:4].tolist())) == 3, "chord tones within the range stay apart"
    assert Counter((role.pitches % 12).tolist())[0] == 3


def test_the_upper_line_goes_to_the_upper_player_and_is_doubled() -> None:
    top, low = [76, 77, 79, 81] * 2, [60, 60, 59, 57] * 2
    rows = [(STRINGS, p, i, i + 1.0) for line in (top, low) for i, p in enumerate(line)]
    piece = Piece.of(np.array(rows, np.float64), np.arange(0, 8, BAR))
    violin = Player("Violin", STRINGS, line="upper", low=55, high=100)
    cello = Player("Cello", STRINGS, line="lower", low=36, high=81)
    flute = Player("Flute", STRINGS, line="upper", octave=1, low=60, high=96, doubles=True)
    assert named(arranged(piece, [(0.0, [flute, violin, cello])])) == {
        "Flute": [p + 12 for p in top], "Violin": top, "Cello": low,
    }  # fmt: skip


def test_a_lone_low_line_goes_to_who_can_play_it_where_it_is() -> None:
    violin = Player("Violin", STRINGS, line="upper", low=55, high=100)
    cello = Player("Cello", STRINGS, line="lower", low=36, high=81)
    low = [43, 45, 47, 48]
    assert named(arranged(scale(low, 1, 1), [(0.0, [violin, cello])])) == {"Cello": low}


def test_a_note_that_sounds_across_a_change_stays_with_its_player() -> None:
    one, two = Player("One", PIANO), Player("Two", PIANO)
    rows = [(PIANO, 60, 0.0, 5.0), (PIANO, 62, 4.0, 6.0)]
    piece = Piece.of(np.array(rows), np.arange(0, 8, BAR))
    roles = arranged(piece, [(0.0, [one]), (4.0, [two])])
    assert [(r.player.name, r.notes.tolist()) for r in roles] == [("One", [0]), ("Two", [1])]


def test_one_player_of_two_palettes_has_one_track() -> None:
    one = Player("Piano", PIANO, low=60)
    piece = scale([48, 50, 52, 53, 55, 57], 1.0, 1.0, PIANO)
    (role,) = arranged(piece, [(0.0, [one]), (3.0, [replace(one, low=0)])])
    assert role.pitches.tolist() == [60, 62, 64, 53, 55, 57]


def test_drums_that_are_left_out_are_struck_on_a_hit() -> None:
    drums = Player("Drums", DRUMS, strokes=((42, -1), (36, 35), (38, -1)))
    rows = [(DRUMS, key, t, t + 0.1) for t, key in ((0.0, 36), (0.5, 42), (1.0, 42), (1.5, 49))]
    piece = Piece.of(np.array(rows), np.arange(0, 4, BAR))
    (role,) = arranged(piece, [(0.0, [drums])], hits=[1.001])
    assert (role.notes.tolist(), role.pitches.tolist()) == ([0, 2, 3], [35, 35, 49])


def test_a_class_that_nobody_plays_now_is_played_by_those_of_another_scene() -> None:
    drums, horn = Player("Kit", DRUMS, 40), Player("Horn", STRINGS, 60, low=40, high=90)
    piece = piece_of(
        [(DRUMS, 38, 0, 1), (STRINGS, 60, 0, 8), (DRUMS, 38, 80, 1), (PIANO, 60, 80, 8)]
    )
    for casting in ([(0.0, [horn]), (7.0, [drums])], [(0.0, [drums]), (7.0, [horn])]):
        players = {role.player for role in arranged(piece, casting)}
        assert players == {drums, horn, BAND[PIANO]}, "drums have one channel"


def test_a_class_that_nobody_plays_is_played_by_the_plain_band() -> None:
    piece = scale([60, 62], 1, 1, GUITAR)
    (role,) = arranged(piece, [(0.0, [LONG, SHORT])])
    assert role.player == BAND[GUITAR]


@given(notes)
def test_a_line_has_one_note_at_a_time_and_all_notes_are_in_a_line(
    rows: list[tuple[int, int, int, int]],
) -> None:
    piece = piece_of([(BASS, *row[1:]) for row in rows])
    lines: list[NDArray[np.intp]] = separated(piece, np.arange(len(piece)))
    assert sorted(np.concatenate([*lines, np.zeros(0, int)]).tolist()) == list(range(len(piece)))
    for line in lines:
        assert (piece.offsets[line[:-1]] <= piece.onsets[line[1:]] + 0.11).all()


@pytest.mark.parametrize("name", names())
def test_an_empty_piece_has_no_roles(name: str) -> None:
    assert arranged(Piece.of(np.zeros((0, 4))), [(0.0, Palette.named(name).players)]) == []
