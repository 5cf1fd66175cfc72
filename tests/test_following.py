"""What is drawn from the events follows the lead sheet: chords and players."""

from bisect import bisect_right
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from emsync.conditioning import Floats
from emsync.errors import UsageError
from emsync.model.sampling import sample
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.chords import NONE, ROOTS, TONES, Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, LOWEST, PIANO, STRINGS
from emsync.options import Sampling
from emsync.tokens import Ids, LogitsProcessor, check_rules
from emsync_tokenizers import harmony, players
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

BAR = 256
EVENTS = Events(bar_steps=BAR)
EVERYONE = tuple(range(len(CLASSES)))
PITCH_CLASSES = (np.arange(v.KEYS) + LOWEST) % 12
STARTED = (v.MORE, v.START)


def sheet(chords: str = "Am F C G", *passages: Passage, each: float = 2.048) -> LeadSheet:
    """Return a sheet of chords that last ``each`` second."""
    numbers = np.array([parse_chord(name) for name in chords.split()])
    times = np.arange(len(numbers), dtype=np.float64) * each
    return LeadSheet(Harmony(times, numbers), passages or (Passage(0.0, 60.0),))


def wait(steps: int) -> list[int]:
    """Return the tokens that let so many steps pass."""
    full, rest = divmod(steps, v.LONGEST)
    return [v.NOTE - 1] * full + ([v.SHIFT + rest - 1] if rest else [])


def followed(name: str, lead: LeadSheet, tokens: list[int], scores: Floats) -> Floats:
    """Return (V,) scores after tokens, all read at once."""
    follow = EVENTS.followers([lead])[name]
    return follow(torch.tensor([[*STARTED, *tokens]]), torch.from_numpy(scores)[None])[0].numpy()


def notes(scores: Floats) -> Floats:
    """Return the (5, 2, 88) scores of notes."""
    return scores[v.NOTE :].reshape(len(CLASSES), 2, v.KEYS)


def some_scores(seed: int, forbidden: float = 0.3) -> Floats:
    """Return (V,) random scores of which a share is forbidden, and all ONs of the guitar."""
    chance = np.random.default_rng(seed)
    scores = chance.normal(0, 3, v.SIZE).astype(np.float32)
    scores[chance.random(v.SIZE) < forbidden] = -np.inf
    notes(scores)[GUITAR, 0] = -np.inf
    return scores


@given(st.integers(0, 10_000), st.integers(0, 600))
def test_an_instrument_s_chance_to_begin_a_note_stays_and_drums_are_left_alone(
    seed: int, steps: int
) -> None:
    scores = some_scores(seed)
    after = followed("harmony", sheet(), wait(steps), scores)
    assert np.allclose(
        logsumexp(notes(after)[:, 0], axis=1), logsumexp(notes(scores)[:, 0], axis=1), atol=1e-4
    )
    assert np.array_equal(np.isinf(after), np.isinf(scores))
    assert np.array_equal(after[: v.NOTE], scores[: v.NOTE])
    assert np.array_equal(notes(after)[DRUMS], notes(scores)[DRUMS])


def test_an_instrument_that_can_begin_no_tone_of_the_chord_keeps_its_chance() -> None:
    scores = np.zeros(v.SIZE, np.float32)
    foreign = TONES[parse_chord("Am")][PITCH_CLASSES] == 0
    notes(scores)[:, 0, ~foreign] = -np.inf
    assert np.allclose(followed("harmony", sheet(), wait(20), scores), scores, atol=1e-5)


def test_without_a_chord_nothing_changes() -> None:
    scores = some_scores(0)
    assert np.array_equal(followed("harmony", sheet("N N"), wait(5), scores), scores)
    late = LeadSheet(Harmony(np.array([4.0]), np.array([0])), (Passage(0.0, 60.0),))
    assert np.array_equal(followed("harmony", late, wait(499), scores), scores)
    assert not np.array_equal(followed("harmony", late, wait(500), scores), scores)


