"""Themes and later music stand in the window, on small untrained networks.

One was taught music that is given, by its condition; the other reads a theme as a primer.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from emsync.conditioning import Conditioner, knows_given, null_targets
from emsync.model import sliding_window
from emsync.model.passages import LATER, SHARE, Passages
from emsync.model.primers import Primers
from emsync.model.sampling import sample
from emsync.model.sliding_window import NOTHING, Excerpt, SlidingWindowDecoder
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import Harmony
from emsync.music.lead_sheet import THEME_BARS, LeadSheet, Passage
from emsync.music.piece import Piece
from emsync.options import Sampling
from emsync.tokens import Ids
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.given import Given
from emsync_conditioners.metre import Metre
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

CONTEXT = 48
EVENTS = Events(bar_steps=64)  # bars of half a second, so that a theme is soon over
TARGETS = {
    "valence_arousal": np.array([[0.0, 0.5, np.nan]], np.float32),
    "metre": np.arange(0, 20, 0.512).astype(np.float32),
    "boundaries": np.array([1.0, 5.0], np.float32),
    "onset_density": np.array([4.0, np.nan], np.float32),
    "given": np.array([np.nan], np.float32),
}
KNOWN = (ValenceArousal(), Metre(), Boundaries(), OnsetDensity())


def network(*more: Conditioner) -> EventTransformer:
    torch.manual_seed(0)
    added = tuple(c.name for c in more)
    config = ModelConfig(
        v.SIZE, 40, depth=2, heads=2, context=CONTEXT, position_channels=18, dropout=0.0,
        added=added,
    )  # fmt: skip
    model = EventTransformer(config, (*KNOWN, *more)).eval()
    with torch.no_grad():  # an untrained network would rarely wait, and would look at nothing
        for block in model.blocks:
            torch.nn.init.normal_(block.get_parameter("attention.out.weight"), std=0.2)
        for name in added:
            torch.nn.init.normal_(model.conditions.encoders[name][2].weight)  # type: ignore[index]
        model.head.weight *= 10
        model.head.bias[v.SHIFT : v.NOTE] += 2.0
    return model


@pytest.fixture(scope="module", params=[False, True], ids=["primed", "taught"])
def model(request: pytest.FixtureRequest) -> EventTransformer:
    """A network that was not taught what is given, and one that was."""
    return network(Given()) if request.param else network()


@pytest.fixture(scope="module")
def taught() -> EventTransformer:
    return network(Given())


def sheet(letters: str, each: float = 1.024) -> LeadSheet:
    """Return a sheet without chords whose passages have ``letters``; "-" is none."""
    passages = tuple(
        Passage(i * each, (i + 1) * each, theme=letter.replace("-", ""))
        for i, letter in enumerate(letters)
    )
    return LeadSheet(Harmony(np.zeros(1), np.array([-1])), passages)


def drawn(
    model: EventTransformer, sheets: list[LeadSheet] | None, seeds: list[int], **settings: Any
) -> list[Ids]:
    sampling = Sampling(rules_off=("harmony", "instruments", "theme"), **settings)
    ends = [4.0] * len(seeds)
    return sample(model, EVENTS, [TARGETS] * len(seeds), ends, seeds, sampling, sheets=sheets)


def begun(ids: Ids, seconds: float) -> int:
    """Return how many tokens end before ``seconds``."""
    return int((EVENTS.timeline(ids).times < seconds - 1e-6).sum())


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_where_no_letter_returns_drawing_is_unchanged(
    model: EventTransformer, guidance: float
) -> None:
    (plain,) = drawn(model, None, [0], guidance=guidance)
    for letters in ("ABCD", "A-B-", "----", "A"):
        (ids,) = drawn(model, [sheet(letters)], [0], guidance=guidance)
        assert np.array_equal(ids, plain)


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_music_changes_where_a_letter_returns_and_not_before(
    model: EventTransformer, guidance: float
) -> None:
    (plain,) = drawn(model, None, [0], guidance=guidance)
    for letters, seconds in (("AA--", 1.024), ("ABA-", 2.048), ("ABCA", 3.072)):
        (ids,) = drawn(model, [sheet(letters)], [0], guidance=guidance)
        same = begun(ids, seconds) + 1  # with the wait that reaches the passage
        assert np.array_equal(ids[:same], plain[:same])
        assert not np.array_equal(ids, plain)


@pytest.mark.parametrize("quick", [pytest.param(False, marks=pytest.mark.slow), True])
def test_each_piece_of_a_batch_is_the_piece_drawn_alone(
    model: EventTransformer, quick: bool, piece: Piece, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not quick:
        monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    told = replace(sheet("ABAA", 0.512), resumes=4.0, later=piece)
    sheets = [sheet("ABAB"), sheet("AABA", 0.768), sheet("ABCD"), told]
    seeds = [3, 4, 5, 6]
    together = drawn(model, sheets, seeds, guidance=1.5)
    for one, seed, ids in zip(sheets, seeds, together, strict=True):
        (alone,) = drawn(model, [one], [seed], guidance=1.5)
        assert np.array_equal(ids, alone)


@pytest.mark.parametrize("quick", [pytest.param(False, marks=pytest.mark.slow), True])
def test_stepping_with_given_music_equals_reading_its_window(
    model: EventTransformer, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given, first token, the newest tokens; later half of what is left; then none."""
    if not quick:
        monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    chance, tokens = np.random.default_rng(0), 150
    ids = chance.integers(v.NOTE, v.SIZE, (2, tokens))
    rows = {
        c.name: chance.random((2, tokens, c.channels)).astype(np.float32) for c in model.per_token
    }
    prefix = {c.name: chance.random((2, 2, c.channels)).astype(np.float32) for c in model.prefix}
    decoder = SlidingWindowDecoder(model, {k: r.copy() for k, r in prefix.items()}, 2)
    seen, given = [0], list[int]()  # by hand, of the second piece
    newest = CONTEXT // 8
    for t in range(tokens):
        if t == 30:
            given = list(range(5, 20))
            excerpt = decoder.excerpt(1, 25, 10)
            assert np.array_equal(excerpt.ids, ids[1, 5:20])
            decoder.give(1, excerpt, newest)
        if t == 110:
            given, newest = [], CONTEXT // 2
            decoder.give(1, NOTHING, newest)
        logits = decoder.step(ids[:, t], {name: row[:, t] for name, row in rows.items()})
        if t:
            seen = _window(seen, t, CONTEXT - len(given), newest if t in (30, 110) else CONTEXT)
        index = [*given, *seen] if knows_given(model.conditioners) else [0, *given, *seen[1:]]
        assert np.array_equal(decoder.window(1).ids, ids[1, index])
        features = {name: torch.from_numpy(row[1:, index]) for name, row in rows.items()}
        features |= {name: torch.from_numpy(row[1:]) for name, row in prefix.items()}
        with torch.no_grad():
            plain = model(torch.from_numpy(ids[1:, index]), features)[0, -1].numpy()
        assert np.abs(logits[1] - plain).max() < (0.2 * plain.std() if quick else 1e-3)


