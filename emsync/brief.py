"""What is asked of the music: what the film asks, with a person's options in its place."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from emsync.analysis import Analysis
from emsync.emotion.arc import read_arc
from emsync.emotion.estimator import Estimator, choose
from emsync.errors import UsageError, warn
from emsync.formats.cut_lists import read_cuts
from emsync.formats.cut_lists.listing import Listing
from emsync.limits import can_be_read_again, shown
from emsync.music.tonality import TONICS, pitch_class
from emsync.options import Options, PathLike, check_tempo
from emsync.performance.palette import Palette
from emsync.planning.casting import check_plays, with_players
from emsync.planning.plan import Plan
from emsync.planning.planner import given_plan
from emsync.planning.theme import in_plan, read_theme
from emsync.planning.wishes import felt, wished
from emsync.video.cuts import Cut, thinned
from emsync.video.film import Film, same_length
from emsync.video.footage import Curve, Footage
from emsync.video.observers import Observer
from emsync.video.timecode import Timecode
from emsync.video.watch import watch

FINEST = Fraction(1000)  # frames a second: as many as a timecode can count


def estimator_of(options: Options) -> Estimator:
    """Return the estimator of the emotion that a person asks for, or the usual one."""
    return choose(options.estimator, ignore_sound=options.ignore_sound)


def look(
    film: Film,
    options: Options,
    progress: Callable[[float], None] | None = None,
    observers: Sequence[Observer] = (),
) -> Footage | None:
    """Watch the film; None if a person gives its analysis and nobody else is to see it."""
    if options.analysis is not None:
        if not observers:
            return None
        return watch(film, progress, observers, hardware=options.hardware)
    needs = estimator_of(options).needs
    return watch(film, progress, observers, needs, options.audio_stream, options.hardware)


def check_files(film: Film | None, options: Options) -> None:
    """Refuse what a person gives that does not fit ``film``, before it is watched.

    These are an estimator that cannot be, an analysis or a plan of another film, a theme, a
    palette, a cut list, an emotion file, and a start timecode. With None for the film, what fits
    none is refused; a list of cuts then only has to be a text, since its times may be frames. What
    can be read only once, such as a pipe, is read when it is needed.
    """
    duration = film.duration if film else None
    if options.analysis is None:
        estimator_of(options)
    elif _can_be_read_again(options.analysis):
        given = _given(options.analysis)
        if duration is not None and not same_length(given.duration, duration):
            raise UsageError(
                f"the analysis is of {given.source or 'a film'} and {given.duration:.2f} s, the "
                f"video has {duration:.2f} s; analyze this video"
            )
    if options.plan is not None and _can_be_read_again(options.plan):
        planned = with_players(wished(given_plan(options.plan, duration), options), options)
        if options.theme is not None:
            in_plan(read_theme(options.theme), planned)
    elif options.theme is not None:
        read_theme(options.theme)
    if options.palette is not None:
        palette = Palette.named(os.fspath(options.palette))
        check_plays(palette, options.instruments or (), "the instruments name")
    if options.start_timecode:
        _check_timecode(options.start_timecode, film.fps if film else None)
    if options.cuts not in ("auto", "none") and _can_be_read_again(options.cuts):
        if film is None:
            Listing.open(Path(options.cuts), None, math.inf)
        else:
            _listed(options, film.fps, film.duration)
    if options.emotion_file is not None and _can_be_read_again(options.emotion_file):
        read_arc(Path(options.emotion_file), math.inf if duration is None else duration)
    if film and options.start_timecode and not film.fps and options.analysis is None:
        raise UsageError("a start timecode needs the video's frame rate, which is unknown")


def _check_timecode(text: str, rate: Fraction | None) -> None:
    """Refuse what is no timecode of a film of ``rate``: None of one that is not opened yet.

    The frame rate of a film may be unknown, 0.
    """
    if rate:
        Timecode.parse(text, rate)
    elif rate is None:
        Timecode.parse(text.replace(";", ":"), FINEST)


def first_timecode(film: Film, analysis: Analysis, options: Options) -> str:
    """Return the timecode of the first frame: the one that is asked for, else the film's own.

    "" where there is none, or where the film's counts other frames than it has.
    """
    rate, own = Fraction(analysis.fps), film.timecode
    if options.start_timecode or not own or not rate:
        return options.start_timecode
    try:
        Timecode.parse(own, rate)
    except UsageError:
        warn(
            f"the film states the timecode {shown(own)}, which its {float(rate):g} frames a second "
            "cannot have; it is left out"
        )
        return ""
    warn(f"the first frame is {own}, as the film states it; --start-timecode changes that")
    return own


def brief_of(footage: Footage | None, options: Options, impact: Curve | None = None) -> Analysis:
    """Return what the analysis that is given, or ``footage``, asks of the music, with options.

    ``impact`` is that of the footage, where something reads it.
    """
    if options.analysis is None and footage is not None:
        cuts = _listed(options, footage.film.fps, footage.film.duration)
        seen = Analysis.of(footage, estimator_of(options), cuts, options.min_cut_distance, impact)
        return apply_options(seen, options)
    if options.analysis is None:
        raise ValueError("there is neither footage nor an analysis to start from")
    analysis = _given(options.analysis)
    cuts = _listed(options, Fraction(analysis.fps), analysis.duration)
    kept = thinned(
        analysis.cuts if cuts is None else cuts, analysis.duration, options.min_cut_distance
    )
    analysis = replace(analysis, cuts=kept)
    return apply_options(analysis, options)


def _given(analysis: Analysis | PathLike) -> Analysis:
    return analysis if isinstance(analysis, Analysis) else Analysis.load(analysis)


def _can_be_read_again(given: Analysis | Plan | PathLike) -> bool:
    """Return whether reading ``given`` now leaves it to be read later."""
    return isinstance(given, Analysis | Plan) or can_be_read_again(Path(given))


def apply_options(analysis: Analysis, options: Options) -> Analysis:
    """Return ``analysis`` with what a person asks for in place of what was found.

    A list of cuts is not read here, but by ``brief_of``: scenes begin on its cuts.
    """
    if options.cuts == "none":
        analysis = replace(analysis, cuts=())
    if options.emotion_file is not None:
        analysis = analysis.with_arc(read_arc(Path(options.emotion_file), analysis.duration))
    analysis = felt(analysis, options)
    if not math.isnan(analysis.tempo):
        check_tempo(analysis.tempo)
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
    return read_cuts(Path(options.cuts), rate or None, duration, options.start_timecode)
