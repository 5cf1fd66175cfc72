"""Checks that a plug-in keeps the rules of its interface, for its author to run.

    from emsync.testing import check_conditioner, check_estimator, check_maker, check_matcher
    from emsync.testing import check_tokenizer

Each check raises AssertionError with a sentence that says which rule is broken, and where.
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np

from emsync.analysis import Analysis, Curve, Cut, State
from emsync.arrays import Float32s, Picture, Seconds
from emsync.commission import Commission
from emsync.conditioning import Conditioner, Floats, GivenKind
from emsync.emotion.belief import Belief
from emsync.emotion.estimator import Estimator, choose
from emsync.encoders.tags import TAGS
from emsync.errors import EmsyncError, UsageError
from emsync.makers import WISHES, Drawn, SoundMaker, check_wishes
from emsync.matching.index import OWN, STARTS, Track, read_index, write_index
from emsync.matching.matcher import Columns, Matcher, Shelf
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, CLASSES, DRUMS, PIANO, STRINGS, Piece
from emsync.options import Options
from emsync.planning.casting import casting
from emsync.planning.planner import plan_of
from emsync.sound.audio import Audio, whole
from emsync.sound.listening import Heard
from emsync.sound.loudness import SILENT
from emsync.tensors import KINDS
from emsync.tokens import Ids, Timeline, Tokenizer
from emsync.video.faces import Face
from emsync.video.film import Film
from emsync.video.footage import NOTHING_MORE, Footage, Needs, Still
from emsync.video.observers import STILL_HEIGHT, STRIP, Observer
from emsync.video.watch import watch_drawn

CLOSE = 0.05  # seconds; the most that a tokenizer's grid may move a boundary chord
MOST_TOLD = 120  # characters of what a cue goes by
ALIKE = 1e-4  # between two feelings that are one; sums in another order differ in the last digits
QUIETER = 0.25  # of the samples of a track that is to be heard as before
SILENCE = "silent.wav"  # the track that is to be ranked last
EXAMPLE_RATE = 12.5  # drawn pictures a second
SLOWEST_RATE, FASTEST_RATE = 8000, 192_000  # samples a second of a maker
SILENT_PEAK = 1e-3
OURS = ("hits", "sounding", "rhythm")  # parts of a sound's score that emsync judges itself
UNFOLLOWED: dict[str, Any] = {  # a wish of each kind, that only some makers follow
    "tempo": 90.0, "tonic": "D", "mode": "minor", "chords": "Am F", "instruments": "piano",
    "palette": "plain", "theme": "theme.mid", "like": "like.wav", "guidance": 2.0, "top_k": 8,
}  # fmt: skip
AS_LOUD = 0.02  # of the largest number of a column; by so much it may differ then


def example_piece() -> Piece:
    """Return eight bars at 120 BPM: drums, bass, a piano's line, a held triad every two bars."""
    beats = np.arange(0.0, 16.0, 0.5)
    notes = [(DRUMS, 36 + 2 * (i % 2), t, t + 0.1) for i, t in enumerate(beats)]
    notes += [(BASS, 36 + i % 5, t, t + 0.9) for i, t in enumerate(beats[::2])]
    notes += [(PIANO, 72 + i % 7, t, t + 0.3) for i, t in enumerate(beats + 0.25)]
    notes += [(PIANO, p, t, t + 1.5) for t in beats[::8] for p in (48, 52, 55)]
    labels = {"valence": 0.5, "arousal": -0.25}
    return Piece.of(np.array(notes, np.float64), beats[::4], beats[::8], labels)


def example_video() -> Analysis:
    """Return twenty seconds of video with three cuts, one of which is not kept."""
    swelling = tuple(np.abs(np.sin(np.arange(200) / 10)).tolist())
    return Analysis(
        duration=20.0,
        fps="25",
        cuts=(Cut(time=4.04), Cut(time=6.0, kept=False), Cut(time=12.52)),
        motion=Curve(step=0.1, values=swelling),
        impact=Curve(step=0.1, values=swelling),
        brightness=Curve(step=0.1, values=swelling),
        saturation=Curve(step=0.1, values=swelling[::-1]),
        colourfulness=Curve(step=0.1, values=tuple(value / 2 for value in swelling)),
        valence=0.5,
        arousal=-0.25,
    )


def example_sheet() -> LeadSheet:
    """Return a lead sheet of twenty seconds: a chord every two, drums and bass enter on a cut."""
    names = ("Am", "F", "C", "G7", "N", "Dm7", "Esus4", "E", "Am", "Am")
    chords = np.array([parse_chord(name) for name in names])
    starts = np.array([0.0, 2.0, 4.04, 6.0, 8.0, 10.0, 12.52, 14.0, 16.0, 18.0])
    calm = Passage(0.0, 12.52, (PIANO, STRINGS), "A", minor=True, density=1.5)
    return LeadSheet(Harmony(starts, chords), (calm, Passage(12.52, 20.0)), tonic=9, resumes=18.0)


