"""Arousal from the film's own sound: how loud and how busy it is.

Loudness and tempo are what tells the arousal of music and of speech best (Coutinho & Cangelosi
2011), and the energy of the sound is a part of it in films (Hanjalic & Xu 2005). Both are counted
in standard deviations from ordinary sound, and their mean is taken. Of valence it says nothing:
what tells it in one collection of music does not in another (see ``docs/emotion.md``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from emsync.arrays import Float64s
from emsync.emotion.belief import ORDINARY, UNUSUAL, Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.encoders.tags import TAGS
from emsync.sound.listening import Heard
from emsync.sound.loudness import SILENT
from emsync.video.footage import Footage, Needs

# What is ordinary, mean and SD. Films for television are -23 LUFS (EBU R 128), on the web -14; the
# rest is of 1,199 songs of Lakh Pianoroll: onsets a second, and log of the tags fast / slow.
LOUDNESS = (-19.0, 5.0)
ONSETS = (3.2, 1.2)
TEMPO = (-1.4, 1.5)
MOST = 2.0  # SDs that are counted
WIDTH = 0.4  # of the arousal: the error on shots judged by people; see ``docs/emotion.md``
LEAST = 0.001  # a share that is none; a probability that is as good as none
SAID = 0.5  # from which on speech and music are spoken of
TAGGED, MOST_TAGS = 0.2, 2  # probability of a tag that is spoken of, and how many are
UNSAID = {
    "vocal", "vocals", "no vocal", "no vocals", "male vocal", "female vocal", "male", "female",
    "voice", "no voice", "male voice", "female voice", "man", "woman", "classic", "beats",
    "loud", "quiet",  # which is measured
}  # fmt: skip
NO_SOUND, SILENCE = Belief(words="no sound"), Belief(words="silent")


@dataclass(frozen=True)
class Sound(Estimator):
    """Arousal from loudness, onsets and the tempo of music."""

    name: ClassVar[str] = "sound"
    summary: ClassVar[str] = "arousal from the film's own sound: how loud and how busy it is"

    gain: float = 0.6  # how far from neutral lies what is unusual by one SD (tanh of it)

    @property
    def needs(self) -> Needs:
        return Needs(sound=True)

    def feel(self, footage: Footage, spans: Sequence[Span]) -> list[Belief]:
        if footage.sound is None:
            return [NO_SOUND] * len(spans)
        return [self._felt(sound) for sound in within(footage.sound, footage.film.duration, spans)]

    def _felt(self, sound: "Passage") -> Belief:
        if not sound.audible:
            return SILENCE
        arousal = math.tanh(self.gain * excitement(sound))
        said = Belief(arousal=arousal, arousal_sd=WIDTH, words=in_words(sound))
        return said.trusted(sound.audible)


@dataclass(frozen=True)
class Passage:
    """What is heard in a span of a film, where it is not silent."""

    audible: float  # share of it that is not silent
    loudness: float = SILENT  # LUFS
    onsets: float = 0.0  # a second
    speech: float = 0.0  # share
    music: float = 0.0  # share
    tags: tuple[float, ...] = ()  # probabilities of ``TAGS`` in its music


def within(heard: Heard, duration: float, spans: Sequence[Span]) -> list[Passage]:
    """Return what is heard in each of ``spans`` of a film that lasts ``duration`` seconds."""
    audible = heard.loudness > SILENT
    rows = np.column_stack(
        [
            audible,
            audible * 10 ** (heard.loudness / 10),
            heard.onsets,
            heard.speech,
            heard.music,
            heard.music[:, None] * heard.tags,
        ]
    )
    edges = np.arange(len(rows) + 1.0)
    edges[-1] = max(edges[-1], duration)
    total = np.zeros((len(edges), rows.shape[1]))
    np.cumsum(rows * np.diff(edges)[:, None], axis=0, out=total[1:])
    starts, ends = np.asarray(spans, np.float64).T
    since, until = (
        np.column_stack([np.interp(times, edges, column) for column in total.T])
        for times in (starts, ends)
    )
    return [_passage(row) for row in (until - since) / (ends - starts)[:, None]]


def _passage(row: Float64s) -> Passage:
    """Return what is heard of the mean of the rows of a span, as ``within`` makes them."""
    share, power, *rest = map(float, row)
    if share < LEAST:
        return Passage(0.0)
    onsets, speech, music, *tags = (value / share for value in rest)
    named = tuple(tag / music for tag in tags) if music > LEAST else ()
    return Passage(share, 10 * math.log10(power / share), onsets, speech, music, named)


def excitement(sound: Passage) -> float:
    """Return how exciting sound is, in SDs from ordinary sound: how loud and how busy it is."""
    return (unusual(sound.loudness, *LOUDNESS) + busyness(sound)) / 2


def busyness(sound: Passage) -> float:
    """Return how busy sound is, in SDs from ordinary sound, by its onsets and its music's tempo.

    How busy speech is, which its syllables make, says nothing.
    """
    busy = unusual(sound.onsets, *ONSETS) * max(0.0, 1 - sound.speech)
    if sound.tags:
        fast, slow = (max(sound.tags[TAGS.index(name)], LEAST) for name in ("fast", "slow"))
        busy += sound.music * (unusual(math.log(fast / slow), *TEMPO) - busy) / 2
    return busy


def unusual(value: float, mean: float, sd: float) -> float:
    """Return by how many SDs a value differs from the mean, MOST at most."""
    return min(MOST, max(-MOST, (value - mean) / sd))


def in_words(sound: Passage) -> str:
    """Return what is heard, for a person: what counts first, then of what kind it is.

    >>> in_words(Passage(1.0, loudness=-35.0, speech=0.8))
    'quiet, speech'
    """
    level, busy = unusual(sound.loudness, *LOUDNESS), busyness(sound)
    words = ["loud"] if level >= UNUSUAL else ["quiet"] if level <= -UNUSUAL else []
    words += ["busy"] if busy >= UNUSUAL else ["sparse"] if busy <= -UNUSUAL else []
    likeliest = sorted(zip(sound.tags, TAGS, strict=False), reverse=True)
    tags = [tag for share, tag in likeliest if share >= TAGGED and tag not in UNSAID][:MOST_TAGS]
    kinds = ["speech"] if sound.speech >= SAID else []
    if sound.music >= SAID:
        kinds.append("music" + (": " if tags else "") + ", ".join(tags))
    return ", ".join([*words, *[" and ".join(kinds)] * bool(kinds)]) or ORDINARY
