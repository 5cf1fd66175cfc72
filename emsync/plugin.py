"""Everything that a plug-in imports from emsync: one module, kept stable between versions.

emsync's own conditioners and tokenizers import nothing else. ``emsync.testing`` has the checks that
a plug-in should pass.

For a conditioner:

- ``Conditioner``: the base class. ``Place``: "prefix" or "position", where the network reads it.
- ``GivenKind``: "theme" or "later": music that stands before what is composed.
- ``Floats``: float32 arrays, the type of targets and features.
- ``Timeline``: the times and boundary marks of a sequence of tokens.
- ``Cursor``: computes features row by row. ``Windows``: the same for rows of even windows of time;
  ``in_windows`` picks such rows for all tokens at once; ``window_starts``: where windows begin.

What a conditioner reads:

- ``Analysis``: a video, with its ``Cut``, the ``State`` of each scene, and a ``Curve`` of each of
  motion, brightness, saturation and colourfulness.
- ``LeadSheet``: what is planned for a piece: its ``Harmony`` over time, and each ``Passage``.
  ``Chords`` are numbers: ``TONES`` and ``ROOTS`` are their (84, 12) pitch classes, ``NO_CHORD`` is
  none. ``THEME_BARS``: how many bars of a theme are taken up. Rules of a tokenizer read it, too.
- ``Piece``: the notes of a song. ``Seconds``: float64 arrays of times.
- ``CLASSES``: the names of the five instrument classes; ``DRUMS``, ``BASS``, ``GUITAR``, ``PIANO``
  and ``STRINGS`` are their numbers, ``PROGRAMS`` their General MIDI programs.
- ``LOWEST`` and ``HIGHEST``: the pitches of the keyboard. ``BEATS``: the beats of a bar.
- ``pitch_class``: the number of a tonic such as "F#". ``TONICS`` and ``KEYS``: the names of the 12
  tonics and the 24 keys. ``key_fits``: how well pitch classes fit each key. ``sounded``: how long
  each pitch class has sounded. ``heard``: the chords that are heard between edges, such as those of
  ``half_bars``. ``onset_rate``: the onsets a second of music of an arousal.

For a tokenizer:

- ``Tokenizer``: the base class. ``Ids``: int64 arrays of tokens.
- ``LogitsProcessor``: the type of a rule of grammar, and of what follows a lead sheet.
  ``TokenFilter``: a base class of those that read a piece token by token, all in one pass.
- ``Score``: symusic's score; ``from_score`` and ``to_score`` convert a ``Piece``.

For an estimator:

- ``Estimator``: the base class. ``Belief``: its answer for a ``Span`` of seconds, a mean and a
  width of valence and of arousal; a width that is left infinite has no say. The beliefs of several
  estimators are multiplied. ``EMOTIONS``: the names of the six emotions.
- ``Needs``: what it needs of a film beyond cuts, motion and colours: stills, faces, sound.
- ``Footage``: what was gathered of the film. ``Still``: a colour picture and its time, of type
  ``Picture``. ``Face``: a face, followed through one shot.

For a matcher:

- ``Matcher``: the base class. ``Columns``: the named arrays that it keeps of a film or of a track.
- ``Shelf``: all tracks as it has heard them, a ``Column`` of each array. ``Match``: its answer, how
  well a track meets the film, and from which second on.
- ``Observer``: what looks at each ``Frame`` of a film, in the one pass that is made over it.
  ``Floats`` are the samples of a track; ``Footage`` and ``Needs`` are those of an estimator.

For a maker of sound:

- ``SoundMaker``: the base class. ``Commission``: what it is asked for: the film's ``Analysis``, the
  plan, the ending, ``Options`` and seeds. ``Drawn``: its answer for each seed, an ``Audio``, and
  its own judgements. ``read_config`` reads the ``config.json`` of its checkpoint.
- ``Film``: a film that is opened. ``Observer`` and ``Frame`` are those of a matcher.

For the settings of any of them:

- ``Within``: the range of a number, as ``step: Annotated[float, Within(0.1, 60)] = 0.5``.

Errors, whose message is shown to the user as it is:

- ``UsageError``: a value that cannot be. ``InputError``: a file that cannot be read.
  ``AssetError``: a model or a package that is missing.
"""

from emsync.analysis import Analysis
from emsync.arrays import Picture, Seconds
from emsync.checkpoints import read_config
from emsync.commission import Commission
from emsync.conditioning import (
    Conditioner,
    Cursor,
    Floats,
    GivenKind,
    Place,
    Windows,
    in_windows,
    window_starts,
)
from emsync.emotion.arc import State
from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Estimator, Span
from emsync.emotion.plane import EMOTIONS
from emsync.errors import AssetError, InputError, UsageError
from emsync.filters import TokenFilter
from emsync.makers import Drawn, SoundMaker
from emsync.matching.matcher import Column, Columns, Match, Matcher, Shelf
from emsync.music.chords import NONE as NO_CHORD
from emsync.music.chords import ROOTS, TONES, Chords, Harmony, half_bars, heard
from emsync.music.lead_sheet import THEME_BARS, LeadSheet, Passage
from emsync.music.onset_rate import onset_rate
from emsync.music.piece import (
    BASS,
    BEATS,
    CLASSES,
    DRUMS,
    GUITAR,
    HIGHEST,
    LOWEST,
    PIANO,
    PROGRAMS,
    STRINGS,
    Piece,
    Score,
    from_score,
    to_score,
)
from emsync.music.statistics import sounded
from emsync.music.tonality import KEYS, TONICS, key_fits, pitch_class
from emsync.options import Options
from emsync.settings import Within
from emsync.sound.audio import Audio
from emsync.tokens import Ids, LogitsProcessor, Timeline, Tokenizer
from emsync.video.cuts import Cut
from emsync.video.faces import Face
from emsync.video.film import Film
from emsync.video.footage import Curve, Footage, Needs, Still
from emsync.video.observers import Frame, Observer

__all__ = [
    "BASS",
    "BEATS",
    "CLASSES",
    "DRUMS",
    "EMOTIONS",
    "GUITAR",
    "HIGHEST",
    "KEYS",
    "LOWEST",
    "NO_CHORD",
    "PIANO",
    "PROGRAMS",
    "ROOTS",
    "STRINGS",
    "THEME_BARS",
    "TONES",
    "TONICS",
    "Analysis",
    "AssetError",
    "Audio",
    "Belief",
    "Chords",
    "Column",
    "Columns",
    "Commission",
    "Conditioner",
    "Cursor",
    "Curve",
    "Cut",
    "Drawn",
    "Estimator",
    "Face",
    "Film",
    "Floats",
    "Footage",
    "Frame",
    "GivenKind",
    "Harmony",
    "Ids",
    "InputError",
    "LeadSheet",
    "LogitsProcessor",
    "Match",
    "Matcher",
    "Needs",
    "Observer",
    "Options",
    "Passage",
    "Picture",
    "Piece",
    "Place",
    "Score",
    "Seconds",
    "Shelf",
    "SoundMaker",
    "Span",
    "State",
    "Still",
    "Timeline",
    "TokenFilter",
    "Tokenizer",
    "UsageError",
    "Windows",
    "Within",
    "from_score",
    "half_bars",
    "heard",
    "in_windows",
    "key_fits",
    "onset_rate",
    "pitch_class",
    "read_config",
    "sounded",
    "to_score",
    "window_starts",
]