def example_timeline() -> Timeline:
    """Return a timeline of a token at each onset of ``example_piece``, its chords marked."""
    piece = example_piece()
    return Timeline(piece.onsets, np.isin(piece.onsets, piece.chords))


def check_conditioner(
    conditioner: Conditioner, target: Floats | None = None, timeline: Timeline | None = None
) -> None:
    """Raise AssertionError if ``conditioner`` breaks a rule, on this target or on one of its own.

    Its own are those of a small piece and of small videos, and the null target of each.
    """
    _check_settings(conditioner)
    timeline = example_timeline() if timeline is None else timeline
    piece, video = example_piece(), example_video()
    planned = replace(video, tempo=120.0, tonic="A", sheet=example_sheet())
    halves = (State(0.0, 10.0, -0.5, -0.75), State(10.0, 20.0, 0.5, np.nan))
    targets = {
        "from_music": conditioner.from_music(piece),
        "from_music of a piece without labels": conditioner.from_music(replace(piece, labels={})),
        "from_video": conditioner.from_video(video),
        "from_video of a video of two states": conditioner.from_video(
            replace(video, arc=halves, tempo=96.0, tonic="D")
        ),
        "from_video of a video without cuts": conditioner.from_video(Analysis(8.0, "24")),
        "from_video of a video with a lead sheet": conditioner.from_video(planned),
        **({} if target is None else {"the given target": target}),
    }
    _check_reads(conditioner, video)
    _check_reads(conditioner, planned)
    _check_given(conditioner)
    form = targets["from_music"]
    for origin, requested in targets.items():
        _check_form(requested, form, origin)
        _check_features(conditioner, requested, timeline, origin)
        null, name = conditioner.null_target(requested), f"null_target of {origin}"
        _check_form(null, form, name)
        rows = _check_features(conditioner, null, timeline, name)
        _require(
            bool(np.isnan(rows).any(axis=1).all()),
            f"{name} still requests something: a row of its features is without NaN",
        )


