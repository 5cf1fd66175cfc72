"""What a tokenizer writes down is read again as the same music, on its grid."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic.core import NoteTick, ScoreTick, TempoTick, TrackTick

from emsync import plugins
from emsync.data.lakh import read_lakh
from emsync.data.songs import read_song
from emsync.errors import InputError
from emsync.music.piece import (
    CLASSES,
    DRUMS,
    HIGHEST,
    LOWEST,
    PIANO,
    Piece,
    from_score,
    to_score,
)
from emsync.testing import check_tokenizer, example_piece
from emsync.tokens import Ids, Tokenizer
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events, on_grid
from emsync_tokenizers.miditok_events import EventsMidiTok
from emsync_tokenizers.tsd import Tsd

HALF_STEP = v.STEP / 2


@pytest.fixture(scope="session")
def songs(shared: Path) -> list[Piece]:
    """A few dozen real songs of all kinds."""
    midi = sorted((shared / "corpus" / "multitrack").rglob("*.mid"))[::8]
    rolls = sorted((shared / "corpus" / "lpd-samples" / "lpd_cleansed").rglob("*.npz"))[:8]
    found = [read_song(path) for path in (*midi, *rolls)]
    assert len(found) > 20, f"there is too little music in {shared}"
    return found


seconds = st.floats(0, 700, allow_nan=False)
notes = st.tuples(
    st.integers(0, len(CLASSES) - 1),
    st.integers(LOWEST, HIGHEST),
    seconds,
    st.floats(0, 20),  # how long it lasts
)
crowded = st.tuples(  # many on one key at nearly one time
    st.sampled_from([DRUMS, PIANO]), st.integers(60, 61), st.floats(0, 0.1), st.floats(0, 0.1)
)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    rows = draw(st.lists(st.one_of(notes, crowded), max_size=30))
    table = np.array([(c, p, t, t + length) for c, p, t, length in rows]).reshape(-1, 4)
    times = st.lists(seconds, max_size=6)
    return Piece.of(table, np.array(draw(times)), np.array(draw(times)))


def same(a: Piece, b: Piece) -> bool:
    columns = ("classes", "pitches", "onsets", "offsets", "downbeats", "chords")
    return all(np.array_equal(getattr(a, c), getattr(b, c)) for c in columns)


def slow_steps(piece: Piece) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return (first step, last step) of the notes on each key: restruck, the longest of equals."""
    keys: dict[tuple[int, int], dict[int, int]] = {}
    for c, p, start, end in zip(
        piece.classes, piece.pitches, piece.onsets, piece.offsets, strict=True
    ):
        first = round(float(start) * 125)
        last = max(round(float(end) * 125), first + 1)
        struck = keys.setdefault((int(c), int(p)), {})
        struck[first] = max(last, struck.get(first, 0))
    return {
        key: [
            (first, min([last, *(later for later in struck if later > first)]))
            for first, last in sorted(struck.items())
        ]
        for key, struck in keys.items()
    }


def slow_encode(piece: Piece) -> list[int]:
    """Return the tokens of ``piece`` as docs/system.md, section 1, describes them, one by one."""
    happenings = []
    for (c, p), struck in slow_steps(piece).items():
        for first, last in struck:
            happenings.append((first, 3, v.on(c, p)))
            happenings.append((last, 0, v.off(c, p)))
    happenings += [(step, 1, v.BAR) for step in {round(float(t) * 125) for t in piece.downbeats}]
    happenings += [(step, 2, v.CHORD) for step in {round(float(t) * 125) for t in piece.chords}]
    tokens = [v.FEWER if len(set(piece.classes.tolist())) <= 2 else v.MORE, v.START]
    now = 0
    for step, _, token in sorted(happenings):
        while step - now > 125:
            tokens.append(v.SHIFT + 124)
            now += 125
        if step > now:
            tokens.append(v.SHIFT + step - now - 1)
            now = step
        tokens.append(token)
    return tokens


def slow_decode(ids: Ids) -> list[tuple[int, int, int, int]]:
    """Return sorted (first step, class, pitch, last step) of the notes, read one by one."""
    now, found = 0, []
    sounding: dict[tuple[int, int], int] = {}
    for token in ids.tolist():
        if v.SHIFT <= token < v.NOTE:
            now += token - v.SHIFT + 1
        elif token >= v.NOTE:
            instrument, place = divmod(token - v.NOTE, 2 * v.KEYS)
            key = (instrument, place % v.KEYS + LOWEST)
            if key in sounding:
                first = sounding.pop(key)
                found.append((first, *key, max(now, first + 1)))
            if place < v.KEYS:
                sounding[key] = now
    found += [(first, *key, max(now, first + 1)) for key, first in sounding.items()]
    return sorted(found)