def _window(seen: list[int], t: int, room: int, most: int) -> list[int]:
    """Return what a piece sees of its own once token ``t`` is read."""
    newest = [*seen[1:][-most:], t]
    return [0, *(newest[-(room // 2) :] if len(newest) >= room else newest)]


class _Listener:
    """Stands in for a decoder: it has all tokens, and notes what it is given."""

    context = CONTEXT

    def __init__(self, model: EventTransformer) -> None:
        self.conditions = model.per_token
        self.read: list[int] = []
        self.given: list[tuple[int, list[int]]] = []  # when, and which tokens

    def excerpt(self, piece: int, first: int, last: int) -> Excerpt:
        at = len(self.read)
        assert at >= first
        rows = {c.name: np.zeros((first - last, c.channels), np.float32) for c in self.conditions}
        return Excerpt(np.array(self.read[at - first : at - last], np.int64), rows)

    def give(self, piece: int, given: Excerpt, newest: int) -> None:
        self.given.append((len(self.read), given.ids.tolist()))


def listened(model: EventTransformer, lead: LeadSheet, tokens: list[int]) -> list[list[int]]:
    """Return what is given to a piece, one after the other, while it reads ``tokens``."""
    listener: Any = _Listener(model)
    primers = Primers(EVENTS, [lead], [Passages(model, EVENTS, tokens[0])], listener, [[0]])
    times = EVENTS.timeline(np.array(tokens)).times
    for t, token in enumerate(tokens):
        primers.read(np.array([token]), times[t : t + 1])
        listener.read.append(token)
    return [given for _, given in listener.given]


def as_read(model: EventTransformer, theme: list[int]) -> list[int]:
    return [v.MORE, *theme] if knows_given(model.conditioners) else theme


def bars(count: int, notes: int, first: int = 21) -> list[int]:
    """Return the tokens of bars of so many notes."""
    wait = v.SHIFT + 63
    one = [v.BAR, *(v.on(3, first + i) for i in range(notes)), wait]
    return one * count


@pytest.mark.parametrize("header", [[v.MORE, v.START], [v.MORE]])  # whole, or from within a song
def test_a_theme_is_the_first_bars_of_the_letter_s_first_passage(
    model: EventTransformer, header: list[int]
) -> None:
    lead = sheet("ABABC", 5 * 0.512)
    a, b = bars(5, 1), bars(5, 2, 40)
    given = listened(model, lead, [*header, *a, *b, *a, *b, *bars(5, 1)])
    themes = a[: 3 * THEME_BARS], b[: 4 * THEME_BARS]
    assert given == [[], *(as_read(model, theme) for theme in themes), []]


def test_a_theme_is_of_whole_bars_if_any_fit_and_no_longer_than_its_passage(
    model: EventTransformer,
) -> None:
    most = int(CONTEXT * SHARE)
    for notes, wanted in ((3, 3 * 5), (8, 10), (30, most)):
        tokens = bars(5, notes)
        given = listened(model, sheet("AA", 5 * 0.512), [v.MORE, v.START, *tokens, *tokens])
        assert given[1] == as_read(model, tokens[:wanted])
    tokens = bars(1, 2)
    given = listened(model, sheet("AA", 0.512), [v.MORE, v.START, *tokens, *tokens])
    # without the wait that reaches the next passage
    assert given[1] == as_read(model, tokens[:-1])


def test_what_a_person_gives_stands_there_from_the_start_with_the_rows_it_meets(
    model: EventTransformer, piece: Piece
) -> None:
    passages = Passages(model, EVENTS, v.FEWER, unguided=["given"])
    told, untold = passages.written(piece, "theme", most=40)
    ids = EVENTS.encode(piece)
    body = told.ids[1:] if knows_given(model.conditioners) else told.ids
    assert np.array_equal(body, ids[2 : 2 + len(body)])
    assert ids[2 + len(body)] == v.BAR
    assert np.isnan(untold.rows["onset_density"]).all()
    assert np.array_equal(untold.rows["metre"], told.rows["metre"])
    assert not np.isnan(told.rows["onset_density"]).any()
    lead = replace(sheet("AB"), themes={"A": piece})
    (ids,), (plain,) = drawn(model, [lead], [0]), drawn(model, None, [0])
    assert not np.array_equal(ids[:20], plain[:20])


def test_rows_of_a_passage_are_those_of_its_own_times_but_for_what_it_is(
    taught: EventTransformer, piece: Piece
) -> None:
    ids = EVENTS.encode(piece)
    timeline = EVENTS.timeline(ids)
    met = {c.name: c.from_music(piece) for c in taught.conditioners}
    for kind, row in (("theme", [1, 0, 0, 0]), ("later", [0, 1, 0, 0])):
        passages = Passages(taught, EVENTS, v.FEWER, unguided=["given"])
        made = passages.written(piece, kind, most=40)  # type: ignore[arg-type]
        for passage, targets in zip(made, (met, null_targets(KNOWN, met)), strict=True):
            n = len(passage)
            assert passage.ids[0] == v.FEWER  # with the rows of the moment before
            for c in KNOWN[1:]:
                rows = c.features(targets[c.name], timeline)[1 : 1 + n]
                np.testing.assert_array_equal(passage.rows[c.name], rows)
            assert (passage.rows["given"] == row).all()


def test_guidance_presses_on_what_is_given_unless_that_is_unguided(
    taught: EventTransformer, piece: Piece
) -> None:
    lead = replace(sheet("A", 4.0), themes={"A": piece}, resumes=4.0, later=piece)
    for unguided in ((), ("given",)):
        made = Passages(taught, EVENTS, v.FEWER, unguided)
        for told, untold in (made.theme(piece), made.later(lead)):
            assert len(told) and len(untold) == len(told) * len(unguided)
    (guided,) = drawn(taught, [lead], [0], guidance=2.0)
    (unguided_too,) = drawn(taught, [lead], [0], guidance=2.0, unguided=("given",))
    assert not np.array_equal(guided, unguided_too)


def test_a_theme_that_is_written_keeps_the_rows_it_met(taught: EventTransformer) -> None:
    """Beside the token for the instruments stand those of the moment before the theme."""
    chance = np.random.default_rng(0)
    ids = np.array([v.MORE, v.START, *bars(3, 2), *bars(1, 1)])
    times = EVENTS.timeline(ids).times
    rows = {c.name: chance.random((1, len(ids), c.channels), np.float32) for c in taught.per_token}
    prefix = {c.name: np.zeros((1, 1, c.channels), np.float32) for c in taught.prefix}
    decoder = SlidingWindowDecoder(taught, prefix, 1)
    lead = sheet("BAA", 1 * 0.512)
    primers = Primers(EVENTS, [lead], [Passages(taught, EVENTS, v.MORE)], decoder, [[0]])
    for t, token in enumerate(ids):
        primers.read(ids[t : t + 1], times[t : t + 1])
        decoder.step(ids[t : t + 1], {name: row[:, t] for name, row in rows.items()})
        if token == v.BAR and times[t] > 1.0:
            break
    theme = slice(5, 5 + 4)  # the wait that reaches it, its bar line, two notes
    wanted = [v.MORE, *ids[theme][1:]]
    assert decoder.given[0].ids.tolist() == wanted
    for name, row in rows.items():
        met = np.tile([1, 0, 0, 0], (4, 1)) if name == "given" else row[0, theme]
        np.testing.assert_array_equal(decoder.given[0].rows[name], met)


def test_later_music_stands_after_the_theme_all_the_time(
    taught: EventTransformer, piece: Piece
) -> None:
    lead = replace(sheet("AB"), themes={"A": piece}, resumes=2.0, later=piece)
    passages = Passages(taught, EVENTS, v.MORE)
    later = passages.later(lead)[0]
    theme = passages.theme(piece, later)[0]
    assert 0 < len(later) <= 1 + CONTEXT * LATER
    assert 0 < len(theme) <= 1 + CONTEXT * SHARE - len(later)
    given = listened(taught, lead, [v.MORE, v.START, *bars(2, 1), *bars(2, 1)])
    both = [*theme.ids.tolist(), *later.ids.tolist()]
    assert given == [later.ids.tolist(), both, later.ids.tolist()]


def test_later_music_changes_what_is_drawn_by_a_network_that_was_taught_to_read_it(
    model: EventTransformer, piece: Piece
) -> None:
    lead = replace(sheet("A", 4.0), resumes=4.0, later=piece)
    for guidance in (1.0, 2.0):
        (ids,) = drawn(model, [lead], [0], guidance=guidance)
        (plain,) = drawn(model, None, [0], guidance=guidance)
        assert np.array_equal(ids, plain) != knows_given(model.conditioners)


def test_given_music_without_notes_is_nothing(model: EventTransformer, piece: Piece) -> None:
    empty = piece.where(piece.onsets < 0)
    lead = replace(sheet("A", 4.0), themes={"A": empty}, resumes=4.0, later=empty)
    (ids,), (plain,) = drawn(model, [lead], [0]), drawn(model, None, [0])
    assert np.array_equal(ids, plain)


def test_given_music_that_is_too_long_leaves_room(model: EventTransformer, piece: Piece) -> None:
    lasts = np.array([0.0, 0.0, piece.duration, piece.duration])
    long = Piece.of(
        np.concatenate([piece.rows + i * lasts for i in range(9)])
    )  # without a bar line
    lead = replace(sheet("AABA"), themes={"A": long}, resumes=4.0, later=long)
    (ids,) = drawn(model, [lead], [0], guidance=1.5)
    assert EVENTS.timeline(ids).times[-1] >= 4.0
    passages = Passages(model, EVENTS, v.MORE)
    later, _ = passages.later(lead)
    theme, _ = passages.theme(long, later)
    assert len(theme) + len(later) <= CONTEXT * SHARE + 1
