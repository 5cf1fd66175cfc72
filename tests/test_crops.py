"""Crops: what a training example holds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from emsync.conditioning import Conditioner
from emsync.data.crops import (
    Cropping,
    Example,
    Passage,
    augment,
    droppable,
    window,
)
from emsync.data.labels import Scale
from emsync.music.piece import BASS, PIANO, Piece
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.chords import Chords
from emsync_conditioners.chroma import Chroma
from emsync_conditioners.given import Given
from emsync_conditioners.instruments import Instruments
from emsync_conditioners.metre import Metre
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

CONTEXT = 64
TOKENIZER, CONDITIONERS = Events(), (ValenceArousal(), Boundaries(), OnsetDensity())


def song(seconds: int = 60) -> Piece:
    """Two instruments, a bar every two seconds, a boundary every six; busier towards the end."""
    line = [(PIANO, 60 + i % 12, t, t + 0.2) for i, t in enumerate(np.arange(0, seconds, 0.5))]
    late = [(BASS, 40 + i % 12, t, t + 0.1) for i, t in enumerate(np.arange(30, seconds, 0.25))]
    return Piece.of(
        np.array(line + late),
        downbeats=np.arange(0, seconds, 2.0),
        chords=np.arange(0, seconds, 6.0),
    )


IDS = TOKENIZER.encode(song())


def cut(seed: int, cropping: Cropping, labels: Mapping[str, float] | None = None,
        start: int | None = None) -> Example:  # fmt: skip
    passage = drawn(seed, cropping, labels)
    if start is not None:
        passage = replace(passage, start=start)
    return window(passage, CONDITIONERS, CONTEXT, Scale(0.0, 4.0))


def drawn(seed: int, cropping: Cropping, labels: Mapping[str, float] | None = None) -> Passage:
    rng = np.random.default_rng(seed)
    return augment(IDS, TOKENIZER, CONDITIONERS, CONTEXT, rng, cropping, labels or {})


def test_a_crop_is_the_first_token_and_then_a_stretch_of_the_song() -> None:
    for seed in range(30):
        ids = cut(seed, Cropping.plain()).ids
        assert len(ids) == CONTEXT + 1 and ids[0] == IDS[0]
        assert any(np.array_equal(ids[1:], IDS[i : i + CONTEXT]) for i in range(1, len(IDS)))


def test_crops_begin_at_the_start_and_at_bars_as_often_as_asked() -> None:
    kinds = [cut(s, Cropping(0.2, 0.5, 0, 0.0)).ids[1] for s in range(600)]
    assert np.mean(np.equal(kinds, v.START)) == pytest.approx(0.2, abs=0.05)
    assert np.mean(np.equal(kinds, v.BAR)) > 0.5


def test_features_are_those_of_the_whole_song_beside_the_same_tokens() -> None:
    piece, timeline = TOKENIZER.decode(IDS), TOKENIZER.timeline(IDS)
    example = cut(0, Cropping.plain(), start=200)
    window = np.append(199, np.arange(200, 200 + CONTEXT - 1))  # the first token: the moment before
    for c in (Boundaries(), OnsetDensity()):
        rows = c.features(c.from_music(piece), timeline)
        assert np.array_equal(example.features[c.name], rows[window])


def test_a_short_song_is_padded_and_its_features_ask_for_nothing_there() -> None:
    ids = TOKENIZER.encode(song(4))
    context = len(ids) + 20
    example = window(Passage.of(ids, TOKENIZER), CONDITIONERS, context)
    assert np.array_equal(example.ids[: len(ids)], ids) and not example.ids[len(ids) :].any()
    assert np.isnan(example.features["boundaries"][len(ids) :]).all()
    assert not np.isnan(example.features["boundaries"][: len(ids)]).any()


def test_the_arousal_is_that_of_the_crop_unless_a_label_says_it() -> None:
    calm, busy = (cut(0, Cropping.plain(), start=s) for s in (10, len(IDS) - CONTEXT))
    assert calm.features["valence_arousal"][1, 1] < busy.features["valence_arousal"][1, 1]
    told = cut(0, Cropping.plain(), {"valence": 0.5, "arousal": -0.25}, start=10)
    assert np.array_equal(told.features["valence_arousal"], [[0.5, 0], [0, -0.25]])


def test_dropped_labels_and_conditions_become_nan_as_often_as_asked() -> None:
    how = Cropping(drop={"valence": 0.3, "boundaries": 0.6})
    examples = [cut(s, how, {"valence": 0.5}) for s in range(400)]
    valence = [np.isnan(e.features["valence_arousal"][0]).any() for e in examples]
    arousal = [np.isnan(e.features["valence_arousal"][1]).any() for e in examples]
    boundaries = [np.isnan(e.features["boundaries"]).all() for e in examples]
    assert np.mean(valence) == pytest.approx(0.3, abs=0.07)
    assert np.mean(boundaries) == pytest.approx(0.6, abs=0.07)
    assert not any(arousal)


def test_a_chord_is_removed_together_with_its_boundary() -> None:
    example = cut(0, Cropping(0.0, 0.0, 0, 1.0), start=1)
    assert not (example.ids == v.CHORD).any()
    assert (example.features["boundaries"][:, 0] == 1).all()  # none within the horizon
    kept = np.mean([(cut(s, Cropping(1.0, 0.0, 0, 0.2)).ids == v.CHORD).sum() for s in range(200)])
    whole = (cut(0, Cropping.plain(), start=1).ids == v.CHORD).sum()
    assert kept / whole == pytest.approx(0.8, abs=0.1)


def test_transposition_moves_the_pitches_and_nothing_else() -> None:
    seen = set()
    for seed in range(60):
        ids = cut(seed, Cropping(0.0, 0.0, 3, 0.0), start=1).ids
        moved = ids - np.append(IDS[0], IDS[1 : CONTEXT + 1])
        notes = ids >= v.NOTE
        assert not moved[~notes].any() and len(set(moved[notes])) == 1
        seen.add(int(moved[notes][0]))
    assert seen == set(range(-3, 4))


def test_what_is_asked_is_transposed_with_the_music() -> None:
    for seed in range(20):
        passage = replace(drawn(seed, Cropping(0.0, 0.0, 3, 0.0)), start=1)
        example = window(passage, (Chroma(),), CONTEXT)
        moved = [
            Chroma().from_music(TOKENIZER.decode(TOKENIZER.transpose(IDS, n))) for n in range(-3, 4)
        ]
        rows = example.features["chroma"][1].astype(np.float64) ** 2
        shares = [np.abs(m[0] - rows).max() for m in moved]
        semitones = int(np.argmin(shares)) - 3
        assert min(shares) < 1e-6
        assert example.ids[1:][example.ids[1:] >= v.NOTE].tolist() == [
            t for t in TOKENIZER.transpose(IDS, semitones)[1 : CONTEXT + 1] if t >= v.NOTE
        ]


def test_the_same_seed_gives_the_same_crop() -> None:
    how = Cropping(drop={"arousal": 0.5})
    for seed in range(20):
        a, b = cut(seed, how, {"valence": 0.1}), cut(seed, how, {"valence": 0.1})
        assert np.array_equal(a.ids, b.ids)
        assert all(np.array_equal(a.features[k], b.features[k], True) for k in a.features)


def test_a_window_asks_for_all_that_the_song_meets_or_for_the_time_alone() -> None:
    conditioners = (*CONDITIONERS, Metre())
    song = replace(Passage.of(IDS, TOKENIZER), start=30)
    told = window(song, conditioners, CONTEXT, Scale(0.0, 4.0))
    open_ = window(replace(song, dropped=droppable(conditioners)), conditioners, CONTEXT)
    assert np.array_equal(told.ids, open_.ids) and told.ids[0] == IDS[0]
    for c in conditioners:
        assert np.isnan(open_.features[c.name]).any() == (c.name != "metre")
        assert c.name == "valence_arousal" or not np.isnan(told.features[c.name]).any()
    assert np.isnan(told.features["valence_arousal"]).tolist() == [[True, False], [False, False]]


def test_chance_is_asked_in_one_order_so_that_a_run_goes_on_as_it_began() -> None:
    how = Cropping(0.0, 0.0, 3, 0.2, 0.25, {"valence": 0.3, "onset_density": 0.6}, 0.2)
    for seed in range(40):
        rng, twin = (np.random.default_rng(seed) for _ in range(2))
        passage = augment(IDS, TOKENIZER, CONDITIONERS, CONTEXT, rng, how, {"valence": 0.1})
        nothing = twin.random() < 0.2
        dropped = {name for name, share in how.drop.items() if twin.random() < share}
        stays = ~((IDS == v.CHORD) & (twin.random(len(IDS)) < 0.2))
        twin.random()  # from the start of the song, from a bar, or from anywhere
        start = int(twin.integers(1, stays.sum() - CONTEXT + 1))
        ids = TOKENIZER.transpose(IDS[stays], int(twin.integers(-3, 4)))
        chords = TOKENIZER.decode(ids).chords
        moved = np.maximum(chords + twin.uniform(-0.25, 0.25, len(chords)), 0.0)
        assert np.array_equal(passage.ids, ids) and passage.start == start
        assert passage.dropped == (dropped | droppable(CONDITIONERS) if nothing else dropped)
        assert np.array_equal(passage.requested.chords, moved)
        assert passage.requested.labels == {"valence": 0.1}
        assert rng.bit_generator.state == twin.bit_generator.state


def test_the_arousal_of_a_window_is_of_the_notes_between_its_first_and_last_token() -> None:
    times = TOKENIZER.timeline(IDS).times
    for start in (1, 200, len(IDS) - CONTEXT // 2, len(IDS) - 1):
        first, end = times[start], times[min(start + CONTEXT, len(IDS)) - 1]
        notes = [(c, on) for c, _, on, _ in song().rows.tolist() if first <= on <= end]
        playing = max(1, len({c for c, _ in notes}))
        expected = len(notes) / max(end - first, 1.0) / playing
        passage = replace(Passage.of(IDS, TOKENIZER), start=start)
        rows = window(passage, CONDITIONERS, CONTEXT, Scale(0.0, 8.0)).features["valence_arousal"]
        assert rows[1, 1] == pytest.approx(expected / 4 - 1, abs=1e-6)


def test_now_and_then_nothing_is_asked_but_the_time_of_the_music() -> None:
    metre = Metre()
    passages = [
        drawn(seed, Cropping(condition_dropout=0.4), {"valence": 0.5}) for seed in range(300)
    ]
    examples = [window(p, (*CONDITIONERS, metre), CONTEXT, Scale(0.0, 4.0)) for p in passages]
    open_rows = [
        all(np.isnan(e.features[c.name]).any(-1).all() for c in CONDITIONERS) for e in examples
    ]
    asked_rows = [not np.isnan(e.features["onset_density"]).any() for e in examples]
    assert np.mean(open_rows) == pytest.approx(0.4, abs=0.1)
    assert np.mean(open_rows) + np.mean(asked_rows) == 1
    assert not any(np.isnan(e.features[metre.name]).any() for e in examples)


def test_boundaries_are_asked_off_the_beat_by_no_more_than_told() -> None:
    plain, moved = (
        [cut(s, Cropping(0.0, 0.0, 0, 0.0, boundary_jitter=most), start=1) for s in range(40)]
        for most in (0.0, 0.25)
    )
    offsets = [e.features["boundaries"][:, 0] * 8 for e in moved]
    waits = [e.features["boundaries"][:, 0] * 8 for e in plain]
    shifts = np.array([a[0] - b[0] for a, b in zip(offsets, waits, strict=True)])
    assert np.abs(shifts).max() <= 0.25 + 1e-5
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(plain, moved, strict=True))
    assert shifts.std() > 0.05


def test_the_last_token_of_a_song_is_reached() -> None:
    crops = (cut(seed, Cropping.plain()).ids[1:] for seed in range(3000))
    assert any(np.array_equal(ids, IDS[-CONTEXT:]) for ids in crops)


ALL = (*CONDITIONERS, Metre(), Chords(), Instruments(), Given())
LONG = TOKENIZER.encode(song(400))
GIVING = replace(Cropping.plain(), theme=0.5, later=0.5)


def given(seed: int, cropping: Cropping = GIVING, conditioners: Sequence[Conditioner] = ALL,
          context: int = 240) -> Passage:  # fmt: skip
    rng = np.random.default_rng(seed)
    return augment(LONG, TOKENIZER, conditioners, context, rng, cropping, {})


def parts_of(passage: Passage, context: int) -> list[tuple[str, list[int]]]:
    """The parts of an example and their tokens, one token after another: the slow twin."""
    left = context
    for length in (len(passage.theme), passage.later):
        left -= length + 1 if length else 0
    main = [i for i in range(passage.start, passage.start + left) if i < len(passage.ids)]
    later = [i for i in range(main[-1] + 1, main[-1] + 1 + passage.later) if i < len(passage.ids)]
    parts = [("theme", list(passage.theme)), ("later", later), ("main", main)]
    return [(kind, tokens) for kind, tokens in parts if tokens]


def test_what_is_given_stands_before_and_each_row_is_that_of_its_own_time() -> None:
    kinds = set()
    for seed in range(24):
        passage = given(seed, replace(GIVING, transpose=3, boundary_jitter=0.25))
        example, parts = window(passage, ALL, 240), parts_of(passage, 240)
        tokens, beside = [], []
        for _, part in parts:
            tokens += [0, *part]  # each begins with the token that tells the instruments
            beside += [part[0] - 1, *part]
        assert np.array_equal(example.ids, passage.ids[tokens])
        assert len(tokens) == 241 and v.START not in example.ids[:-1][np.array(beside[:240]) > 1]
        for c in ALL[1:-1]:
            rows = c.features(c.from_music(passage.requested), passage.timeline)
            np.testing.assert_array_equal(example.features[c.name], rows[beside[:240]])
        kinds.add(tuple(kind for kind, _ in parts))
    assert kinds == {("main",), ("theme", "main"), ("later", "main"), ("theme", "later", "main")}


def test_each_token_is_told_whether_it_is_given_and_how_long_until_the_given_goes_on() -> None:
    for seed in range(24):
        passage = given(seed)
        rows, at = window(passage, ALL, 240).features["given"], 0
        times, parts = passage.timeline.times, parts_of(passage, 240)
        for kind, part in parts:
            for token in [part[0] - 1, *part]:
                if at == 240:
                    break
                if kind == "theme":
                    assert rows[at].tolist() == [1, 0, 0, 0]
                elif kind == "later":
                    assert rows[at].tolist() == [0, 1, 0, 0]
                elif passage.later:
                    wait = times[part[-1]] - times[token]
                    expected = [0, 0, min(wait, 8) / 8, np.exp(-min(wait, 8))]
                    assert rows[at] == pytest.approx(expected, abs=1e-4)
                else:
                    assert np.isnan(rows[at]).all()
                at += 1


def test_what_is_given_comes_as_often_as_asked_and_from_elsewhere() -> None:
    drawn = [given(seed, replace(GIVING, theme=0.3, later=0.6)) for seed in range(300)]
    assert np.mean([len(p.theme) > 0 for p in drawn]) == pytest.approx(0.3, abs=0.1)
    assert np.mean([p.later > 0 for p in drawn]) == pytest.approx(0.6, abs=0.1)
    for p in drawn:
        assert len(p.theme) <= 60 and p.later <= 48
        if p.theme:
            assert p.ids[p.theme[0]] == v.BAR
            assert p.theme[-1] < p.start or p.theme[0] >= p.start + 240
    assert len({p.theme[0] - p.start > 0 for p in drawn if p.theme}) == 2


def test_a_song_that_is_too_short_gives_nothing_and_is_read_wholly() -> None:
    short = LONG[:120]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        passage = augment(short, TOKENIZER, ALL, 240, rng, replace(GIVING, theme=1, later=1), {})
        assert not passage.theme and not passage.later
        assert parts_of(passage, 240) == [("main", list(range(1, 120)))]


def test_a_network_that_knows_nothing_of_given_music_is_given_none() -> None:
    for seed in range(20):
        passage = given(seed, replace(GIVING, theme=1.0, later=1.0), ALL[:-1])
        assert not passage.theme and not passage.later


def test_an_unconditional_example_keeps_what_is_given() -> None:
    for seed in range(12):
        told, nothing = (
            window(given(seed, replace(GIVING, condition_dropout=share)), ALL, 240)
            for share in (0.0, 1.0)
        )
        assert np.array_equal(told.ids, nothing.ids)
        np.testing.assert_array_equal(told.features["given"], nothing.features["given"])
        for name in ("chords", "instruments", "boundaries", "onset_density"):
            assert np.isnan(nothing.features[name]).all()
    assert droppable(ALL) >= {"chords", "instruments"} and "given" not in droppable(ALL)


def test_instruments_rest_only_where_they_are_told() -> None:
    how = replace(Cropping.plain(), rests=1.0)
    assert not np.array_equal(given(0, how).ids, LONG)
    for untold in (replace(how, condition_dropout=1.0), replace(how, drop={"instruments": 1.0})):
        assert np.array_equal(given(0, untold).ids, LONG)
    assert np.array_equal(given(0, how, CONDITIONERS).ids, LONG)