def test_the_vocabulary_is_1011_tokens_in_the_order_of_the_paper() -> None:
    names = v.names()
    assert len(names) == len(set(names)) == v.SIZE == 1011
    assert names[v.PAD] == "PAD_None" and names[v.MORE] == "Instruments_More"
    assert (names[v.SHIFT], names[v.NOTE - 1]) == ("TimeShift_8", "TimeShift_1000")
    for c, name in enumerate(CLASSES):
        for pitch in (LOWEST, 60, HIGHEST):
            assert names[v.on(c, pitch)] == f"{name.capitalize()}On_{pitch}"
            assert names[v.off(c, pitch)] == f"{name.capitalize()}Off_{pitch}"
    waits = v.durations()
    assert waits[v.SHIFT] == 0.008 and waits[v.NOTE - 1] == 1.0 and waits.sum() == pytest.approx(63)


@given(pieces())
def test_decoding_returns_the_piece_on_the_grid(piece: Piece) -> None:
    assert same(Events().decode(Events().encode(piece)), on_grid(piece))


@given(pieces())
def test_encoding_equals_a_loop_over_the_notes(piece: Piece) -> None:
    assert Events().encode(piece).tolist() == slow_encode(piece)


@given(pieces())
def test_no_note_is_moved_by_more_than_half_a_step_wherever_it_is(piece: Piece) -> None:
    decoded = Events().decode(Events().encode(piece))
    for original, found in ((piece.onsets, decoded.onsets), (piece.chords, decoded.chords)):
        distance = np.abs(original[:, None] - found).min(axis=1, initial=np.inf)
        assert (distance <= HALF_STEP + 1e-9).all()


def test_an_error_does_not_grow_over_ten_minutes() -> None:
    onsets = np.arange(0, 600, 60 / 133 / 3)  # triplets at 133 BPM, never on the grid of 8 ms
    pitches = 60 + np.arange(len(onsets)) % 7
    table = np.stack([np.full_like(onsets, PIANO), pitches, onsets, onsets + 0.1], axis=1)
    ids = Events().encode(Piece.of(table))
    decoded = Events().decode(ids)
    error = decoded.onsets - onsets
    assert np.abs(error).max() <= HALF_STEP + 1e-9
    assert abs(error[-200:].mean()) < 0.0005
    assert Events().timeline(ids).times[-1] == pytest.approx(decoded.duration, abs=1e-9)


@given(pieces())
def test_times_never_fall_and_every_on_is_closed(piece: Piece) -> None:
    ids = Events().encode(piece)
    assert (np.diff(Events().timeline(ids).times) >= 0).all()
    sounding = set()
    for token in ids[ids >= v.NOTE].tolist():
        if (token - v.NOTE) % (2 * v.KEYS) < v.KEYS:
            assert token not in sounding
            sounding.add(token)
        else:
            sounding.remove(token - v.KEYS)
    assert not sounding


@given(pieces())
def test_each_instant_holds_offs_then_a_bar_then_a_chord_then_ons_upwards(piece: Piece) -> None:
    def place(token: int) -> tuple[int, int]:
        if token in (v.BAR, v.CHORD):
            return 1 + (token == v.CHORD), 0
        return 3 * ((token - v.NOTE) % (2 * v.KEYS) < v.KEYS), token

    ids = Events().encode(piece)[2:]
    shifts = (ids >= v.SHIFT) & (ids < v.NOTE)
    for instant in np.split(ids, np.flatnonzero(shifts)):
        order = [place(t) for t in instant.tolist() if not v.SHIFT <= t < v.NOTE]
        assert order == sorted(set(order))


