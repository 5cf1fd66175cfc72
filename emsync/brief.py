"""What is asked of the music: what the film asks, with a person's options in its place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

from emsync.analysis import Analysis
from emsync.emotion.arc import read_arc
from emsync.emotion.estimator import choose
from emsync.emotion.plane import SCALE
from emsync.errors import UsageError
from emsync.formats.cut_lists import read_cuts
from emsync.music.tonality import TONICS, pitch_class
from emsync.options import FASTEST, SLOWEST, Options, PathLike
from emsync.video.cuts import Cut
from emsync.video.film import Film
from emsync.video.footage import Footage
from emsync.video.observers import Observer
from emsync.video.timecode import Timecode
from emsync.video.watch import watch

SAME_FILM = (0.5, 0.02)  # seconds, and a share: how far the durations of one film may differ


def look(
    film: Film,
    options: Options,
    progress: Callable[[float], None] | None = None,
    observers: Sequence[Observer] = (),
) -> Footage | None:
    """Watch the film; None if a person gives its analysis."""
    if options.analysis is not None:
        return None
    return watch(film, progress, observers, stills=choose(options.estimator).stills)


def check_files(film: Film, options: Options) -> None:
    """Refuse what a person gives that does not fit ``film``, before it is watched.

    These are an analysis of another film, a cut list, an emotion file, and a start timecode.
    """
    if options.analysis is not None:
        given = _given(options.analysis)
        if abs(given.duration - film.duration) > SAME_FILM[0] + SAME_FILM[1] * film.duration:
            raise UsageError(
                f"the analysis is of {given.source or 'a film'} and {given.duration:.2f} s, the "
                f"video has {film.duration:.2f} s; analyze this video"
            )
    _listed(options, film.fps, film.duration)
    if options.emotion_file is not None:
        read_arc(Path(options.emotion_file), film.duration)
    if options.start_timecode and film.fps:
        Timecode.parse(options.start_timecode, film.fps)


def brief_of(footage: Footage | None, options: Options) -> Analysis:
    """Return what ``footage``, or the analysis that is given, asks of the music, with options."""
    if footage is not None:
        found = _listed(options, footage.film.fps, footage.film.duration)
        analysis = Analysis.of(footage, choose(options.estimator), found)
        return apply_options(analysis, options)
    if options.analysis is None:
        raise ValueError("there is neither footage nor an analysis to start from")
    return apply_options(_given(options.analysis), options)


def _given(analysis: Analysis | PathLike) -> Analysis:
    return analysis if isinstance(analysis, Analysis) else Analysis.load(analysis)


def apply_options(analysis: Analysis, options: Options) -> Analysis:
    """Return ``analysis`` with what a person asks for in place of what was found."""
    if options.cuts == "none":
        analysis = replace(analysis, cuts=())
    elif (found := _listed(options, Fraction(analysis.fps), analysis.duration)) is not None:
        analysis = replace(analysis, cuts=tuple(found))
    if options.emotion_file is not None:
        analysis = analysis.with_arc(read_arc(Path(options.emotion_file), analysis.duration))
    if options.max_va is not None:
        analysis = analysis.scaled(options.max_va)
    if options.arc == "constant":
        analysis = analysis.constant()
    analysis = analysis.with_feeling(
        cast("Mapping[str, float] | None", options.emotion),  # text was parsed when it was given
        options.valence,
        options.arousal,
        options.max_va or SCALE,
    )
    if analysis.tempo < SLOWEST or analysis.tempo > FASTEST:  # not where it is NaN: not known
        raise UsageError(
            f"a tempo of {analysis.tempo:g} is outside {SLOWEST:g} to {FASTEST:g} beats a minute"
        )
    return replace(
        analysis,
        tempo=analysis.tempo if options.tempo is None else options.tempo,
        requested={**analysis.requested, **(options.ask or {})},
        tonic=TONICS[pitch_class(options.tonic)] if options.tonic else analysis.tonic,
    )


def _listed(options: Options, rate: Fraction, duration: float) -> list[Cut] | None:
    """Return the cuts of the file that ``options`` name, or None where they name none."""
    if options.cuts in ("auto", "none"):
        return None
    return read_cuts(Path(options.cuts), rate or None, duration)
