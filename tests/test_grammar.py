"""The rules of grammar accept real music, and whatever is drawn under them is music too."""

from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from symusic.core import ScoreTick

from emsync.data.songs import read_song
from emsync.music.piece import CLASSES, from_score
from emsync.testing import example_piece, refusals
from emsync.tokens import Ids, Tokenizer
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events
from emsync_tokenizers.grammar import LONGEST, RULES, VOICES, Polyphony
from emsync_tokenizers.miditok_tsd import MarkedTSD
from emsync_tokenizers.tsd import Tsd


def drawn(tokenizer: Tokenizer, batch: int, length: int, without: str = "") -> Ids:
    """Return (B, T) tokens drawn evenly from those that the rules allow."""
    chance = torch.Generator().manual_seed(0)
    rules = [make() for name, make in tokenizer.rules().items() if name != without]
    header = torch.from_numpy(tokenizer.header(5))
    ids = header.new_zeros(batch, length)
    ids[:, : len(header)] = header
    for t in range(len(header), length):
        scores = torch.zeros(batch, tokenizer.vocab_size)
        scores[:, list(tokenizer.excluded_ids)] = -torch.inf
        for rule in rules:
            scores = rule(ids[:, :t], scores)
        assert torch.isfinite(scores).any(dim=1).all(), "a dead end: no token may follow"
        ids[:, t] = torch.multinomial(scores.softmax(-1), 1, generator=chance)[:, 0]
    return ids.numpy()


def parts(token: int) -> tuple[int, int, bool]:
    """Return the instrument and the key of a note's token, and whether the note begins."""
    instrument, place = divmod(token - v.NOTE, 2 * v.KEYS)
    return instrument, place % v.KEYS, place < v.KEYS


def is_shift(token: int) -> bool:
    return v.SHIFT <= token < v.NOTE


@pytest.fixture(scope="module")
def nonsense() -> Ids:
    return drawn(Events(), batch=3, length=900)


def test_no_off_is_drawn_for_a_note_that_does_not_sound(nonsense: Ids) -> None:
    for row in nonsense.tolist():
        sounding = set()
        for token in (t for t in row if t >= v.NOTE):
            instrument, key, begins = parts(token)
            if begins:
                sounding.add((instrument, key))
            else:
                sounding.remove((instrument, key))


@pytest.mark.slow
def test_no_instrument_has_more_notes_at_once_than_voices() -> None:
    most = dict.fromkeys(range(len(CLASSES)), 0)
    for row in drawn(Events(), batch=3, length=900, without="length").tolist():
        sounding: dict[int, set[int]] = {c: set() for c in range(len(CLASSES))}
        for token in (t for t in row if t >= v.NOTE):
            instrument, key, begins = parts(token)
            (sounding[instrument].add if begins else sounding[instrument].discard)(key)
            most[instrument] = max(most[instrument], len(sounding[instrument]))
    assert [most[c] for c in range(len(CLASSES))] == [VOICES[name] for name in CLASSES]


def test_each_instant_is_drawn_in_order_and_ends(nonsense: Ids) -> None:
    def place(token: int) -> tuple[int, int]:
        if token >= v.NOTE:
            return (3 if parts(token)[2] else 0), token
        return 1 + (token == v.CHORD), 0

    for row in nonsense[:, 2:].tolist():
        instant: list[tuple[int, int]] = []
        for token in row:
            if is_shift(token):
                assert instant == sorted(set(instant))
                instant = []
            else:
                instant.append(place(token))


def test_only_a_whole_second_is_followed_by_another_shift(nonsense: Ids) -> None:
    for row in nonsense.tolist():
        for token, after in pairwise(row):
            assert not (is_shift(token) and is_shift(after)) or token == v.NOTE - 1


def test_what_is_drawn_under_the_rules_is_what_its_music_is_encoded_as(nonsense: Ids) -> None:
    for row in nonsense:
        ids = row[: np.flatnonzero((row >= v.SHIFT) & (row < v.NOTE))[-1] + 1]
        decoded = Events().decode(ids)
        struck = ids[ids >= v.NOTE]
        begins = ((struck - v.NOTE) % (2 * v.KEYS) < v.KEYS).sum()
        assert len(decoded) == begins
        again = Events().decode(Events().encode(decoded))
        assert np.array_equal(again.onsets, decoded.onsets)
        assert np.array_equal(again.offsets, decoded.offsets)


@pytest.mark.parametrize("name", sorted(RULES))
def test_each_rule_forbids_something_that_the_others_allow(name: str) -> None:
    free = drawn(Events(), 1, 400, without=name)[0]
    assert refusals(Events(), name, free, 2)


def test_a_rule_reads_tokens_together_as_it_reads_them_one_by_one() -> None:
    ids = torch.from_numpy(np.stack([Events().encode(example_piece())] * 2))
    ids[1] = torch.roll(ids[1], 7)
    scores = torch.zeros(2, v.SIZE)
    for make in RULES.values():
        slow, fast = make(), make()
        for end in range(ids.shape[1]):
            stepwise = slow(ids[:, :end], scores)
        assert torch.equal(stepwise, fast(ids[:, : ids.shape[1] - 1], scores))