class _Recorder(Analysis):
    """An analysis that remembers which of its fields were looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name in {field.name for field in fields(Analysis)}:
            super().__getattribute__("__dict__").setdefault("_looked_at", set()).add(name)
        return super().__getattribute__(name)


def _check_reads(conditioner: Conditioner, video: Analysis) -> None:
    """Check that a conditioner that says what it reads looks at nothing else."""
    known = {field.name for field in fields(Analysis)} - {"requested"}
    declared = {name for name in conditioner.reads if not name.startswith("requested.")}
    unknown = sorted(declared - known)
    _require(not unknown, f"reads names {unknown}, which are no fields of an Analysis")
    given = {field.name: getattr(video, field.name) for field in fields(Analysis) if field.init}
    recorder = _Recorder(**given)
    vars(recorder)["_looked_at"] = set()
    conditioner.from_video(recorder)
    looked = vars(recorder)["_looked_at"] - {"music_time"}  # which requests nothing
    if any(name.startswith("requested.") for name in conditioner.reads):
        looked.discard("requested")
    _require(
        "requested" not in looked,
        'from_video looks at requested, so reads must name what it reads there: "requested.NAME"',
    )
    if not conditioner.reads:
        return
    _require(
        looked <= declared,
        f"from_video looks at {sorted(looked - declared)}, which reads leaves out",
    )


def _check_given(conditioner: Conditioner) -> None:
    """Check the rows that stand beside music that is given."""
    for kind in get_args(GivenKind):
        row = conditioner.given_row(kind)
        _require(
            row is None or _is_row(row, conditioner.channels),
            f"given_row of {kind!r} is {row}, not {conditioner.channels} finite numbers or None",
        )
    kinds = get_args(GivenKind)
    known = [kind for kind in kinds if conditioner.given_row(kind) is not None]
    _require(
        not known or conditioner.place == "position",
        f"given_row answers for {known}, but a prefix has no rows beside the tokens",
    )
    _require(
        len(known) in (0, len(kinds)),
        f"given_row answers for {known} only; answer for {' and '.join(map(repr, kinds))}, or for "
        "none",
    )


def _is_row(row: Any, channels: int) -> bool:
    """Return whether ``row`` is one of so many finite numbers."""
    try:
        numbers = np.array(row, np.float32)
    except (TypeError, ValueError):
        return False
    text = np.asarray(row).dtype.kind not in "iuf"  # which NumPy would read numbers in
    return numbers.shape == (channels,) and not text and bool(np.isfinite(numbers).all())


def _check_form(target: Floats, form: Floats, origin: str) -> None:
    """Check that a target is of the ``form`` that ``from_music`` returns."""
    _require(
        isinstance(target, np.ndarray) and target.dtype == np.float32,
        f"{origin} is not a float32 array but {getattr(target, 'dtype', type(target))}",
    )
    _require(
        target.ndim == form.ndim and target.shape[1:] == form.shape[1:],
        f"{origin} has the shape {target.shape}, from_music {form.shape}: they may differ in the "
        "first dimension only",
    )


def _check_features(
    conditioner: Conditioner, target: Floats, timeline: Timeline, origin: str
) -> Floats:
    """Check the features that ``conditioner`` makes of ``target``, and return them."""
    length, prefix = len(timeline.times), conditioner.place == "prefix"
    times, changes = timeline.times, conditioner.changes(target)
    before = target.copy()
    rows = conditioner.features(target, timeline)
    _require(rows.dtype == np.float32, f"features of {origin} are {rows.dtype}, not float32")
    _require(
        rows.ndim == 2 and rows.shape[1] == conditioner.channels,
        f"features of {origin} have the shape {rows.shape}, not (rows, {conditioner.channels})",
    )
    if prefix:
        _require(
            len(rows) <= conditioner.channels,
            f"a prefix has {len(rows)} rows; the network has room for {conditioner.channels}",
        )
    else:
        _require(len(rows) == length, f"there are {len(rows)} rows for {length} tokens")
    _require(not np.isinf(rows).any(), f"features of {origin} are infinite somewhere")
    _require(
        np.array_equal(target, before, equal_nan=True)
        and np.array_equal(conditioner.features(target, timeline), rows, equal_nan=True),
        f"features are not pure: calling them on {origin} again gives another result",
    )
    for end in range(length):
        early = conditioner.features(target, _start(timeline, end))
        late = rows if prefix else rows[:end]
        _require(
            np.array_equal(early, late, equal_nan=True)
            or (prefix and _changed(changes, times, end)),
            f"features of {origin} are not causal: the first {end} rows change with later tokens",
        )
    if not prefix:
        cursor, last, row = conditioner.cursor(target), math.nan, rows[:0]
        for i, (time, mark) in enumerate(zip(timeline.times, timeline.marks, strict=True)):
            if not cursor.timed or time != last:  # as the sampler asks it
                row = np.asarray(cursor.row(float(time), bool(mark)), np.float32)
            last = time
            if not np.array_equal(row, rows[i], equal_nan=True):  # a sentence for each row is slow
                _require(
                    False, f"row {i} of the cursor on {origin} is {row}, of the features {rows[i]}"
                )
    return rows


def _changed(changes: Floats, times: Seconds, end: int) -> bool:
    """Return whether the prefix changes between the first ``end`` tokens and the last one."""
    reached = times[end - 1] if end else 0.0
    return bool(((changes > reached) & (changes <= times[-1])).any())


def _start(timeline: Timeline, end: int) -> Timeline:
    return Timeline(timeline.times[:end], timeline.marks[:end])


def example_footage(needs: Needs = NOTHING_MORE) -> Footage:
    """Return twenty seconds of drawn footage: a dim and quiet shot, a bright and lively one.

    ``needs`` is what an estimator requests beyond that.
    """
    times = np.arange(0, 20, 0.04)
    bright = times >= 12.0

    def still(time: float) -> Still:
        picture = np.zeros((STILL_HEIGHT, STILL_HEIGHT * 16 // 9, 3), np.uint8)
        picture[:] = (40, 60, 120) if time < 12.0 else (250, 210, 70)
        picture[100:160, 20 + int(10 * time) :][:, :60] = (200, 40, 40)  # a block that moves
        return Still(time, picture)

    def every(step: float) -> tuple[Still, ...]:
        return tuple(still(float(time)) for time in np.arange(step / 2, 20, step))

    return Footage(
        film=Film(Path("drawn.mp4"), 20.0, Fraction(25), 320, 180, 0, False, len(times), 0),
        times=times,
        brightness=np.where(bright, 0.7, 0.2) + 0.05 * np.sin(times),
        saturation=np.where(bright, 0.6, 0.3),
        colourfulness=np.where(bright, 0.4, 0.1),
        motion_times=times[1:] - 0.02,
        motion=np.where(bright, 0.8, 0.02)[1:] + 0.01 * np.cos(times[1:]) ** 2,
        change_times=times[1:] - 0.02,
        change=np.where(bright, 0.4, 0.01)[1:],
        cuts=(Cut(12.0, frame=300),),
        strip=every(20 / STRIP),
        stills=every(needs.stills) if needs.stills else (),
        faces=_example_faces() if needs.faces else (),
        sound=_example_sound() if needs.sound else None,
    )


def _example_faces() -> tuple[Face, ...]:
    """Return three faces: one is sad in the dim shot, two are in the bright one."""
    return (
        Face(2.0, 12.0, 8, 0.5, 0.5, {"sad": 0.7, "neutral": 0.3}),
        Face(12.0, 20.0, 6, 0.3, 0.6, {"happy": 0.9, "surprised": 0.1}),
        Face(13.5, 16.0, 2, 0.1, 0.2, {"neutral": 1.0}),
    )


def _example_sound() -> Heard:
    """Return quiet speech in the dim shot, loud and fast music in the bright one."""
    music = (np.arange(20) >= 12).astype(np.float64)
    tags = [{"fast": 0.6, "rock": 0.7, "drums": 0.4}.get(tag, 0.02) for tag in TAGS]
    return Heard(
        loudness=np.where(music, -10.0, -40.0),
        onsets=np.where(music, 5.0, 3.0),
        brightness=np.where(music, 2000.0, 800.0),
        speech=1 - music,
        music=music,
        tags=np.tile(tags, (20, 1)),
    )


def still_footage(needs: Needs = NOTHING_MORE) -> Footage:
    """Return twenty seconds of one black frame: nothing moves, nothing is cut."""
    black = Still(0.0, np.zeros((STILL_HEIGHT, STILL_HEIGHT * 16 // 9, 3), np.uint8))
    return Footage(
        film=Film(Path("black.mp4"), 20.0, Fraction(1, 20), 320, 180, 0, False, 1, 0),
        times=np.zeros(1),
        brightness=np.zeros(1),
        saturation=np.zeros(1),
        colourfulness=np.zeros(1),
        motion_times=np.zeros(0),
        motion=np.zeros(0),
        change_times=np.zeros(0),
        change=np.zeros(0),
        cuts=(),
        strip=(black,),
        stills=(black,) if needs.stills else (),
        sound=_silence() if needs.sound else None,
    )


def _silence() -> Heard:
    none = np.zeros(20)
    return Heard(np.full(20, SILENT), none, none, none, none, np.zeros((20, len(TAGS))))


def check_estimator(estimator: Estimator) -> None:
    """Raise AssertionError if ``estimator`` breaks a rule on footage that is drawn here.

    Of the spans some overlap, one lies between two frames, and they come in no order.
    """
    kind = type(estimator)
    _check_dataclass(kind)
    _require(
        all(isinstance(text, str) and text for text in (kind.name, kind.summary, estimator.title)),
        f"name, summary or title of {kind.__name__} is empty",
    )
    needs = estimator.needs
    _require(
        isinstance(needs, Needs) and bool(np.isfinite(needs.stills)) and needs.stills >= 0,
        f"needs is {needs!r}; its stills are seconds between pictures, or 0",
    )
    spans = [(12.0, 20.0), (0.0, 20.0), (3.0, 14.5), (0.0, 12.0), (5.001, 5.002), (19.9, 20.0)]
    for footage in (example_footage(needs), still_footage(needs)):
        where = f"in {footage.film.path}"
        before = deepcopy(footage)
        felt = estimator.feel(footage, spans)
        _require(
            len(felt) == len(spans),
            f"there are {len(felt)} beliefs for {len(spans)} spans {where}",
        )
        for span, belief in zip(spans, felt, strict=True):
            _check_belief(belief, f"{span} s {where}")
        _require(
            list(map(_numbers, estimator.feel(footage, spans))) == list(map(_numbers, felt)),
            f"a second look at the spans {where} differs from the first",
        )
        _require(_same(footage, before), f"what was seen {where} is changed by the look at it")
        again = dict(zip(spans[::-1], estimator.feel(footage, spans[::-1]), strict=True))
        for span, belief in zip(spans, felt, strict=True):
            (alone,) = estimator.feel(footage, [span])
            for name, other in (("alone", alone), ("in another order", again[span])):
                _require(
                    np.allclose(_numbers(other), _numbers(belief), 0, ALIKE),
                    f"{span} s {where}, asked {name}, feels other than among others",
                )


def _check_belief(belief: Belief, where: str) -> None:
    _require(isinstance(belief, Belief), f"{where} feels {belief!r}, which is no Belief")
    for name in ("valence", "arousal"):
        value, width = getattr(belief, name), getattr(belief, f"{name}_sd")
        _require(-1 <= value <= 1, f"the {name} of {where} is {value}, outside -1 to 1")
        _require(width > 0, f"the width of the {name} of {where} is {width}; it must be above 0")
    words = belief.words
    _require(
        isinstance(words, str) and len(words) <= MOST_TOLD and words.isprintable(),
        f"the words of {where} are {words!r}, which is no line of {MOST_TOLD} characters at most",
    )


def _numbers(belief: Belief) -> list[float]:
    return [belief.valence, belief.arousal, belief.valence_sd, belief.arousal_sd]


def _same(one: Footage, other: Footage) -> bool:
    """Return whether two footages hold the same numbers, pictures, faces and sound."""
    pictures = [
        (a.pixels, b.pixels)
        for a, b in zip((*one.strip, *one.stills), (*other.strip, *other.stills), strict=True)
    ]
    columns = ("times", "brightness", "saturation", "colourfulness", "motion_times", "motion",
               "change_times", "change")  # fmt: skip
    pairs = [(getattr(one, name), getattr(other, name)) for name in columns]
    if one.sound and other.sound:
        pairs += zip(vars(one.sound).values(), vars(other.sound).values(), strict=True)
    same = all(np.array_equal(a, b) for a, b in (*pairs, *pictures))
    return same and one.faces == other.faces


def example_film(needs: Needs = NOTHING_MORE, observers: Sequence[Observer] = ()) -> Footage:
    """Return what is seen of eight seconds that are drawn here: a block jumps, faster after a cut.

    ``observers`` have looked at each frame then.
    """
    return watch_drawn(_example_pictures(), EXAMPLE_RATE, observers, needs)


def _example_pictures() -> list[Picture]:
    """Return a hundred pictures of a block on a dark ground, and on a bright one."""
    noise = np.random.default_rng(0).integers(0, 60, (9, 16, 3), np.uint8)
    ground = noise.repeat(10, axis=0).repeat(10, axis=1)
    pictures, left = [], 20.0
    for frame in range(100):
        cut = frame >= 50
        goal = 20 + 60 * (frame // (6 if cut else 13) % 2)
        left += (goal - left) * 0.4
        picture = ground + np.uint8(120 * cut)
        picture[30:60, round(left) : round(left) + 40] = (60, 200, 240)
        pictures.append(picture)
    return pictures


def example_music(rate: int) -> dict[str, Float32s]:
    """Return tracks by name, ``rate`` samples a second: long and short, lively, calm and silent.

    Their onsets are uneven, so that one offset is the best.
    """
    rng = np.random.default_rng(0)

    def drawn(seconds: float, step: float, pitches: Sequence[float]) -> Float32s:
        times = np.arange(round(seconds * rate)) / rate
        steps = rng.uniform(0.5, 1.5, round(2 * seconds / step) + 1) * step
        onsets = np.concatenate([[0.0], np.cumsum(steps)])
        since = times - onsets[np.searchsorted(onsets, times, "right") - 1]
        tones = np.sin(2 * np.pi * np.outer(pitches, times)).mean(axis=0)
        return (0.2 * np.exp(-since / 0.15) * tones).astype(np.float32)

    return {
        "calm.wav": drawn(14.0, 2.0, (220.0, 277.2, 329.6)),
        "lively.wav": drawn(11.0, 0.48, (440.0, 554.4)),
        "moment.wav": drawn(0.1, 1.0, (440.0,)),
        "short.wav": drawn(3.0, 0.48, (110.0, 3000.0)),
        SILENCE: np.zeros(10 * rate, np.float32),
    }


def check_matcher(matcher: Matcher) -> None:
    """Raise AssertionError if ``matcher`` breaks a rule on a film and on music drawn here."""
    kind = type(matcher)
    _check_dataclass(kind)
    _require(
        all(isinstance(text, str) and text for text in (kind.name, kind.summary, matcher.stamp)),
        f"name, summary or stamp of {kind.__name__} is empty",
    )
    _require(isinstance(matcher.rate, int) and matcher.rate > 0, f"the rate is {matcher.rate!r}")
    observers = matcher.observers()
    footage = example_film(matcher.needs, observers)
    before = deepcopy(footage)
    film = matcher.see(footage, observers)
    _check_columns(film, "the film")
    _require(_same(footage, before), "what was seen of the film is changed by the look at it")
    music = example_music(matcher.rate)
    heard = {name: (len(track) / matcher.rate, _heard(matcher, track, name))
             for name, track in music.items()}  # fmt: skip
    kinds = {name: {key: (rows.dtype, rows.shape[1:]) for key, rows in columns.items()}
             for name, (_, columns) in heard.items()}  # fmt: skip
    first = next(iter(kinds.values()))
    for name, own in kinds.items():
        _require(own == first, f"the columns of {name} are {own}, those of another track {first}")
    _check_ranking(matcher, film, footage.film.duration, Shelf.of(heard))


def _heard(matcher: Matcher, samples: Float32s, name: str) -> Columns:
    """Return the columns of a track, which are the same again, however loud it is."""
    before = samples.copy()
    heard = matcher.hear(samples)
    _check_columns(heard, name)
    again, quiet = matcher.hear(samples), matcher.hear(samples * np.float32(QUIETER))
    _require(np.array_equal(samples, before), f"the samples of {name} are changed by hearing them")
    for key, rows in heard.items():
        _require(key not in OWN and not key.endswith(STARTS), f"{key!r} is a name of the index's")
        _require(np.array_equal(rows, again[key]), f"{key!r} of {name} differs when heard again")
        most = AS_LOUD * np.abs(rows).max(initial=0.0)
        _require(
            rows.shape == quiet[key].shape and np.allclose(rows, quiet[key], 0, most),
            f"{key!r} of {name} depends on how loud it is",
        )
    return heard


def _check_columns(columns: Columns, where: str) -> None:
    for name, rows in columns.items():
        _require(
            isinstance(rows, np.ndarray) and rows.ndim > 0 and rows.dtype in KINDS,
            f"{name!r} of {where} is no array of plain numbers with a row each",
        )
        _require(bool(np.isfinite(rows).all()), f"{name!r} of {where} is not finite somewhere")


def _check_ranking(matcher: Matcher, film: Columns, duration: float, shelf: Shelf) -> None:
    matcher.verify(shelf)
    count = len(shelf)
    ranked = matcher.rank(film, shelf, count)
    _require(
        sorted(match.track for match in ranked) == list(range(count)),
        f"of {count} tracks it ranks those of the numbers {[match.track for match in ranked]}",
    )
    scores = [match.score for match in ranked]
    _require(bool(np.isfinite(scores).all()), f"the scores are {scores}")
    _require(scores == sorted(scores, reverse=True), f"the best is not the first: {scores}")
    silent = next(match for match in ranked if shelf.names[match.track] == SILENCE)
    _require(silent.score == scores[-1], "a track that is silent is not the last")
    for match in ranked:
        last = max(0.0, float(shelf.seconds[match.track]) - duration)
        _require(
            0 <= match.offset <= last + CLOSE,
            f"the film is to start at {match.offset} s of {shelf.names[match.track]}, where "
            f"{last:g} s is the last",
        )
    _require(matcher.rank(film, shelf, 2) == ranked[:2], "the best two are others among more")
    with tempfile.TemporaryDirectory() as folder:
        tracks = [
            Track(shelf.names[n], 0, 0, float(shelf.seconds[n]), shelf.track(n))
            for n in range(count)
        ]
        write_index(Path(folder) / "index", matcher.stamp, tracks)
        kept = read_index(Path(folder) / "index", matcher.stamp).shelf
        matcher.verify(kept)
        _require(matcher.rank(film, kept, count) == ranked, "from an index the ranks are others")
    for numbers in (range(count - 1, -1, -1), *([number] for number in range(count))):
        some = Shelf.of(
            {shelf.names[n]: (float(shelf.seconds[n]), shelf.track(n)) for n in numbers}
        )
        for match in matcher.rank(film, some, count):
            name = some.names[match.track]
            if name == SILENCE:  # whatever its score is, it is the last
                continue
            other = next(m for m in ranked if shelf.names[m.track] == name)
            _require(
                np.allclose([match.score, match.offset], [other.score, other.offset], ALIKE, ALIKE),
                f"{name} is ranked otherwise on a shelf of {len(some)} in another order",
            )


def check_maker(maker: SoundMaker) -> None:
    """Raise AssertionError if ``maker`` breaks a rule, on films that are drawn here.

    These are one of four seconds with a cut, one of 0.3 s, and a black one. None is a file, so
    that a maker that opens the film once more is found out.
    """
    _require(maker.makes == "sound", f"makes is {maker.makes!r}, not 'sound'")
    _require(bool(maker.kind) and bool(maker.summary), "kind and summary say nothing")
    unknown = sorted(set(maker.follows) - set(WISHES))
    _require(not unknown, f"follows names {unknown}, which are no wishes: {', '.join(WISHES)}")
    _require(
        isinstance(maker.rate, int) and SLOWEST_RATE <= maker.rate <= FASTEST_RATE,
        f"rate is {maker.rate!r}, not a number of samples a second",
    )
    json.dumps(maker.settings(Options()), allow_nan=False)
    for wish, value in UNFOLLOWED.items():
        if wish not in maker.follows:
            _require(_refuses(maker, Options(**{wish: value})), f"{wish} is not refused")
    pictures = _example_pictures()[25:75]
    both = _made(maker, pictures, (1, 2))
    again = _made(maker, pictures, (2,))
    _require(
        bool(np.array_equal(both[1], again[0])),
        "the sound of a seed differs when it is made again, or beside another's",
    )
    _require(not np.array_equal(both[0], both[1]), "two seeds make the same sound")
    _require(float(np.abs(both).max()) > SILENT_PEAK, "the sound is silent")
    for name, odd in {"0.3 s": pictures[:4], "black": [np.zeros_like(pictures[0])] * 25}.items():
        try:
            _made(maker, odd, (3,))
        except EmsyncError as error:  # to refuse it is well, too
            _require(bool(str(error)), f"a film that is {name} is refused without a word")
    if "like" in maker.follows:
        chord = example_music(maker.rate)["calm.wav"]
        like = Audio(np.repeat(chord[:, None], 2, axis=1), maker.rate)
        _made(maker, pictures, (1,), like)


def example_sounds(
    maker: SoundMaker, seeds: Sequence[int] = (1,), like: Audio | None = None
) -> list[Float32s]:
    """Return what ``maker`` makes of ``example_film`` with each seed: (N, 2) samples.

    AssertionError where that breaks a rule. The film has a cut after four of its eight seconds;
    ``like`` is a style prompt, at the maker's rate.
    """
    return _made(maker, _example_pictures(), seeds, like)


def _refuses(maker: SoundMaker, options: Options) -> bool:
    try:
        check_wishes(maker, "", options)
    except UsageError:
        return True
    return False


def _made(
    maker: SoundMaker, pictures: Sequence[Picture], seeds: Sequence[int], like: Audio | None = None
) -> list[Float32s]:
    """Return what is made of drawn ``pictures`` with each seed, as long as they are shown."""
    opened = watch_drawn(pictures[:2], EXAMPLE_RATE).film
    film = replace(opened, duration=len(pictures) / EXAMPLE_RATE, frames=len(pictures))
    seen, others = maker.observers(film), maker.observers(film)
    _require(not {*map(id, seen)} & {*map(id, others)}, "two films have the same observers")
    footage = watch_drawn(pictures, EXAMPLE_RATE, seen)
    video = Analysis.of(footage, choose("fixed:0.3/-0.2"))
    plan = plan_of(video)
    brief, ending = plan.brief(video)
    asked = Commission(
        brief, plan, casting(plan), ending, Options(), seeds, footage=footage, seen=seen, like=like
    )
    shares = [0.0]
    found: list[Float32s] = []
    length = round(video.duration * maker.rate)
    for drawing in _drawing(maker, asked, shares.append):
        sound = drawing.sound
        _require(sound.rate == maker.rate, f"a sound has the rate {sound.rate}, not {maker.rate}")
        _require(
            sound.length >= length,
            f"a sound has {sound.length} samples; the film of {video.duration:g} s needs {length}",
        )
        samples = whole(sound).samples
        _require(bool(np.isfinite(samples).all()), "a sample is not finite")
        for name, part in drawing.parts.items():
            _require(name not in OURS, f"the part {name!r} is emsync's own")
            _require(0 <= part <= 1, f"the part {name!r} is {part}, which is not within 0 to 1")
        found.append(samples[:length])
    _require(len(found) == len(seeds), f"{len(seeds)} seeds made {len(found)} sounds")
    _require(0 <= min(shares) <= max(shares) <= 1, "progress is told what is not within 0 to 1")
    return found


def _drawing(
    maker: SoundMaker, asked: Commission, progress: Callable[[float], None]
) -> Iterator[Drawn]:
    try:
        yield from maker.draw(asked, progress)
    except OSError as error:  # the film is no file
        raise AssertionError(
            f"a file was opened while it drew: {error}; what it needs of the film, it observes"
        ) from error


def check_tokenizer(tokenizer: Tokenizer, piece: Piece) -> None:
    """Raise AssertionError if ``tokenizer`` breaks a rule on ``piece``.

    The piece should be playable: the tokenizer's rules of grammar have to accept it.
    """
    _check_settings(tokenizer)
    size = tokenizer.vocab_size
    seconds = tokenizer.durations
    _require(
        seconds.shape == (size,) and bool((np.isfinite(seconds) & (seconds >= 0)).all()),
        f"durations are not {size} finite numbers from 0 on",
    )
    special = {
        *tokenizer.excluded_ids,
        *(t for t in (tokenizer.mark, tokenizer.bar) if t is not None),
    }
    _require(special <= set(range(size)), f"excluded_ids, mark or bar is outside the {size} tokens")

    ids = tokenizer.encode(piece)
    _check_range(tokenizer, ids, "encode")
    header = tokenizer.header(len(np.unique(piece.classes)))
    _require(
        np.array_equal(ids[: len(header)], header),
        f"the tokens begin with {ids[: len(header)].tolist()}, the header is {header.tolist()}",
    )
    music = ids[len(header) :]
    _require(
        not np.isin(music, np.asarray(tokenizer.excluded_ids, np.int64)).any(),
        "a token of excluded_ids stands in a piece, after its header",
    )
    _check_timeline(tokenizer, ids, piece)
    _check_decode(tokenizer, ids)
    _check_transpose(tokenizer, ids)
    _check_rules(tokenizer, ids, len(header))


def _check_range(tokenizer: Tokenizer, ids: Ids, origin: str) -> None:
    _require(ids.ndim == 1 and ids.dtype == np.int64, f"{origin} returns no row of int64")
    _require(
        bool(((ids >= 0) & (ids < tokenizer.vocab_size)).all()),
        f"{origin} returns a token outside 0 to {tokenizer.vocab_size - 1}",
    )


def _check_timeline(tokenizer: Tokenizer, ids: Ids, piece: Piece) -> None:
    timeline = tokenizer.timeline(ids)
    _require(
        len(timeline.times) == len(timeline.marks) == len(ids),
        f"the timeline of {len(ids)} tokens has {len(timeline.times)} times",
    )
    _require(bool((np.diff(timeline.times) >= 0).all()), "the times of the timeline fall")
    if tokenizer.mark is not None:
        marked = timeline.times[timeline.marks]
        _require(
            len(marked) == len(piece.chords) and np.allclose(marked, piece.chords, 0, CLOSE),
            f"the marks are at {marked.tolist()} s, the chords at {piece.chords.tolist()} s",
        )


def _check_decode(tokenizer: Tokenizer, ids: Ids) -> None:
    """Check that no tokens break ``decode``: all, the first ones, or any at all."""
    whole = tokenizer.decode(ids)
    _require(
        np.array_equal(tokenizer.encode(whole), ids),
        "encode(decode(ids)) is not ids: something is lost on the way",
    )
    notes = 0
    for end in np.linspace(0, len(ids), 30, dtype=np.int64):
        start = tokenizer.decode(ids[:end])
        _check_closed(start, f"the first {end} tokens")
        _require(len(start) >= notes, f"the first {end} tokens have fewer notes than fewer tokens")
        notes = len(start)
    chance = np.random.default_rng(0)
    for length in (1, 10, 1000):
        noise = chance.integers(0, tokenizer.vocab_size, length)
        _check_closed(tokenizer.decode(noise), f"{length} random tokens")


def _check_closed(piece: Piece, origin: str) -> None:
    _require(
        bool((piece.offsets > piece.onsets).all()),
        f"decode leaves a note without an end in {origin}",
    )


def _check_transpose(tokenizer: Tokenizer, ids: Ids) -> None:
    before, there = tokenizer.decode(ids), tokenizer.timeline(ids)
    drums = before.classes == DRUMS
    for semitones in (-3, 0, 3):
        moved = tokenizer.transpose(ids, semitones)
        _check_range(tokenizer, moved, "transpose")
        after, here = tokenizer.decode(moved), tokenizer.timeline(moved)
        _require(
            np.array_equal(there.times, here.times) and np.array_equal(there.marks, here.marks),
            f"transposition by {semitones} moves times or marks",
        )
        same = after.classes == DRUMS
        _require(
            np.array_equal(before.pitches[drums], after.pitches[same])
            and np.array_equal(before.onsets[drums], after.onsets[same]),
            f"transposition by {semitones} moves {CLASSES[DRUMS]}",
        )
        _require(
            semitones != 0 or np.array_equal(moved, ids), "transposition by 0 changes the tokens"
        )


def _check_rules(tokenizer: Tokenizer, ids: Ids, header: int) -> None:
    for name in tokenizer.rules():
        refused = refusals(tokenizer, name, ids, header)
        _require(
            not len(refused),
            f"the rule {name!r} forbids token {ids[refused[0]] if len(refused) else None} "
            f"at {refused[:1]}, which a real piece has there",
        )


def refusals(tokenizer: Tokenizer, rule: str, ids: Ids, start: int = 0) -> Sequence[int]:
    """Return the indices, from ``start`` on, of the tokens that ``rule`` forbids where they are."""
    import torch

    forbid = tokenizer.rules()[rule]()
    row, scores = torch.from_numpy(ids)[None], torch.zeros(1, tokenizer.vocab_size)
    return [i for i in range(start, len(ids)) if torch.isinf(forbid(row[:, :i], scores)[0, ids[i]])]


def _check_settings(plugin: Conditioner | Tokenizer) -> None:
    kind = type(plugin)
    _check_dataclass(kind)
    settings = json.loads(json.dumps(asdict(plugin)))
    _require(kind(**settings) == plugin, f"the settings {settings} do not survive JSON")


def _check_dataclass(kind: type) -> None:
    _require(
        is_dataclass(kind) and "__dataclass_fields__" in vars(kind),
        f"{kind.__name__} is not a dataclass, so its settings are not known",
    )


def _require(rule: bool, sentence: str) -> None:
    if not rule:
        raise AssertionError(sentence)