@given(st.integers(1, 2000))
def test_a_wait_is_whole_seconds_and_then_the_rest(steps: int) -> None:
    piece = Piece.of(np.zeros((0, 4)), downbeats=np.array([steps / 125]))
    waits = Events().encode(piece)[2:-1] - v.SHIFT + 1
    assert waits.sum() == steps
    assert len(waits) == -(-steps // 125)
    assert (waits[:-1] == 125).all()


@given(st.lists(st.integers(0, v.SIZE - 1) | st.sampled_from([131, 131 + 88, 6, 7]), max_size=80))
def test_any_tokens_decode_as_a_loop_reads_them_and_no_note_is_lost(ids: list[int]) -> None:
    tokens = np.array(ids, np.int64)
    piece = Events().decode(tokens)
    steps = zip(piece.onsets * 125, piece.classes, piece.pitches, piece.offsets * 125, strict=True)
    assert sorted(tuple(round(float(x)) for x in row) for row in steps) == slow_decode(tokens)
    places = tokens[tokens >= v.NOTE] - v.NOTE
    assert len(piece) == (places % (2 * v.KEYS) < v.KEYS).sum()


@given(pieces())
def test_decoded_music_is_encoded_as_the_same_tokens(piece: Piece) -> None:
    ids = Events().encode(piece)
    assert np.array_equal(Events().encode(Events().decode(ids)), ids)


@given(pieces(), st.integers(-120, 120))
def test_transposition_moves_pitches_by_the_semitones_and_nothing_else(
    piece: Piece, semitones: int
) -> None:
    ids = Events().encode(piece)
    moved = Events().transpose(ids, semitones)
    assert len(moved) == len(ids) and moved.min() >= 0 and moved.max() < v.SIZE
    block = (ids - v.NOTE) // v.KEYS  # instrument, and ON or OFF
    drums_or_none = block < 2
    assert np.array_equal(moved[drums_or_none], ids[drums_or_none])
    assert np.array_equal((moved - v.NOTE) // v.KEYS, block)
    shift = moved[~drums_or_none] - ids[~drums_or_none] - semitones
    assert (shift % 12 == 0).all()
    pitch = (ids[~drums_or_none] - v.NOTE) % v.KEYS
    assert (shift[(pitch + semitones >= 0) & (pitch + semitones < v.KEYS)] == 0).all()


@given(pieces(), st.integers(-12, 12))
def test_transposition_there_and_back_changes_nothing_that_stays_on_the_keys(
    piece: Piece, semitones: int
) -> None:
    middle = np.clip(piece.pitches, 40, 90)
    piece = Piece.of(np.stack([piece.classes, middle, piece.onsets, piece.offsets], axis=1))
    ids = Events().encode(piece)
    there = Events().transpose(ids, semitones)
    assert np.array_equal(Events().transpose(there, -semitones), ids)


@pytest.mark.parametrize("tokenizer", [Events(), Tsd()], ids=lambda t: t.name)
def test_every_tokenizer_keeps_the_rules(tokenizer: Tokenizer, piece: Piece) -> None:
    assert plugins.load(plugins.TOKENIZERS, tokenizer.name, Tokenizer) is type(tokenizer)
    for example in (example_piece(), piece, Piece.of(np.zeros((0, 4)))):
        check_tokenizer(tokenizer, example)


def test_real_songs_come_back_on_the_grid_with_no_drift(songs: list[Piece]) -> None:
    for song in songs:
        ids = Events().encode(song)
        assert ids.min() >= 0 and ids.max() < v.SIZE
        decoded, grid = Events().decode(ids), on_grid(song)
        assert same(decoded, grid)
        nearest = np.round(song.onsets * 125) / 125
        assert np.abs(nearest - song.onsets).max() <= HALF_STEP + 1e-9
        assert np.isin(nearest, decoded.onsets).all()
        assert (np.diff(Events().timeline(ids).times) >= 0).all()


def test_a_real_song_is_encoded_as_the_loop_encodes_it(songs: list[Piece]) -> None:
    for song in songs[::6]:
        assert Events().encode(song).tolist() == slow_encode(song)


# MidiTok ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def miditok() -> EventsMidiTok:
    return EventsMidiTok()


def test_miditok_has_the_same_vocabulary_and_ids(miditok: EventsMidiTok) -> None:
    assert len(miditok) == miditok.vocab_size == v.SIZE
    assert list(miditok.vocab.items()) == [(name, i) for i, name in enumerate(v.names())]
    assert miditok.pad_token_id == v.PAD
    assert [miditok[i] for i in range(v.SIZE)] == v.names()


@given(pieces())
@settings(max_examples=30)
def test_miditok_writes_the_tokens_of_events_and_reads_every_note(piece: Piece) -> None:
    tokenizer = EventsMidiTok()
    score = to_score(on_grid(piece))
    tokens = tokenizer(score)
    assert tokens.ids == Events().encode(from_score(score)).tolist()
    assert tokenizer.tokens_errors(tokens) == 0
    for form in (tokens, tokens.ids, tokens.tokens, np.array(tokens.ids)):
        again = from_score(tokenizer.decode(form))
        assert np.array_equal(again.pitches, on_grid(piece).pitches)
        assert np.allclose(again.onsets, on_grid(piece).onsets, 0, 1e-4)
        assert np.allclose(again.offsets, on_grid(piece).offsets, 0, 1e-4)


def test_miditok_reads_real_files_without_a_wrong_succession(
    miditok: EventsMidiTok, shared: Path
) -> None:
    for path in sorted((shared / "corpus" / "multitrack").rglob("*.mid"))[::20]:
        score = ScoreTick(path)
        tokens = miditok(score)
        assert miditok.tokens_errors(tokens) == 0
        first, second = from_score(miditok.decode(tokens)), on_grid(from_score(score))
        assert np.array_equal(first.pitches, second.pitches)
        assert np.allclose(first.onsets, second.onsets, 0, 1e-4)


def test_miditok_counts_a_wrong_succession(miditok: EventsMidiTok) -> None:
    wrong = ["START_None", "PianoOn_60", "PianoOff_60", "TimeShift_8", "START_None"]
    assert miditok.tokens_errors(wrong) == pytest.approx(2 / 5)


def test_miditok_saves_the_tokenizer_and_loads_an_equal_one(
    miditok: EventsMidiTok, tmp_path: Path
) -> None:
    miditok.save(tmp_path / "events.json")
    assert EventsMidiTok(params=tmp_path / "events.json") == miditok
    miditok.save_pretrained(tmp_path / "folder")
    assert EventsMidiTok.from_pretrained(tmp_path / "folder") == miditok


def test_miditok_s_byte_pairs_can_be_learned_saved_and_undone(tmp_path: Path, piece: Piece) -> None:
    to_score(piece).dump_midi(tmp_path / "piece.mid")
    tokenizer = EventsMidiTok()
    tokenizer.train(vocab_size=v.SIZE + 20, files_paths=[tmp_path / "piece.mid"])
    tokenizer.save(tmp_path / "trained.json")
    again = EventsMidiTok(params=tmp_path / "trained.json")
    assert again == tokenizer
    tokens = again(to_score(piece))
    assert len(tokens.ids) < len(tokens.tokens)
    assert again.decode(tokens.ids) == EventsMidiTok().decode(tokens.tokens)


def test_miditok_s_file_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    from miditok import REMI

    REMI().save(tmp_path / "remi.json")
    with pytest.raises(InputError, match=r"remi\.json' is not the file of an EventsMidiTok"):
        EventsMidiTok(params=tmp_path / "remi.json")


def test_a_score_of_silence_is_a_header_and_a_bar(miditok: EventsMidiTok) -> None:
    assert miditok(ScoreTick(480)).tokens == ["Instruments_Fewer", "START_None", "BAR_None"]


def test_a_tempo_that_changes_in_the_file_is_heard_in_the_tokens(miditok: EventsMidiTok) -> None:
    score = ScoreTick(480)
    score.tempos.append(TempoTick(0, 120.0))
    score.tempos.append(TempoTick(960, 60.0))
    track = TrackTick("", 0)
    track.notes.append(NoteTick(0, 240, 60, 80))
    track.notes.append(NoteTick(1920, 240, 62, 80))
    score.tracks.append(track)
    assert from_score(miditok.decode(miditok(score))).onsets.tolist() == pytest.approx([0.0, 3.0])


# TSD ----------------------------------------------------------------------------------------------


@given(pieces())
@settings(max_examples=30)
def test_tsd_keeps_every_onset_bar_and_chord_within_half_its_step(piece: Piece) -> None:
    decoded, grid = Tsd().decode(Tsd().encode(piece)), on_grid(piece, 100)
    for name in ("classes", "pitches", "onsets", "downbeats", "chords"):
        assert np.array_equal(getattr(decoded, name), getattr(grid, name)), name
    length, kept = grid.offsets - grid.onsets, decoded.offsets - decoded.onsets
    allowed = np.select([length <= 2, length <= 8], [1e-6, 0.03], 0.26)
    assert (np.abs(kept - length) <= allowed).all()


def test_tsd_reads_real_songs(songs: list[Piece]) -> None:
    for song in songs[::8]:
        ids = Tsd().encode(song)
        decoded, grid = Tsd().decode(ids), on_grid(song, 100)
        assert np.array_equal(decoded.onsets, grid.onsets)
        assert np.array_equal(decoded.pitches, grid.pitches)
        assert np.array_equal(Tsd().encode(decoded), ids)


def test_tsd_leaves_the_drums_where_they_are() -> None:
    ids = Tsd().encode(example_piece())
    before, after = Tsd().decode(ids), Tsd().decode(Tsd().transpose(ids, 2))
    moved = after.pitches.astype(int) - before.pitches
    assert set(moved[before.classes == DRUMS]) == {0} and set(moved[before.classes != DRUMS]) == {2}


def test_a_lakh_file_and_its_tokens_agree_on_the_boundary_chords(shared: Path) -> None:
    path = sorted((shared / "corpus" / "lpd-samples" / "lpd_cleansed").rglob("*.npz"))[0]
    song = read_lakh(path)
    timeline = Events().timeline(Events().encode(song))
    marked = timeline.times[timeline.marks]
    assert len(marked) == len(song.chords)
    assert np.abs(marked - song.chords).max(initial=0) <= HALF_STEP + 1e-9