@pytest.mark.parametrize(
    ("steps", "strength"), [(BAR // 2, harmony.ON_HALF), (64, harmony.BETWEEN)]
)
def test_the_odds_of_a_chord_s_tone_rise_as_stated(steps: int, strength: float) -> None:
    scores = np.random.default_rng(1).normal(0, 3, v.SIZE).astype(np.float32)
    gained = notes(followed("harmony", sheet(), wait(steps), scores)) - notes(scores)
    a, c, d, e = (pitch - LOWEST for pitch in (45, 48, 50, 52))
    for instrument in (BASS, PIANO, STRINGS):
        assert gained[instrument, 0, e] - gained[instrument, 0, d] == pytest.approx(
            2 * strength, abs=1e-4
        )
    above = gained[PIANO, 0, a] - gained[PIANO, 0, e]
    assert above == pytest.approx(harmony.ROOT_ABOVE, abs=1e-4)
    assert gained[BASS, 0, a] - gained[BASS, 0, c] == pytest.approx(harmony.ROOT, abs=1e-4)
    assert gained[PIANO, 0, c] - gained[PIANO, 0, e] == pytest.approx(harmony.COLOUR, abs=1e-4)
    assert (gained[:, 1] == 0).all()


def test_a_tone_that_was_just_struck_keeps_its_own_chance_and_the_others_theirs() -> None:
    """So no chord is hammered for want of foreign tones; in the bass, the root alone is kept."""
    scores = some_scores(3, forbidden=0.0)
    notes(scores)[GUITAR, 0] = 0.0
    a, c, d = (pitch - LOWEST for pitch in (45, 48, 50))
    tokens = [v.on(i, pitch) for i in (BASS, PIANO) for pitch in (45, 48, 50)]
    now = followed("harmony", sheet(), tokens, scores)
    later = followed("harmony", sheet(), [*tokens, *wait(BAR // 2)], scores)
    for instrument, kept in ((BASS, [a]), (PIANO, [a, c])):
        ons, were = notes(later)[instrument, 0], notes(scores)[instrument, 0]
        assert np.flatnonzero(ons == were).tolist() == kept
        assert logsumexp(ons) == pytest.approx(logsumexp(were), abs=1e-3)
        assert ons[d] < were[d]
    assert (notes(now)[PIANO, 0] != notes(scores)[PIANO, 0]).all(), "they belong to this moment"


def test_between_half_bars_a_step_from_what_was_struck_keeps_its_own_chance() -> None:
    scores = some_scores(4, forbidden=0.0)
    notes(scores)[GUITAR, 0] = 0.0
    c = 60 - LOWEST
    tokens = [v.on(i, 60) for i in (BASS, PIANO)]
    for later, kept in ((32, [c - 2, c - 1, c, c + 1, c + 2]), (BAR // 2, [c])):
        ons = notes(followed("harmony", sheet(), [*tokens, *wait(later)], scores))[:, 0]
        same = ons == notes(scores)[:, 0]
        assert np.flatnonzero(same[PIANO]).tolist() == kept
        assert not same[BASS].any(), "no root of Am"


def test_a_seventh_gains_as_much_more_above_the_bass_as_a_third() -> None:
    scores = np.zeros(v.SIZE, np.float32)
    d, f = (pitch - LOWEST for pitch in (62, 77))  # the fifth, and the seventh
    for name, gain in (("G7", harmony.COLOUR), ("G", -2 * harmony.ON_HALF)):
        gained = notes(followed("harmony", sheet(name), [], scores))[:, 0]
        assert gained[PIANO, f] - gained[PIANO, d] == pytest.approx(gain, abs=1e-4)
        ninth = d + 7
        bass = gained[BASS, f] - gained[BASS, ninth]
        assert bass == pytest.approx(2 * harmony.ON_HALF * (name == "G7"), abs=1e-4)


def test_where_a_chord_begins_foreign_tones_lean_towards_their_end() -> None:
    scores = np.zeros(v.SIZE, np.float32)
    foreign = TONES[parse_chord("F")][PITCH_CLASSES] == 0
    for steps, asked in ((BAR - 1, False), (BAR, True), (BAR + 11, True), (BAR + 12, False)):
        offs = notes(followed("harmony", sheet(), wait(steps), scores))[1:, 1]
        assert np.array_equal(offs, np.tile(harmony.LETTING_GO * foreign * asked, (4, 1)))


def test_where_bars_differ_every_moment_may_begin_a_half_bar() -> None:
    scores = some_scores(2)
    follow = Events().followers([sheet()])["harmony"]
    ids = torch.tensor([[*STARTED, *wait(80)]])
    free = follow(ids, torch.from_numpy(scores)[None])[0].numpy()
    assert np.array_equal(free, followed("harmony", sheet(), wait(BAR // 2), scores))


def slow_harmony(lead: LeadSheet, ids: Ids, scores: Floats) -> Floats:
    """Return (V,) scores: the slow, obvious twin, from the whole history."""
    steps = np.round(EVENTS.timeline(ids).times * v.STEPS_PER_SECOND).astype(int)
    now = int(steps[-1])
    starts = [round(t * v.STEPS_PER_SECOND) for t in lead.harmony.starts.tolist()]
    at = bisect_right(starts, now) - 1
    chord = lead.harmony.chords[at]
    if chord == NONE:
        return scores
    half = now % (BAR // 2) == 0
    strength = harmony.ON_HALF if half else harmony.BETWEEN
    scores = scores.copy()
    for instrument, (ons, offs) in enumerate(notes(scores)):
        first = v.NOTE + instrument * 2 * v.KEYS
        begun = (ids >= first) & (ids < first + v.KEYS) & (steps < now)
        last = steps[begun].max(initial=-1)
        struck = set((ids[begun & (steps == last)] - first).tolist())
        kept_by = ROOTS if instrument == BASS else TONES
        again = [k for k in struck if instrument != DRUMS and kept_by[chord, PITCH_CLASSES[k]]]
        if not half and instrument not in (DRUMS, BASS):
            steps_away = {key + up for key in struck for up in (-2, -1, 1, 2)} - struck
            again += [key for key in steps_away if 0 <= key < v.KEYS]
        kept = ons[again]
        ons[again] = -np.inf
        before = logsumexp(ons)
        for key in range(v.KEYS) if instrument != DRUMS else ():
            tone = TONES[chord, PITCH_CLASSES[key]] > 0
            ons[key] += strength if tone else -strength
            above = (PITCH_CLASSES[key] - chord) % 12
            if above == 0 and instrument == BASS:
                ons[key] += harmony.ROOT
            elif above == 0:
                ons[key] += harmony.ROOT_ABOVE
            ons[key] += harmony.COLOUR * (instrument != BASS and tone and above in harmony.COLOURS)
            offs[key] += harmony.LETTING_GO * (not tone and now - starts[at] < harmony.LET_GO)
        if np.isfinite(before):
            ons += before - logsumexp(ons)
        ons[again] = kept
    return scores


def slow_players(lead: LeadSheet, ids: Ids, scores: Floats) -> Floats:
    """Return (V,) scores: the slow, obvious twin, from the whole history."""
    steps = np.round(EVENTS.timeline(ids).times * v.STEPS_PER_SECOND).astype(int)
    now, beat = int(steps[-1]), BAR / 4
    passage = lead.passages[lead.passage(now / v.STEPS_PER_SECOND)]
    begun = round(passage.start * v.STEPS_PER_SECOND)
    pitched = (ids >= v.NOTE + 2 * v.KEYS).any()
    seems = begun - (0 if pitched else players.OPENING * beat)
    scores = scores.copy()
    for instrument, (ons, offs) in enumerate(notes(scores)):
        first = v.NOTE + instrument * 2 * v.KEYS
        mine = (ids >= first) & (ids < first + 2 * v.KEYS)
        sounding = np.zeros(v.KEYS, np.bool_)
        for place in (ids[mine] - first).tolist():
            sounding[place % v.KEYS] = place < v.KEYS
        last = int(steps[mine][-1]) if mine.any() else -1
        if instrument not in passage.classes:
            ons[:] = -np.inf
            offs[sounding] += players.ENDING
        elif not sounding.any():
            since = last + players.REST * beat if last >= begun else seems
            ons += np.clip((now - since) / beat * players.GAIN, 0, players.MOST)
    return scores


@pytest.mark.parametrize(
    ("name", "twin"), [("harmony", slow_harmony), ("instruments", slow_players)]
)
def test_a_follower_says_what_its_slow_twin_says(name: str, twin: Any) -> None:
    sheets = [
        sheet("Am N C G", Passage(0.0, 3.0, (0, 3)), Passage(3.0, 9.0, (1, 2, 3))),
        sheet("Dm7 Bb Fmaj7 C", Passage(0.0, 5.0), Passage(5.0, 9.0, (4,)), each=1.3),
    ]
    ids = drawn(sheets, 300)
    follow = EVENTS.followers(sheets)[name]
    for t in range(2, ids.shape[1], 3):
        scores = np.stack([some_scores(2 * t), some_scores(2 * t + 1)])
        got = follow(torch.from_numpy(ids[:, :t]), torch.from_numpy(scores)).numpy()
        for b in range(2):
            assert np.allclose(got[b], twin(sheets[b], ids[b, :t], scores[b]), atol=1e-4), (t, b)


def drawn(sheets: list[LeadSheet], length: int, **off: bool) -> Ids:
    """Return (B, T) tokens drawn evenly from what the rules allow and the followers prefer."""
    chance = torch.Generator().manual_seed(0)
    filters: list[LogitsProcessor] = [make() for make in EVENTS.rules().values()]
    filters += [follow for name, follow in EVENTS.followers(sheets).items() if name not in off]
    ids = torch.tensor([STARTED] * len(sheets))
    for _ in range(length):
        scores = torch.zeros(len(sheets), v.SIZE)
        scores[:, [*EVENTS.excluded_ids, v.CHORD]] = -torch.inf  # a CHORD may have to wait
        scores[:, v.SHIFT : v.NOTE] += 2.0
        for one in filters:
            scores = one(ids, scores)
        assert torch.isfinite(scores).any(dim=1).all(), "a dead end: no token may follow"
        ids = torch.cat([ids, torch.multinomial(scores.softmax(-1), 1, generator=chance)], dim=1)
    return ids.numpy()


def test_who_is_not_asked_for_begins_no_note_and_soon_rests() -> None:
    passages = [
        Passage(0.0, 4.0, (DRUMS, PIANO, STRINGS)),
        Passage(4.0, 8.0, (BASS,)),
        Passage(8.0, 12.0, (DRUMS, BASS, STRINGS)),
    ]
    sheets = [sheet("Am F C G", *passages)] * 4
    for row in drawn(sheets, 900):
        piece = EVENTS.decode(row)
        assert piece.duration > 8
        for passage in passages:
            resting = ~np.isin(piece.classes, passage.classes)
            begun = (piece.onsets >= passage.start - 1e-6) & (piece.onsets < passage.end - 1e-6)
            assert not (resting & begun).any()
            held = resting & (piece.onsets < passage.start) & (piece.offsets > passage.start)
            assert (piece.offsets[held] < passage.start + 1.0).all()


@pytest.mark.parametrize("classes", [(), (BASS,), (DRUMS,)])
def test_few_players_or_none_leave_a_way_to_go_on(classes: tuple[int, ...]) -> None:
    alone = sheet("Am F", Passage(0.0, 1.0), Passage(1.0, 60.0, classes))
    assert EVENTS.decode(drawn([alone], 200)[0]).duration > 4


def test_who_is_asked_for_and_silent_gains_with_every_beat() -> None:
    asked = sheet("Am", Passage(0.0, 2.048), Passage(2.048, 60.0, (BASS, PIANO)))
    scores, beat = np.zeros(v.SIZE, np.float32), BAR // 4
    note = [v.on(PIANO, 60), *wait(beat), v.off(PIANO, 60)]

    def gained(tokens: list[int]) -> Floats:
        return notes(followed("instruments", asked, tokens, scores))[:, 0, 30]

    tone = [v.on(STRINGS, 60), *wait(beat), v.off(STRINGS, 60)]
    assert np.allclose(gained([v.on(DRUMS, 36)])[1:], players.OPENING * players.GAIN)
    assert (gained(tone[:1])[:STRINGS] == 0).all()
    assert np.allclose(gained([*tone, *wait(beat)])[:STRINGS], 2 * players.GAIN)
    assert np.allclose(gained([*tone, *wait(5 * BAR)])[PIANO], players.MOST)
    for beats, wanted in ((0, 0), (players.REST, 0), (players.REST + 2, 2 * players.GAIN)):
        tokens = [*tone, *wait(BAR - beat), *note, *wait(round(beats * beat))]
        assert gained(tokens)[PIANO] == pytest.approx(wanted)
    sounding = [*wait(BAR), v.on(PIANO, 60), *wait(2 * BAR)]
    assert gained(sounding)[PIANO] == 0


@pytest.fixture(scope="module")
def model() -> EventTransformer:
    torch.manual_seed(0)
    shape = ModelConfig(v.SIZE, 32, depth=1, heads=2, context=48, position_channels=16, dropout=0.0)
    model = EventTransformer(shape, ()).eval()
    with torch.no_grad():  # an untrained network would rarely wait
        model.head.bias[v.SHIFT : v.NOTE] += 2.0
    return model


def pieces(
    model: EventTransformer, sheets: list[LeadSheet] | None, seeds: list[int], **settings: Any
) -> list[Ids]:
    targets: list[Any] = [{}] * len(seeds)
    sampling = Sampling(**settings)
    return sample(model, EVENTS, targets, [3.0] * len(seeds), seeds, sampling, sheets=sheets)


def test_pieces_side_by_side_follow_their_own_sheets_as_each_does_alone(
    model: EventTransformer,
) -> None:
    sheets = [sheet("Am F C G", each=0.7), sheet("C", Passage(0.0, 9.0, (PIANO, BASS))), sheet("N")]
    together = pieces(model, sheets, [1, 2, 3])
    for lead, seed, ids in zip(sheets, (1, 2, 3), together, strict=True):
        (alone,) = pieces(model, [lead], [seed])
        assert np.array_equal(ids, alone)
    for ids, again in zip(together, pieces(model, sheets, [1, 2, 3]), strict=True):
        assert np.array_equal(ids, again)
    assert set(EVENTS.decode(together[1]).classes.tolist()) <= {PIANO, BASS}


def test_followers_can_be_lifted_by_name(model: EventTransformer) -> None:
    few = [sheet("Am F C G", Passage(0.0, 2.0, (PIANO,)), Passage(2.0, 9.0))]
    (plain,) = pieces(model, None, [0])
    (free,) = pieces(model, few, [0], rules_off=("harmony", "instruments"))
    (held,) = pieces(model, few, [0], rules_off=("harmony",))
    piece = EVENTS.decode(held)
    assert np.array_equal(plain, free)
    assert set(piece.classes[piece.onsets < 1.99].tolist()) == {PIANO}
    check_rules(EVENTS, ("harmony", "instruments"))
    with pytest.raises(UsageError, match=r"no rule 'melody'; .*, harmony, instruments, theme"):
        check_rules(EVENTS, ("melody",))
