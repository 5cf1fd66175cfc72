"""Songs as sums of tones."""

import numpy as np
import pytest
import torch

from emsync.errors import UsageError
from emsync.music.piece import DRUMS, PIANO, STRINGS, Piece, Played
from emsync.muvi.tones import SIZE, Bank, Notes, in_a_hall
from emsync.retrieval.drawn.playing import Hall
from emsync.sound import synthesis
from emsync.sound.mel import RATE

VOICES = [(0, False), (48, False), (0, True)]
PITCHES = (38, 60, 64, 67)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank.of(VOICES, PITCHES)


def passage() -> Played:
    classes = np.array([PIANO, DRUMS, PIANO, STRINGS, DRUMS, PIANO], np.uint8)
    pitches = np.array([60, 38, 64, 67, 38, 60], np.uint8)
    onsets = np.array([0.0, 0.25, 0.4, 0.5, 0.75, 0.9])
    offsets = np.array([1.2, 0.3, 0.7, 1.6, 0.8, 1.3])  # 60 is struck again before its end
    piece = Piece(classes, pitches, onsets, offsets, np.zeros(1), np.zeros(0))
    return Played(piece, np.array([90, 100, 70, 80, 60, 110], np.uint8), classes.astype(np.intp))


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_song_is_the_sum_of_its_notes(bank: Bank) -> None:
    notes, length = bank.notes(passage(), seeded()), 2 * RATE
    each = [bank.song(Notes(*(column[i : i + 1] for column in notes)), length) for i in range(6)]
    torch.testing.assert_close(bank.song(notes, length), torch.stack(each).sum(0))


def test_a_note_begins_on_its_sample_and_ends_with_the_song(bank: Bank) -> None:
    one = bank.places[(0, False), 60]
    tone = torch.zeros_like(bank.tones)
    tone[one] = 0.5
    place, start, held = (torch.tensor([number]) for number in (one, 1234, 500))
    note = Notes(place, start, held, torch.ones(1))
    sound = Bank(tone, bank.places).song(note, 4000)
    assert sound[:1234].abs().max() == 0
    assert (sound[1234:1734] == 0.5).all()
    assert (sound[1735:].diff() < 0).all() and sound[-1] > 0


def test_a_song_sounds_as_symusic_plays_it(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    from emsync.retrieval.drawn import playing

    voice = {PIANO: (0,), STRINGS: (48,), DRUMS: (0,)}
    for name, value in (("PROGRAMS", voice), ("VOLUMES", (100, 101))):
        monkeypatch.setattr(f"emsync.retrieval.drawn.playing.{name}", value)
        monkeypatch.setattr(f"emsync.muvi.tones.{name}", value)
    monkeypatch.setattr(synthesis, "_fluidsynth", lambda: None)
    ours = bank.song(bank.notes(passage(), seeded()), 2 * RATE).numpy()
    score = playing._score(passage(), seeded())
    theirs = synthesis.synthesize(score, rate=RATE).samples.mean(axis=1)[: 2 * RATE]
    missed = np.sqrt(np.mean((ours - theirs) ** 2) / np.mean(theirs**2))
    assert 20 * np.log10(missed) < -40


def test_voices_and_levels_are_seeded(bank: Bank) -> None:
    notes = [bank.notes(passage(), seeded(seed)) for seed in (1, 1, 2)]
    assert all(map(torch.equal, notes[0], notes[1]))
    assert not torch.equal(notes[0].gains, notes[2].gains)


def test_a_hall_is_seeded_and_as_loud_as_it_is_told(bank: Bank) -> None:
    song = bank.song(bank.notes(passage(), seeded()), 2 * RATE)
    hall = Hall(rate=RATE, gain=(-20.0, -20.0))
    heard = [in_a_hall(song, seeded(seed), hall) for seed in (1, 1, 2)]
    assert torch.equal(heard[0], heard[1]) and not torch.equal(heard[0], heard[2])
    assert 20 * heard[0].square().mean().sqrt().log10() == pytest.approx(-20, abs=0.1)
    dry = in_a_hall(song, seeded(), Hall(rate=RATE, wet=(0, 0), low_pass=(1e6, 1e6)))
    torch.testing.assert_close(dry / dry.norm(), song / song.norm(), atol=1e-5, rtol=0)


def test_a_bank_without_a_voice_or_a_pitch_is_refused(bank: Bank) -> None:
    few = Bank(bank.tones, {key: place for key, place in bank.places.items() if key[0][0] == 0})
    with pytest.raises(UsageError, match="no voice of the class 4"):
        few.notes(passage(), seeded())
    low = Bank(bank.tones, {key: place for key, place in bank.places.items() if key[1] < 67})
    with pytest.raises(UsageError, match="the pitch 67"):
        low.notes(passage(), seeded())
    assert bank.tones.shape == (len(VOICES) * len(PITCHES), SIZE)
