"""Themes stand in the window while a passage takes them up, on a small untrained network."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from emsync.model import sliding_window
from emsync.model.primers import SHARE, Primers, written
from emsync.model.sampling import sample
from emsync.model.sliding_window import Excerpt, SlidingWindowDecoder
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import Harmony
from emsync.music.lead_sheet import THEME_BARS, LeadSheet, Passage
from emsync.music.piece import Piece
from emsync.options import Sampling
from emsync.tokens import Ids
from emsync_conditioners.boundaries import Boundaries
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
}


@pytest.fixture(scope="module")
def model() -> EventTransformer:
    torch.manual_seed(0)
    config = ModelConfig(
        v.SIZE, width=40, depth=2, heads=2, context=CONTEXT, position_channels=18, dropout=0.0
    )
    conditioners = (ValenceArousal(), Metre(), Boundaries(), OnsetDensity())
    model = EventTransformer(config, conditioners).eval()
    with torch.no_grad():  # an untrained network would rarely wait, and would look at nothing
        for block in model.blocks:
            torch.nn.init.normal_(block.get_parameter("attention.out.weight"), std=0.2)
        model.head.weight *= 10
        model.head.bias[v.SHIFT : v.NOTE] += 2.0
    return model


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
    model: EventTransformer, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not quick:
        monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    sheets = [sheet("ABAB"), sheet("AABA", 0.768), sheet("ABCD"), sheet("AAAA", 0.512)]
    seeds = [3, 4, 5, 6]
    together = drawn(model, sheets, seeds, guidance=1.5)
    for one, seed, ids in zip(sheets, seeds, together, strict=True):
        (alone,) = drawn(model, [one], [seed], guidance=1.5)
        assert np.array_equal(ids, alone)


@pytest.mark.parametrize("quick", [pytest.param(False, marks=pytest.mark.slow), True])
def test_stepping_with_a_primer_equals_reading_its_window(
    model: EventTransformer, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First token, primer, the newest tokens; later half of what the primer leaves; then none."""
    if not quick:
        monkeypatch.setattr(sliding_window, "_compile", lambda: False)
    chance, tokens = np.random.default_rng(0), 150
    ids = chance.integers(v.NOTE, v.SIZE, (2, tokens))
    rows = {
        c.name: chance.random((2, tokens, c.channels)).astype(np.float32) for c in model.per_token
    }
    prefix = {c.name: chance.random((2, 2, c.channels)).astype(np.float32) for c in model.prefix}
    decoder = SlidingWindowDecoder(model, {k: r.copy() for k, r in prefix.items()}, 2)
    seen, primed = [0], list[int]()  # by hand, of the second piece
    for t in range(tokens):
        if t == 30:
            primed = list(range(5, 20))
            primer = decoder.excerpt(1, 25, 10)
            assert np.array_equal(primer.ids, ids[1, 5:20])
            decoder.prime(1, primer)
        if t == 110:
            primed = []
            decoder.prime(1)
        logits = decoder.step(ids[:, t], {name: row[:, t] for name, row in rows.items()})
        seen = _window(seen, t, primed, t in (30, 110)) if t else [0]
        assert np.array_equal(decoder.ids[1, : decoder.lengths[1]], ids[1, [0, *primed, *seen[1:]]])
        index = [0, *primed, *seen[1:]]
        features = {name: torch.from_numpy(row[1:, index]) for name, row in rows.items()}
        features |= {name: torch.from_numpy(row[1:]) for name, row in prefix.items()}
        with torch.no_grad():
            plain = model(torch.from_numpy(ids[1:, index]), features)[0, -1].numpy()
        assert np.abs(logits[1] - plain).max() < (0.2 * plain.std() if quick else 1e-3)


def _window(seen: list[int], t: int, primed: list[int], changed: bool) -> list[int]:
    """Return what a piece sees but its primer once token ``t`` is read."""
    room = CONTEXT - len(primed)
    most = CONTEXT // 8 if primed else CONTEXT // 2
    newest = seen[1:][-most:] if changed else seen[1:]
    newest = [*newest, t]
    return [0, *(newest[-(room // 2) :] if len(newest) >= room else newest)]


class _Listener:
    """Stands in for a decoder: it has all tokens, and notes what it is primed with."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.primed: list[tuple[int, list[int]]] = []  # when, and with which tokens

    def excerpt(self, piece: int, first: int, last: int) -> Excerpt:
        at = len(self.read)
        return Excerpt(np.array(self.read[at - first : at - last], np.int64), {})

    def prime(self, piece: int, primer: Excerpt) -> None:
        self.primed.append((len(self.read), primer.ids.tolist()))


def listened(model: EventTransformer, lead: LeadSheet, tokens: list[int]) -> list[Any]:
    listener: Any = _Listener()
    primers = Primers(model, EVENTS, [lead], np.array(tokens[:1]), listener, [[0]])
    times = EVENTS.timeline(np.array(tokens)).times
    for t, token in enumerate(tokens):
        if t:
            primers.read(np.array([token]), times[t : t + 1])
        listener.read.append(token)
    return listener.primed


def bars(count: int, notes: int, first: int = 21) -> list[int]:
    """Return the tokens of bars of so many notes."""
    wait = v.SHIFT + 63
    one = [v.BAR, *(v.on(3, first + i) for i in range(notes)), wait]
    return one * count


def test_a_primer_is_the_first_bars_of_the_letter_s_first_passage(
    model: EventTransformer,
) -> None:
    lead = sheet("ABABC", 5 * 0.512)
    a, b = bars(5, 1), bars(5, 2, 40)
    primed = listened(model, lead, [v.MORE, v.START, *a, *b, *a, *b, *bars(5, 1)])
    wanted = [[], [], a[: 3 * THEME_BARS], b[: 4 * THEME_BARS], []]
    assert [primer for _, primer in primed] == wanted


def test_a_primer_is_of_whole_bars_if_any_fit_and_no_longer_than_its_passage(
    model: EventTransformer,
) -> None:
    most = int(CONTEXT * SHARE)
    for notes, wanted in ((3, 3 * 5), (8, 10), (30, most)):
        tokens = bars(5, notes)
        primed = listened(model, sheet("AA", 5 * 0.512), [v.MORE, v.START, *tokens, *tokens])
        assert primed[1][1] == tokens[:wanted]
    tokens = bars(1, 2)
    primed = listened(model, sheet("AA", 0.512), [v.MORE, v.START, *tokens, *tokens])
    assert primed[1][1] == tokens[:-1]  # without the wait that reaches the next passage


def test_what_a_person_gives_stands_there_from_the_start_with_the_rows_it_meets(
    model: EventTransformer, piece: Piece
) -> None:
    own = written(model, EVENTS, piece, most=40, copies=2)
    ids = EVENTS.encode(piece)
    assert np.array_equal(own[0].ids, ids[2 : 2 + len(own[0].ids)])
    assert ids[2 + len(own[0].ids)] == v.BAR
    assert np.isnan(own[1].rows["onset_density"]).all()
    assert np.array_equal(own[1].rows["metre"], own[0].rows["metre"])
    assert not np.isnan(own[0].rows["onset_density"]).any()
    lead = replace(sheet("AB"), themes={"A": piece})
    (ids,), (plain,) = drawn(model, [lead], [0]), drawn(model, None, [0])
    assert not np.array_equal(ids[:20], plain[:20])
