"""What the film's own sound says of its arousal, and in which words."""

import math
from dataclasses import replace

import numpy as np
import pytest

from emsync.emotion.belief import Belief
from emsync.emotion.sound import Passage, Sound, excitement, in_words, within
from emsync.encoders.tags import TAGS
from emsync.sound.listening import Heard
from emsync.sound.loudness import SILENT
from emsync.testing import check_estimator, example_footage


def heard(seconds: int = 10, **rows: object) -> Heard:
    """Return even sound of -20 LUFS, where ``rows`` do not say otherwise."""
    values = {"loudness": -20.0, "onsets": 3.0, "brightness": 900.0, "speech": 0.0, "music": 0.0}
    tags = np.full((seconds, len(TAGS)), 0.05)
    made = {name: np.full(seconds, rows.get(name, value)) for name, value in values.items()}
    return Heard(**made, tags=np.asarray(rows.get("tags", tags)))


def felt(sound: Heard | None, span: tuple[float, float] = (0.0, 10.0)) -> Belief:
    footage = replace(example_footage(), sound=sound)
    (belief,) = Sound().feel(footage, [span])
    return belief


def tagged(**shares: float) -> tuple[float, ...]:
    return tuple(shares.get(tag, 0.05) for tag in TAGS)


def test_it_keeps_the_rules_of_estimators() -> None:
    check_estimator(Sound())


@pytest.mark.parametrize(
    ("calm", "excited"),
    [
        (heard(loudness=-30.0), heard(loudness=-12.0)),
        (heard(onsets=1.0), heard(onsets=6.0)),
        (
            heard(music=1.0, tags=np.tile(tagged(slow=0.4), (10, 1))),
            heard(music=1.0, tags=np.tile(tagged(fast=0.4), (10, 1))),
        ),
    ],
    ids=["loud", "busy", "fast"],
)
def test_what_is_loud_busy_or_fast_is_exciting(calm: Heard, excited: Heard) -> None:
    assert felt(calm).arousal < felt(excited).arousal - 0.2


def test_syllables_excite_nobody() -> None:
    slow, quick = (felt(heard(speech=1.0, onsets=onsets)) for onsets in (2.0, 7.0))
    assert slow.arousal == quick.arousal


def test_without_sound_and_in_silence_it_has_no_say() -> None:
    for sound, words in ((None, "no sound"), (heard(loudness=SILENT), "silent")):
        belief = felt(sound)
        assert belief.arousal_sd == math.inf
        assert belief.words == words


def test_of_valence_it_has_no_say() -> None:
    assert felt(heard(music=1.0)).valence_sd == math.inf


def test_sound_for_a_part_of_a_span_says_less() -> None:
    sounding = np.arange(10) < 5
    half = heard(loudness=np.where(sounding, -12.0, SILENT), onsets=3.0 * sounding)
    whole, part = felt(half, (0.0, 5.0)), felt(half)
    assert part.arousal == pytest.approx(whole.arousal)
    assert part.arousal_sd == pytest.approx(whole.arousal_sd * math.sqrt(2))
    assert felt(half, (5.0, 10.0)).arousal_sd == math.inf


def test_loudness_is_the_mean_of_power_and_spans_may_cut_seconds() -> None:
    sound = heard(loudness=np.where(np.arange(10) % 2, -20.0, -10.0))
    (half,) = within(sound, 10.0, [(0.5, 1.5)])
    assert half.loudness == pytest.approx(10 * math.log10((0.1 + 0.01) / 2))
    (moment,) = within(sound, 10.0, [(4.001, 4.002)])
    assert moment.loudness == pytest.approx(-10.0)
    (last,) = within(sound, 10.4, [(10.1, 10.4)])  # the last row lasts to the end of the film
    assert last.loudness == pytest.approx(-20.0)


def test_tags_are_those_of_the_music() -> None:
    music = np.array([0.0] * 5 + [1.0] * 5)
    tags = np.array([tagged(rock=0.9)] * 5 + [tagged(piano=0.9)] * 5)
    (passage,) = within(heard(music=music, tags=tags), 10.0, [(0.0, 10.0)])
    assert passage.tags[TAGS.index("rock")] == pytest.approx(0.05)
    assert passage.tags[TAGS.index("piano")] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("passage", "words"),
    [
        (Passage(1.0, -30.0, 3.2, speech=0.8), "quiet, speech"),
        (
            Passage(1.0, -10.0, 4.0, music=1.0, tags=tagged(rock=0.6, drums=0.3, guitar=0.25)),
            "loud, busy, music: rock, drums",
        ),
        (Passage(1.0, -19.0, 3.2, music=0.9, tags=tagged(vocals=0.9, quiet=0.5)), "music"),
        (Passage(1.0, -19.0, 3.2, speech=0.5, music=0.5, tags=tagged()), "speech and music"),
        (Passage(1.0, -8.0, 6.0), "loud, busy"),
        (Passage(1.0, -8.0, 1.0), "loud, sparse"),
        (Passage(1.0, -19.0, 3.2), "nothing unusual"),
    ],
)
def test_words_are_what_is_heard(passage: Passage, words: str) -> None:
    assert in_words(passage) == words


def test_extremes_stay_on_the_plane() -> None:
    extremes = Passage(1.0, 30.0, 60.0, 0.0, 1.0, tagged(fast=1.0, slow=0.0))
    assert 1.0 < excitement(extremes) <= 2.0