def test_a_rule_leaves_the_scores_it_is_given_as_they_are() -> None:
    scores = torch.zeros(1, v.SIZE)
    for make in RULES.values():
        make()(torch.tensor([[v.MORE, v.START, v.on(3, 60)]]), scores)
    assert (scores == 0).all()


def test_a_full_instrument_may_end_a_note_and_then_begin_another() -> None:
    rule, scores = Polyphony(), torch.zeros(1, v.SIZE)
    ids = torch.tensor([[v.on(1, 40), v.on(1, 45), v.on(1, 52), v.off(1, 40)]])
    assert torch.isinf(rule(ids[:, :3], scores)[0, v.on(1, 21) : v.on(1, 108) + 1]).all()
    assert torch.isfinite(rule(ids, scores)).all()


@pytest.mark.slow
def test_the_rules_forbid_no_real_song_but_where_it_has_more_notes_than_voices(
    shared: Path,
) -> None:
    paths = sorted((shared / "corpus" / "multitrack").rglob("*.mid"))[::20]
    paths += sorted((shared / "corpus" / "lpd-samples" / "lpd_cleansed").rglob("*.npz"))[:3]
    assert len(paths) > 10
    crowded = total = 0
    for path in paths:
        ids = Events().encode(read_song(path))[:2000]
        assert refusals(Events(), "sounding", ids, 2) == []
        assert refusals(Events(), "order", ids, 2) == []
        refused = refusals(Events(), "polyphony", ids, 2)
        assert all(parts(int(ids[i]))[2] for i in refused)
        crowded += len(refused)
        total += int((ids >= v.NOTE).sum()) // 2
    assert crowded < 0.05 * total


@pytest.mark.slow
def test_tsd_s_succession_forbids_no_real_song(shared: Path) -> None:
    for path in sorted((shared / "corpus" / "multitrack").rglob("*.mid"))[::40]:
        assert refusals(Tsd(), "succession", Tsd().encode(from_score(ScoreTick(path)))) == []


@pytest.mark.slow
def test_tsd_s_notes_drawn_under_its_rule_are_whole() -> None:
    ids = drawn(Tsd(), 1, 500)[0]
    names = [MarkedTSD()[int(i)].split("_")[0] for i in ids]
    for kind, after in pairwise(names):
        assert not kind.startswith("Pitch") or after == "Duration"
        assert kind != "Program" or after.startswith("Pitch")


def test_no_note_is_much_longer_than_real_ones_whatever_is_drawn(nonsense: Ids) -> None:
    for row in nonsense:
        piece = Events().decode(row)
        for c, name in enumerate(CLASSES):
            lengths = (piece.offsets - piece.onsets)[piece.classes == c]
            # the last shift may go beyond by up to a second
            assert 0 < lengths.max() <= LONGEST[name] + 1.0


def test_bars_of_one_length_are_never_passed_over_and_notes_begin_on_their_grid() -> None:
    bar = 256
    for row in drawn(Events(bar_steps=bar), batch=3, length=700):
        times = np.round(Events().timeline(row).times * v.STEPS_PER_SECOND).astype(int)
        bars = times[row == v.BAR]
        assert (np.diff(bars) == bar).all() and bars[0] == 0 and len(bars) > 3
        begins = (row >= v.NOTE) & ((row - v.NOTE) % (2 * v.KEYS) < v.KEYS)
        within = times[begins | (row == v.CHORD)] % (bar // 4)
        assert set(within.tolist()) <= {0, 16, 21, 32, 43, 48}


def test_the_metre_forbids_no_song_of_one_tempo_but_notes_between_its_sixteenths(
    shared: Path,
) -> None:
    for path in sorted((shared / "corpus/lpd-samples/lpd_cleansed").rglob("*.npz"))[:3]:
        tokenizer = Events(bar_steps=256)
        ids = tokenizer.encode(read_song(path, 60 * 125 / 64))[:3000]
        refused = refusals(tokenizer, "metre", ids, start=2)
        steps = np.round(tokenizer.timeline(ids).times * v.STEPS_PER_SECOND).astype(int) % 64
        for i in refused:
            assert ids[i] != v.BAR
            assert steps[i] not in (0, 16, 21, 32, 43, 48), (i, ids[i])


def test_rules_stand_in_a_list_of_transformers_logits_processors() -> None:
    from transformers.generation.logits_process import LogitsProcessorList

    tokenizer = Events()
    ids = torch.from_numpy(tokenizer.encode(example_piece()))[None, :40]
    scores = torch.zeros(1, tokenizer.vocab_size)
    alone = scores
    for make in tokenizer.rules().values():
        alone = make()(ids, alone)
    listed = LogitsProcessorList([make() for make in tokenizer.rules().values()])
    assert torch.equal(listed(cast("torch.LongTensor", ids), scores), alone)
    assert torch.isinf(alone).any()
